"""Watching departments' systems: what they serve, compared again and again with the catalogue and the mapping."""
