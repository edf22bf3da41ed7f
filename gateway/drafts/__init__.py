"""What officers work with before they propose other rules: their drafts, and how often inquiries are refused."""
