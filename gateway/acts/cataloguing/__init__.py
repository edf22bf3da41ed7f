"""How a dataset comes into the catalogue, and leaves it: by acts of its department's stewards (Arts. 20, 21)."""
