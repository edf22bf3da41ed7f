"""How much is shared, for everybody to see: counted from the ledger, month by month, and nobody's in it."""
