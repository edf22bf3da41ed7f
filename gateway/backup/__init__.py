"""`dutybound backup` and `dutybound restore`: a copy of the store made while gateways serve, and put back."""
