"""Improper inquiry (Arts. 22(3), 28): what in the ledger a person of oversight should look at, and what they found."""
