"""Whether a department's system, or its own connector, keeps the contract of `connectors.contract`."""
