"""`/my/`: what is held about whoever is signed in, who looked, and what they can do about it."""
