"""The operator's side of a running gateway: one supervisor over its processes, and what they report of themselves."""
