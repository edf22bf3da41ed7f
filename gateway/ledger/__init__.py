"""What happened, provably: an append-only log of salted commitments. README.md has the rooms."""
