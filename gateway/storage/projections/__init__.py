"""The ledger's projections: rows that are made from its entries, and can be made again."""
