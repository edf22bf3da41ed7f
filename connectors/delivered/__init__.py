"""What a department without an API delivers: files and a signed manifest, taken in whole or not at all."""
