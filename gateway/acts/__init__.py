"""What people and systems do beside inquiring: each act, who may do it, and what is shown of it."""
