"""The steps from one version's tables to the next, for both databases. Alembic's; `gateway.storage.schema` runs them.

A step is never changed once released, and says everything itself: it imports nothing of the tables as they are now. One
is `additive` where code from before it can serve the tables that it leaves, and where later code can do with the rows
that such code writes meanwhile: that nothing is wanting in them which only later code writes.
"""
