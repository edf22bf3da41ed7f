"""What everybody may see without a token: an organisation's open record (Art. 26)."""
