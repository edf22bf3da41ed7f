"""The comparison gateway of `make bench` in Python's usual parts: Strawberry and httpx, enforcing and recording nothing."""
