"""Rows that are made of the ledger behind it, and can be made again from its entries."""
