"""Rooms for people: pages of subjects (`/my/`) and of those who answer for the gateway's work (`/console/`)."""
