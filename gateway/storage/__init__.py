"""Where the state lives: tables (SQLAlchemy Core) and the store, SQLite or PostgreSQL (`engines`), behind one port.

Tables are declared once, on `tables.metadata`: those of the ledger in `tables`, every other in the room of what it is
about. Hot statements are compiled from them once and run on a raw connection; everything else goes through the engine.
"""
