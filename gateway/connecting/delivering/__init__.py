"""Taking in what departments of `kind: files` deliver: in one process beside those that serve, or by a command."""
