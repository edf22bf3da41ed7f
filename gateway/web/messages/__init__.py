"""Messages that the gateway sends: where they may go, how they are signed, and one try."""
