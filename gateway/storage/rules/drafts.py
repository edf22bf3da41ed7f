"""Drafts: each a policy officer's own working copy of a rule set, with what came of trying it on past inquiries.

A draft decides nothing and names no subject, so that it is no part of the ledger: only to propose it is an act. It is
its officer's alone, and goes when nobody used it for a while. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Table,
    Text,
    delete,
    desc,
    func,
    insert,
    select,
    update,
)

from gateway.storage.sealing.columns import Secret
from gateway.storage.tables import OFFICIAL, metadata

draft = Table(
    "draft",
    metadata,
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("official", OFFICIAL, nullable=False),
    Column("base", Text, nullable=False),  # digest of the rule set that it began as
    Column("files", Secret("draft.files"), nullable=False),  # an archive
    Column("version", BigInteger, nullable=False),  # counts its changes, so that none is lost to another
    Column("began", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Index("draft_of", "issuer", "official"),
    Index("draft_used", "used"),
)

draft_trial = Table(
    "draft_trial",
    metadata,
    Column("draft", Text, ForeignKey("draft.id"), primary_key=True),
    Column("run", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("told", Secret("draft_trial.told"), nullable=False),  # what is shown of it, as JSON
    Column("seen", BigInteger, nullable=False),  # when its process said so
)
"""The last simulation of a draft."""


class Draft(NamedTuple):
    """A `draft` row, without its files."""

    id: str
    issuer: str
    official: str
    base: str
    version: int
    began: int
    used: int


class Trial(NamedTuple):
    """A `draft_trial` row."""

    draft: str
    run: str
    state: str
    told: bytes
    seen: int


_COLUMNS = [draft.c[name] for name in Draft._fields]


def forget(connection: Connection, before: int) -> None:
    """Delete those that nobody used since."""
    over = select(draft.c.id).where(draft.c.used <= before)
    connection.execute(delete(draft_trial).where(draft_trial.c.draft.in_(over)))
    connection.execute(delete(draft).where(draft.c.used <= before))


def count(connection: Connection) -> int:
    """How many there are, everybody's."""
    return int(connection.execute(select(func.count()).select_from(draft)).scalar_one())


def add(connection: Connection, row: Draft, files: bytes) -> None:
    """Keep a new one."""
    connection.execute(insert(draft).values(**row._asdict(), files=files))


def of(connection: Connection, issuer: str, official: str, since: int) -> Sequence[Draft]:
    """Somebody's, the last used first; none that nobody used since."""
    own = (draft.c.issuer == issuer, draft.c.official == official, draft.c.used > since)
    rows = connection.execute(select(*_COLUMNS).where(*own).order_by(desc(draft.c.used), draft.c.id))
    return [Draft._make(row) for row in rows]


def one(connection: Connection, id_: str, since: int) -> tuple[Draft, bytes] | None:
    """The one of an id with its files; None where there is none, or nobody used it since."""
    query = select(*_COLUMNS, draft.c.files).where(draft.c.id == id_, draft.c.used > since)
    row = connection.execute(query).first()
    return None if row is None else (Draft._make(row[:-1]), row.files)


def change(connection: Connection, row: Draft, files: bytes, now: int) -> bool:
    """Give one other files; returns whether it was still as in `row`."""
    same = (draft.c.id == row.id, draft.c.version == row.version)
    values = {"files": files, "version": row.version + 1, "used": now}
    return connection.execute(update(draft).where(*same).values(**values)).rowcount == 1


def use(connection: Connection, id_: str, now: int) -> None:
    """Record that it was used."""
    connection.execute(update(draft).where(draft.c.id == id_).values(used=now))


def remove(connection: Connection, id_: str) -> None:
    """Delete one."""
    connection.execute(delete(draft_trial).where(draft_trial.c.draft == id_))
    connection.execute(delete(draft).where(draft.c.id == id_))


def trial(connection: Connection, id_: str) -> Trial | None:
    """The last simulation of a draft."""
    row = connection.execute(select(draft_trial).where(draft_trial.c.draft == id_)).first()
    return None if row is None else Trial._make(row)


def begin_trial(connection: Connection, row: Trial) -> None:
    """Keep a new one in the place of the last."""
    connection.execute(delete(draft_trial).where(draft_trial.c.draft == row.draft))
    connection.execute(insert(draft_trial).values(**row._asdict()))


def tell_trial(connection: Connection, row: Trial, states: Sequence[str]) -> bool:
    """Keep how far one is; whether it still was in one of these `states`."""
    same = (draft_trial.c.draft == row.draft, draft_trial.c.run == row.run, draft_trial.c.state.in_(states))
    values = {"state": row.state, "told": row.told, "seen": row.seen}
    return connection.execute(update(draft_trial).where(*same).values(**values)).rowcount == 1
