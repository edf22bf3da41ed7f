"""Rooms around a change of the rules: proposals and approvals, what was active, and how often inquiries are refused."""
