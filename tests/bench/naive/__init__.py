"""The comparison gateway of `make bench` in Python's usual parts: it enforces and records nothing."""
