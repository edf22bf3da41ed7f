"""Rows of the watch: findings about inquiries and about the systems of departments."""
