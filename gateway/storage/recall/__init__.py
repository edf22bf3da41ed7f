"""Rows of recalls: what is selected, recalled and delivered, and the work that processes take."""
