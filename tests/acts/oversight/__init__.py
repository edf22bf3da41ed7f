"""What oversight does and sees."""
