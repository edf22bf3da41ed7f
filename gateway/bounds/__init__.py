"""Shares: what keeps one client, address or token from taking what others need."""
