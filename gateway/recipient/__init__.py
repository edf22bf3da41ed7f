"""A reference recipient of recalls: it needs nothing of the rest of the gateway, and can be rewritten from this."""
