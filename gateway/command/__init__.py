"""The command line's one style: how a command is described, refused and shown, and the arguments that many have."""
