"""The keys of a store's own: where they stand, how a store opens by them, and how its rows are sealed by others."""
