"""Nothing of whom tests asked about is in what gateways write: a scan of a whole run, at its end."""
