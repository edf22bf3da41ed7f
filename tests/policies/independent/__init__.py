"""A second evaluator of policies, written from `policies/README.md` and Cedar's documentation alone.

It reads the files itself, and imports nothing that decides: what both say the same of, neither got wrong alone.
"""
