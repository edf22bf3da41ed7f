"""Recall: whoever received what changed since is found, notified to stop using it, and has to answer (Arts. 47-49)."""
