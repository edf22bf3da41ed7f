"""The five departments: each a server of its own kind, with its own storage and its own words for things."""
