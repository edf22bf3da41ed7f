"""What a copy of the database must not reveal: columns whose values are sealed by keys of the store's own."""
