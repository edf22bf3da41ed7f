"""The steps from one version's tables to the next, for both databases. Alembic's; `gateway.storage.schema` runs them.

A step is never changed once released, and says everything itself: it imports nothing of the tables as they are now.
"""
