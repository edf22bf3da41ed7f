"""What an inquiry is counted by, as a projection: a row for each inquiry and subject, without a name.

Everything that a row says of somebody is a keyed digest (`Digests`): of the subject, of the requester for one purpose,
of its official, of the case. The key is the store's own, so whoever reads this table alone finds nobody by trying.

Invariants: a row's entry says that it is (`gateway.ledger.verify.rows.projected`). `counting` has one row: the key, for
how many days rows are kept, and a `generation`, which is another whenever rows were dropped to be made again, and odd
until they are all gone. Whoever has looked rows up compares it: what was looked up in another one counts for nothing.

Left to others: what counts (`gateway.ledger.projections.extract`), and who looks counts up
(`gateway.inquiry.counting.known`).
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    and_,
    case,
    delete,
    event,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import bindparam as p
from sqlalchemy.sql import ClauseElement

from gateway.storage.sealing.columns import Secret
from gateway.storage.statement import Statement
from gateway.storage.tables import metadata

DAY = 86_400_000_000
_SLICE = 1000
_LOOKS = 64

counted = Table(
    "counted",
    metadata,
    Column("subject", BigInteger, primary_key=True),
    Column("requester", BigInteger, primary_key=True),  # for one purpose
    Column("at", BigInteger, primary_key=True),  # when it was told, as the entry says
    Column("entry", BigInteger, primary_key=True),
    Column("inquiry", BigInteger, nullable=False),
    Column("official", BigInteger),  # of that requester, for that purpose; NULL where nobody is known
    Column("about_case", BigInteger),  # the declared case, verified or not; NULL where there was none
    Column("retry", BigInteger),  # tells an inquiry again from another; NULL where it had no reference
    Index("counted_requester", "requester", "at"),
    Index("counted_official", "official", "at"),
    sqlite_with_rowid=False,
)

counting = Table(
    "counting",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1; its row is made with the table
    Column("secret", Secret("counting.secret"), nullable=False),  # 32 bytes
    Column("days", Integer, nullable=False),  # never less than the longest period of a purpose that was served
    Column("generation", BigInteger, nullable=False),
)


@event.listens_for(counting, "after_create")
def _first(_: Table, connection: Connection, **__: object) -> None:
    connection.execute(insert(counting).values(id=1, secret=secrets.token_bytes(32), days=1, generation=0))


COUNTING = Statement(select(counting.c.secret, counting.c.days, counting.c.generation))


class Counting(NamedTuple):
    """The row of `counting`."""

    secret: bytes
    days: int
    generation: int

    def oldest(self, now: int, floor: int) -> int:
        """From when on (microseconds) rows are needed; `floor` is the time of the last entry: clocks may be ahead."""
        return min(now, floor) - self.days * DAY


class Row(NamedTuple):
    """A row of `counted`, in the order of its columns."""

    subject: int
    requester: int
    at: int
    entry: int
    inquiry: int
    official: int | None
    about_case: int | None
    retry: int | None


class Digests:
    """The digests of one store: 63 bits, keyed by its `secret`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        kept: Callable[[Callable[..., int]], Callable[..., int]] = functools.lru_cache(maxsize=1024)
        self._kept = kept(self._digest)

    def subject(self, scheme: str, value: str) -> int:
        return self._digest("s", scheme, value)

    def requester(self, purpose: str, issuer: str, client: str) -> int:
        return self._kept("w", purpose, issuer, client)

    def official(self, purpose: str, issuer: str, client: str, official: str | None) -> int | None:
        return None if official is None else self._kept("o", purpose, issuer, client, official)

    def about_case(self, case: str | None) -> int | None:
        return None if case is None else self._kept("c", case)

    def retry(self, official: str | None, reference: str | None, request: bytes) -> int | None:
        """What a retry has in common with the inquiry before it; None where nothing distinguishes it from another."""
        return self._digest("r", official, reference, request) if reference is not None and request else None

    def inquiry(self, id: str) -> int:
        return self._digest("i", id)

    def _digest(self, *parts: object) -> int:
        made = blake2b(msgspec.msgpack.encode(parts), digest_size=8, key=self._secret).digest()
        return int.from_bytes(made) >> 1


LOOKED = [
    counted.c[name] for name in ("subject", "requester", "at", "inquiry", "official", "about_case", "retry")
]  # of `Looked`, after the generation


LOOK_AT_ONCE = 32
LOOK = Statement(
    select(literal_column("0"), *LOOKED).where(
        counted.c.at > p("after"),
        or_(*(and_(counted.c.subject == p(f"s{n}"), counted.c.requester == p(f"r{n}")) for n in range(LOOK_AT_ONCE))),
    ),
    *("after", *(f"{part}{n}" for n in range(LOOK_AT_ONCE) for part in "sr")),
)
BY_REQUESTER, BY_OFFICIAL = counted.c.requester, counted.c.official


REACHED_BY = {
    of: Statement(
        select(counted.c.subject, counted.c.at)
        .where(of == p("whose"), counted.c.at > p("after"))
        .order_by(counted.c.at),
        *("whose", "after"),
    )
    for of in (BY_REQUESTER, BY_OFFICIAL)
}
"""Whom a requester or an official asked about since a moment, and when, oldest first."""


def current(connection: Connection) -> Counting:
    """The row of `counting`."""
    return Counting._make(connection.execute(select(counting.c.secret, counting.c.days, counting.c.generation)).one())


def lasting(engine: Engine, days: int) -> bool:
    """Have rows kept for so many days; True where that is longer than they were kept, so that some may be missing.

    It is never made less: another gateway may count over more.
    """
    with engine.begin() as connection:
        longer = update(counting).where(counting.c.days < days).values(days=days)
        return bool(connection.execute(longer).rowcount)


def dropping(connection: Connection) -> None:
    """What was looked up counts for nothing from now on, and nothing is looked up until `dropped`."""
    odd = counting.c.generation % 2 == 1
    connection.execute(update(counting).values(generation=counting.c.generation + case((odd, 2), else_=1)))


def dropped(connection: Connection) -> None:
    """All rows are gone: what is looked up now is what was made since."""
    mine = update(counting).where(counting.c.generation % 2 == 1)
    connection.execute(mine.values(generation=counting.c.generation + 1))


def forget(engine: Engine, before: int, whose: int) -> int | None:
    """Remove some rows from before a moment (microseconds), of the requesters after `whose`; the last one looked at.

    None where there was none after it: then whoever removes begins again.
    """
    with engine.connect() as connection:
        for _ in range(_LOOKS):
            following = select(func.min(counted.c.requester)).where(counted.c.requester > whose)
            found = connection.execute(following).scalar_one()
            if found is None:
                return None
            mine = (counted.c.requester == found, counted.c.at < before)
            if connection.execute(select(counted.c.at).where(*mine).limit(1)).first() is not None:
                break
            whose = found
        else:
            return whose
    with engine.begin() as connection:
        key = tuple(counted.primary_key.columns)
        some = select(*key).where(*mine).limit(_SLICE)
        connection.execute(delete(counted).where(tuple_(*key).in_(some)))
    return whose


def erasing(engine: Engine, subjects: Iterable[tuple[str, str]]) -> ClauseElement:
    """What deletes the rows of subjects (scheme, value)."""
    with engine.connect() as connection:
        digests = Digests(current(connection).secret)
    return delete(counted).where(counted.c.subject.in_([digests.subject(*each) for each in subjects]))
