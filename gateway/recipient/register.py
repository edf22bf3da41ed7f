"""The register: what was received, by the receipts; to whom it was passed on; and how far each recall is.

One SQLite file. It holds no value of any record, and names nobody any more in what was deleted. Each method is one
transaction, on the disk when it returns: killed at any moment, the client goes on from what stands here.

A recall is `open` until the department has done what it asks (`done`), and `done` until the gateway knows (`answered`).
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.recipient.inbox import Recall, RecalledRecord
from gateway.recipient.receipts import Received
from gateway.recipient.tables import RegisterUnusable, connect


class Held(NamedTuple):
    """A record in the register: what became of it, the last recall that marked or cleared it, and whom it is about."""

    state: str
    marked: int
    kind: str | None
    purpose: str


class Answer(NamedTuple):
    """How a recall that is done here is to be answered there."""

    recall: str
    outcome: str
    reason: str | None
    passed_on: tuple[str, ...]


class Register:
    """The register in a file. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._store = path, connect(path)

    def close(self) -> None:
        self._store.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only client that works off recalls by this register; raises `RegisterUnusable` where one does."""
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise RegisterUnusable(f"another client works with `{self._path}`; wait for it, or end it") from error
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._store.execute("BEGIN IMMEDIATE")
            yield self._store
            self._store.execute("COMMIT")
        except BaseException as error:
            if self._store.in_transaction:
                self._store.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise RegisterUnusable(f"`{self._path}` cannot be written ({error})") from error
            raise

    # What was received

    def receive(self, given: Iterable[Received], cursor: str | None = None) -> None:
        """Note what inquiries gave, each once; `cursor` is how far past receipts were read with it."""
        with self._transaction() as store:
            for received in given:
                rows = [
                    (
                        received.inquiry, each.dataset, each.record, each.version, place, each.kind, each.scheme,
                        each.value, received.purpose, _json(each.fields), received.at.isoformat(),
                        received.delete_by.isoformat() if received.delete_by else None,
                    )
                    for place, each in enumerate(received.records)
                ]  # fmt: skip
                store.executemany(
                    "INSERT OR IGNORE INTO received (inquiry, dataset, record, version, place, kind, scheme, value,"
                    " purpose, fields, at, delete_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
            if cursor is not None:
                store.execute("INSERT OR REPLACE INTO mark VALUES ('receipts', ?)", (cursor,))

    def cursor(self) -> str | None:
        """How far past receipts were read."""
        found = self._store.execute("SELECT value FROM mark WHERE name = 'receipts'").fetchone()
        return str(found[0]) if found else None

    def knows(self, inquiry: str) -> bool:
        """Whether a receipt of this inquiry was read, and gave anything."""
        return self._store.execute("SELECT 1 FROM received WHERE inquiry = ?", (inquiry,)).fetchone() is not None

    def held(self, recall: Recall, record: RecalledRecord) -> Held | None:
        """What stands here of a recalled record; None where no receipt names it."""
        found = self._store.execute(
            "SELECT state, marked, kind, purpose FROM received"
            " WHERE inquiry = ? AND dataset = ? AND record = ? AND version = ?"
            " AND (scheme IS NULL OR (scheme = ? AND value = ?)) ORDER BY scheme IS NULL LIMIT 1",
            (*_key(recall, record), recall.scheme, recall.value),
        ).fetchone()
        return Held(*found) if found else None

    def left(self, until: datetime.date) -> list[tuple[str, str, str, str]]:
        """What is held although its last day is over by `until`: inquiry, dataset, record, version."""
        return self._store.execute(
            "SELECT inquiry, dataset, record, version FROM received"
            " WHERE state = 'held' AND delete_by <= ? ORDER BY inquiry, place",
            (until.isoformat(),),
        ).fetchall()

    def deleted(self, until: datetime.date) -> None:
        """All whose last day is over by `until` was deleted."""
        with self._transaction() as store:
            store.execute(
                "UPDATE received SET state = 'deleted', kind = NULL, scheme = NULL, value = NULL WHERE delete_by <= ?",
                (until.isoformat(),),
            )

    def passed_on(self, inquiry: str) -> tuple[str, ...]:
        """To whom records of an inquiry were given."""
        found = self._store.execute("SELECT whom FROM passed_on WHERE inquiry = ? ORDER BY whom", (inquiry,))
        return tuple(str(whom) for [whom] in found)

    def pass_on(self, inquiry: str, whom: str) -> None:
        """Note that records of an inquiry were given to somebody."""
        with self._transaction() as store:
            store.execute("INSERT OR IGNORE INTO passed_on VALUES (?, ?)", (inquiry, whom))

    # Recalls

    def take(self, recalls: Sequence[Recall]) -> list[Recall]:
        """Note recalls, each once; gives those that are new.

        One that was thought to be over, and to which the gateway has no answer, is taken up where it was left.
        """
        new = []
        with self._transaction() as store:
            for each in recalls:
                known = store.execute("SELECT state FROM recall WHERE id = ?", (each.id,)).fetchone()
                if known is None:
                    row = (each.id, each.sequence, each.inquiry, each.action, _json(each))
                    store.execute(
                        "INSERT INTO recall (id, sequence, inquiry, action, state, said)"
                        " VALUES (?, ?, ?, ?, 'open', ?)",
                        row,
                    )
                    new.append(each)
                elif known[0] == "answered" and each.outcome is None:
                    store.execute(
                        "UPDATE recall SET said = ?, state = CASE WHEN outcome IS NULL THEN 'open' ELSE 'done' END"
                        " WHERE id = ?",
                        (_json(each), each.id),
                    )
        return new

    def open_recalls(self) -> list[Recall]:
        """What is still to be done: deletions first, then by sequence."""
        found = self._store.execute(
            "SELECT said FROM recall WHERE state = 'open' ORDER BY action <> 'DELETE', sequence"
        ).fetchall()
        return [msgspec.json.decode(said, type=Recall) for [said] in found]

    def recall(self, id_: str) -> Recall | None:
        """A recall that is not over: open, or refused."""
        found = self._store.execute("SELECT said FROM recall WHERE id = ? AND said IS NOT NULL", (id_,)).fetchone()
        return msgspec.json.decode(found[0], type=Recall) if found else None

    def settle(self, recall: Recall) -> None:
        """The department did what a recall asks: note it with the records, and how it is to be answered."""
        whom = self.passed_on(recall.inquiry)
        with self._transaction() as store:
            for record in recall.records:
                self._apply(store, recall, record)
            store.execute(
                "UPDATE recall SET state = 'done', outcome = ?, reason = NULL, passed_on = ? WHERE id = ?",
                ("PASSED_ON" if whom else "APPLIED", _json(whom), recall.id),
            )

    def refuse(self, recall: Recall, reason: str) -> None:
        """A person declares that a law lets the records be used further. Nothing becomes of them; it can still be done
        later."""
        with self._transaction() as store:
            store.execute(
                "UPDATE recall SET state = 'done', outcome = 'REFUSED', reason = ? WHERE id = ?", (reason, recall.id)
            )

    @staticmethod
    def _apply(store: sqlite3.Connection, recall: Recall, record: RecalledRecord) -> None:
        key = (*_key(recall, record), recall.scheme, recall.value)
        if recall.action in ("MARK_DISPUTED", "CLEAR_DISPUTED"):
            disputed = recall.action == "MARK_DISPUTED"
            store.execute(_MARKED, (disputed, recall.sequence, *key, recall.sequence))
        elif recall.action in ("DELETE", "UPDATE"):
            store.execute(_DELETED if recall.action == "DELETE" else _REPLACED, key)

    def answers(self) -> list[Answer]:
        """What is done here and not answered there yet, by sequence."""
        found = self._store.execute(
            "SELECT id, outcome, reason, passed_on FROM recall WHERE state = 'done' ORDER BY sequence"
        ).fetchall()
        whom = msgspec.json.Decoder(tuple[str, ...])
        return [Answer(id_, outcome, reason, whom.decode(names)) for id_, outcome, reason, names in found]

    def answered(self, ids: Sequence[str]) -> None:
        """The gateway knows these. What one was about is not kept, unless it was refused and may still be done."""
        with self._transaction() as store:
            store.executemany("UPDATE recall SET state = 'answered' WHERE id = ?", _each(ids))
            store.executemany("UPDATE recall SET said = NULL WHERE id = ? AND outcome IS NOT 'REFUSED'", _each(ids))

    def unanswered(self) -> dict[str, str]:
        """The ids, and states, of those that the gateway does not know the answer to, as far as is known here."""
        return dict(self._store.execute("SELECT id, state FROM recall WHERE state <> 'answered'").fetchall())


_DELETED = """UPDATE received SET state = 'deleted', kind = NULL, scheme = NULL, value = NULL
    WHERE inquiry = ? AND dataset = ? AND record = ? AND version = ? AND scheme = ? AND value = ?"""
_REPLACED = """UPDATE received SET state = 'replaced'
    WHERE inquiry = ? AND dataset = ? AND record = ? AND version = ? AND scheme = ? AND value = ?"""
_MARKED = """UPDATE received SET disputed = ?, marked = ?
    WHERE inquiry = ? AND dataset = ? AND record = ? AND version = ? AND scheme = ? AND value = ? AND marked < ?"""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _key(recall: Recall, record: RecalledRecord) -> tuple[str, str, str, str]:
    return recall.inquiry, record.dataset, record.record, record.version


def _each(ids: Sequence[str]) -> list[tuple[str]]:
    return [(id_,) for id_ in ids]
