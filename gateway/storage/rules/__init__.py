"""Rows about rule sets and the catalogue: what serves, is proposed, drafted and tried, and how datasets came in."""
