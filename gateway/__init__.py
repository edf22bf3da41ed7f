"""Dutybound: share facts about one named subject, for one declared purpose, with proof."""
