"""What the ledger's tests share: a store in a folder, an open ledger, and a connection that fails when told."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.keys import verifiers
from gateway.ledger.ledger import Ledger
from gateway.ledger.note import Verifier
from gateway.storage.store import BUSY_TIMEOUT_MS, Store, open_store

ORIGIN = "gateway.example/ledger"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIERS: list[Verifier] = verifiers(KEY, ORIGIN, ["1", "2", "3"])
AT = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
BY = ("https://login.example", "market-regulator")


def store_in(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'ledger.db'}")


@contextlib.asynccontextmanager
async def opened(store: Store, **settings: Any) -> AsyncIterator[Ledger]:
    ledger = Ledger(store, KEY, ORIGIN, **settings)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()


class FaultyConnection(sqlite3.Connection):
    """A real connection that asks `fault(statement)` before each statement, and `fault("AFTER COMMIT")` after it."""

    fault: Callable[[str], None] | None = None

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if self.fault:
            self.fault(sql)
        cursor = super().execute(sql, *args)
        if self.fault and sql == "COMMIT":
            self.fault("AFTER COMMIT")
        return cursor


class FaultyStore(Store):
    """A store whose connections ask `fault`; everything else is the real one."""

    fault: Callable[[str], None] | None = None

    def connect(self, wait_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
        super().connect().close()
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, factory=FaultyConnection, timeout=wait_ms / 1000
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.fault = lambda statement: self.fault(statement) if self.fault else None
        return connection


def faulty_store_in(folder: Path) -> FaultyStore:
    store_in(folder).close()
    return FaultyStore(folder / "ledger.db")
