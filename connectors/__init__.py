"""Connectors speak the protocols of the departments' own systems. They never import the gateway."""
