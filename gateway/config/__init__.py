"""`gateway.yaml` and the environment, read once when a process starts (`settings`), with its parts beside it."""
