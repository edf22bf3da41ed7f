"""The tables of the register, and how its file is opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS received (   -- a record that an inquiry gave; never a value of it
  inquiry TEXT NOT NULL, dataset TEXT NOT NULL, record TEXT NOT NULL, version TEXT NOT NULL,
  place INTEGER NOT NULL,               -- among what the inquiry gave
  kind TEXT, scheme TEXT, value TEXT,   -- whom it is about; nothing once it was deleted
  purpose TEXT NOT NULL, fields TEXT NOT NULL, at TEXT NOT NULL, delete_by TEXT,
  state TEXT NOT NULL DEFAULT 'held',   -- held, replaced, deleted
  marked INTEGER NOT NULL DEFAULT 0,    -- the last recall that marked or cleared it, by its sequence
  disputed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (inquiry, place));
CREATE INDEX IF NOT EXISTS received_record ON received (inquiry, dataset, record, version);
CREATE INDEX IF NOT EXISTS received_until ON received (delete_by) WHERE state = 'held';
CREATE TABLE IF NOT EXISTS recall (
  id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, inquiry TEXT NOT NULL, action TEXT NOT NULL,
  state TEXT NOT NULL,                  -- open, done (here), answered (there)
  outcome TEXT, reason TEXT, passed_on TEXT NOT NULL DEFAULT '[]',
  said TEXT);                           -- the recall itself, as JSON; nothing once it is over
CREATE INDEX IF NOT EXISTS recall_state ON recall (state, sequence);
CREATE TABLE IF NOT EXISTS passed_on (  -- to whom an inquiry's records were given
  inquiry TEXT NOT NULL, whom TEXT NOT NULL, PRIMARY KEY (inquiry, whom));
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
VERSION = 1
BUSY = 10.0
"""Seconds that one who writes waits for another."""


class RegisterUnusable(Exception):
    """The file of the register cannot be used; the message has the reason."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or make it, for its owner alone; raises `RegisterUnusable`."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        store = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        store.execute("PRAGMA synchronous = FULL")  # what was done here is told to the gateway: it must not be lost
        store.execute("PRAGMA secure_delete = ON")  # what was deleted is not left in the file
        [version] = store.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise RegisterUnusable(f"`{path}` is a register of a later version; use that version")
        if version == 0:
            store.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise RegisterUnusable(f"`{path}` cannot be used as a register ({error})") from error
    return store
