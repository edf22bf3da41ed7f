"""What a subject sees of itself: what is held, who looked, and what it did about it."""
