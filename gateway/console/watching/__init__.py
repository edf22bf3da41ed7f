"""Rooms of oversight: findings and their reviews, what is overdue, activations, and the ledger's health."""
