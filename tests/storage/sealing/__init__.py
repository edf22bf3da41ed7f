"""Rows that a copy of the database does not tell."""
