"""A department's own access log compared with the ledger: calls without an entry, and entries without a call."""
