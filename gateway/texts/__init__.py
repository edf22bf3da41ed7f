"""What people read on pages: all texts, in one file for each language, and how they are filled in."""
