"""Rows about subjects: what is known of them, what people and systems did, and requests to erase."""
