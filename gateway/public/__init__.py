"""What everybody may see without a token: an organisation's open record (Art. 26), and how much is shared."""
