"""What oversight does and sees: findings and their reviews, one inquiry's life, and the ledger's health."""
