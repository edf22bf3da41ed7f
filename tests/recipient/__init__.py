"""The reference recipient of recalls."""
