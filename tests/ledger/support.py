"""What the ledger's tests share: a store in a folder, an open ledger, and a connection that fails when told."""

from __future__ import annotations

import contextlib
import datetime
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from connectors.base import Record, Subject
from gateway.errors import Code, Refusal
from gateway.inquiry import disclose
from gateway.inquiry.types import (
    Caution,
    Decision,
    Declaration,
    Obligation,
    Released,
    Requester,
    SubjectDecision,
    Withheld,
)
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.engines.sqlite_file import BUSY_TIMEOUT_MS, Opened
from gateway.storage.port import Store
from gateway.storage.recall.recalls import recall_job
from tests.configured import ORIGIN
from tests.ledgers import ledger_on
from tests.stores import store_at

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIERS: list[Verifier] = verifiers(KEY, ORIGIN, ["1", "2", "3"])
AT = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
BY = ("https://login.example", "market-regulator")


def recipients_found(store: Store) -> None:
    """What a gateway does beside a command: whoever received what is to be erased is found. Here that is nobody."""
    with contextlib.closing(store.reader()) as reader:
        sizes = json.dumps({head.id: head.size for head in read.heads(reader)})
    with store.engine.begin() as connection:
        connection.execute(update(recall_job).values(state="selected", selected=1, sizes=sizes))


def store_in(folder: Path) -> SqliteStore:
    return store_at(folder / "ledger.db")


@contextlib.asynccontextmanager
async def opened(
    store: Store, *, inline_limit: float | None = None, private: Ed25519PrivateKey = KEY, **settings: Any
) -> AsyncIterator[Ledger]:
    """A ledger on the store, closed at the end; `inline_limit` decides who commits on SQLite."""
    if inline_limit is not None:
        assert isinstance(store, SqliteStore)
        store.inline_limit = inline_limit
    ledger = ledger_on(store, private, ORIGIN, **settings)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()


def number_of(entry: StoredEntry) -> int:
    """What a test entered: a number."""
    assert entry.told is not None
    return int(entry.told.general.body)


class FaultyConnection(Opened):
    """A real connection that asks `fault(statement)` before each statement, and `fault("AFTER COMMIT")` after it."""

    fault: Callable[[str], None] | None = None

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if self.fault:
            self.fault(sql)
        cursor = super().execute(sql, *args)
        if self.fault and sql == "COMMIT":
            self.fault("AFTER COMMIT")
        return cursor

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        if self.fault:
            self.fault(sql)
        return super().executemany(sql, rows)


class FaultyStore(SqliteStore):
    """A store whose connections ask `fault`; everything else is the real one."""

    fault: Callable[[str], None] | None = None

    def connect(self, wait_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
        super().connect().close()
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, factory=FaultyConnection, timeout=wait_ms / 1000
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # opens the log
        connection.files = self._files()
        connection.fault = lambda statement: self.fault(statement) if self.fault else None
        return connection


def faulty_store_in(folder: Path) -> FaultyStore:
    store_in(folder).close()
    return FaultyStore(folder / "ledger.db")


SUBJECT = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
DATA = b'{"organisation":{"name":"Acme \\"Works\\" Ltd","taxArrears":[{"period":"2026 Q1"}]}}'


def an_entry(number: int = 1, facts: int = 0) -> disclose.Entry:
    """An inquiry on its way to the ledger."""
    decided = SubjectDecision({}, {}, (("tax-arrears", ("amount", "period")),))
    made = disclose.Entry(
        f"inquiry-{number}",
        Requester(*BY, "m.ivanova", frozenset(), 0.0, "market"),
        "5ec0de",
        Declaration("TENDER_QUALIFICATION", case="MR-2026-17", document="order <b>4</b>"),
        (SUBJECT,),
        facts=facts,
        decision=Decision(None, {SUBJECT: decided}, ()),
    )
    made.obligations = (
        Obligation("T/purpose-only", "purpose-only", {"purpose": "TENDER_QUALIFICATION"}),
        Obligation("T/delete-by", "delete-by", {"date": "2027-02-22"}),
    )
    made.cautions = (Caution("tax-arrears", "N-1", True, "flood of 2025"),)
    made.withheld = (Withheld(SUBJECT, "tax-arrears", "N-9", "2", "display-ended"),)
    return made


async def disclosed(
    ledger: disclose.LedgerPort,
    number: int = 1,
    at: datetime.datetime = AT,
    facts: int = 0,
    until: datetime.date | None = None,
) -> bytes:
    """Disclose it, and give the answer's bytes; `until` is the last day of its display."""
    made = an_entry(number, facts)
    released = Released([Record(m_id="N-1", m_version="3")], [until], [True])
    receipt = await disclose.disclose(ledger, made, {(SUBJECT, "tax-arrears"): released}, DATA, (), at)
    return b'{"data":%b,"extensions":{"inquiry":%b}}' % (DATA, disclose.extension(made, receipt))


async def refused(ledger: disclose.LedgerPort, number: int = 1) -> str:
    """Refuse it, and give the receipt."""
    return (await disclose.refuse(ledger, an_entry(number), Refusal(Code.QUOTA_EXCEEDED, "enough today"), AT)).text


def receipt_of(answer: bytes) -> str:
    text: str = msgspec.json.decode(answer)["extensions"]["inquiry"]["receipt"]
    return text
