"""A department's own access log held against the ledger: calls without an entry, and entries without a call."""
