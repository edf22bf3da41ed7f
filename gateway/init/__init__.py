"""The first folder of a gateway: a configuration that works, keys, policies to start from, and what to try it with."""
