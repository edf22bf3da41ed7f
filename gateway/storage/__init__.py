"""Where the state lives: tables (SQLAlchemy Core) and the engine. SQLite in this version.

Tables are declared once, on `tables.metadata`. Hot statements are compiled from them once and run on a raw connection;
everything else goes through the engine.
"""
