"""Tests of recalls: who received what changed since, is told, and answers."""
