"""Pruning: the contents of entries past their legal retention become unreadable, and every proof stays.

A day of a shard at a time: what has to stay readable is sealed anew, by a key of its own; the rows that projections
have of the rest go, and their payloads, with the day's key. Last go keys of subjects that nothing readable names any
more. Rows of `displayed` are of no single entry: they go once their day is over, or with their subject's key.
Where it is stopped, it goes on at the first day whose key is there.

Payloads of an archive go after the days' keys, and a subject's key may open them until then. So a key that seals
nothing (`UNFINISHED`) stands in the store from before the first day until they are gone: `ledger verify` reports it.

What has to stay: what people did and what the ledger says of itself, since what is in force rests on it; what a finding
names; and whatever is about a subject on whom there is a hold, an open matter, an objection or a requested erasure.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.stored import archived as files
from gateway.ledger.stored import read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.encryption import KEY_SIZE, NONCE_SIZE, OVERSIGHT, TOLD, seal, segments
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.ledger.verify.stretch import KEPT, UNFINISHED
from gateway.saying import in_words
from gateway.storage.port import Held, Reader, Store
from gateway.storage.projections.counted import counted
from gateway.storage.projections.tables import acted, asked, displayed, looked, projected, raced, received
from gateway.storage.recall.recalls import expiry_head
from gateway.storage.subjects.acts import WAITING, act, act_head, matter
from gateway.storage.subjects.erasure import erasure, hold
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import SHARD_BITS, entry, entry_requester, micros, period_key, shard, subject_key
from gateway.storage.watch.findings import finding_entry

HOLD = "prune"
"""The name that one prunes under at a time."""
BATCH = sql.AT_ONCE
MOST_BEHIND = 20_000
"""Entries that the projections may lack where keys of subjects are looked through."""
_ORDINARY = (entries.Inquiry, entries.Refused, entries.View)
_ROWS = (looked, received, asked, acted, counted, raced, entry_requester)
"""What is made of single entries."""
_INDEX = (1 << SHARD_BITS) - 1

Progress = Callable[[str, int, int], None]


class Pruned(NamedTuple):
    """What was done to a shard: days whose keys went, entries that stayed readable, and subjects' keys that went."""

    days: int
    kept: int
    keys: int


def cutoff(now: datetime.datetime, years: int) -> datetime.date:
    """The first day of which nothing is pruned; of 29 February, the first of March."""
    day = now.date()
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return datetime.date(day.year - years, 3, 1)


def below(reader: Reader, head: Head, before: datetime.date) -> int:
    """Up to which index a shard's entries are from before a day."""
    midnight = datetime.datetime.combine(before, datetime.time(), datetime.UTC)
    return read.first_since(reader, head, micros(midnight))


def waiting(store: Store, head: Head, before: datetime.date) -> list[tuple[int, str]]:
    """The keys of a shard's days before one that are there, by id and day, oldest first."""
    mine = and_(
        period_key.c.shard == head.id, period_key.c.period < before.isoformat(), period_key.c.secret.is_not(None)
    )
    query = select(period_key.c.id, period_key.c.period).where(
        mine, func.length(period_key.c.period) == len("2026-01-31")
    )
    with store.engine.connect() as connection:
        return [(id_, day) for id_, day in connection.execute(query.order_by(period_key.c.period))]


def unfinished(store: Store, head: Head) -> bool:
    """Whether an archive may still have contents of a shard that were pruned."""
    with store.engine.connect() as connection:
        return connection.execute(select(period_key.c.id).where(_mark(head))).first() is not None


def finished(store: Store, head: Head) -> None:
    """Note that no archive has them any more; raises `StoreUnavailable`."""
    try:
        with store.engine.begin() as connection:
            connection.execute(delete(period_key).where(_mark(head)))
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the store did not take that all is pruned ({in_words(error)})") from error


def _mark(head: Head) -> ColumnElement[bool]:
    return and_(period_key.c.shard == head.id, period_key.c.period == UNFINISHED)


async def prune(
    store: Store, head: Head, before: datetime.date, progress: Progress, *, archived: bool = False
) -> Pruned:
    """Prune a shard's days before one; raises `VerificationFailed`, and `StoreUnavailable`: then run it again.

    Of a shard that is `archived` it is `unfinished` afterwards, until the archive is written anew (`finished`).
    """
    held = await store.hold(HOLD)
    if held is None:
        raise VerificationFailed("another command is pruning; let it finish")
    try:
        days = await asyncio.to_thread(waiting, store, head, before)
        kept = 0
        if days and archived:
            await held.key(head.id, UNFINISHED, os.urandom(KEY_SIZE))
        for done, (key, day) in enumerate(days, 1):
            kept += await _day(store, held, head, key, day)
            progress(head.name, done, len(days))
        keys = await asyncio.to_thread(_unused, store, head, before)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the store did not take what was pruned ({in_words(error)})") from error
    finally:
        await held.release()
    return Pruned(len(days), kept, keys)


async def _day(store: Store, held: Held, head: Head, key: int, day: str) -> int:
    """Prune what a shard entered on a day; gives how many entries stayed readable."""
    midnight = datetime.datetime.combine(datetime.date.fromisoformat(day), datetime.time(), datetime.UTC)
    while True:
        with contextlib.closing(store.reader()) as reader:
            first = read.first_since(reader, head, micros(midnight))
            last = read.first_since(reader, head, micros(midnight + datetime.timedelta(days=1)))
            about = await asyncio.to_thread(_blocked, store, head.id)
            stays = await asyncio.to_thread(_staying, store, reader, head, first, last, about)
            if stays:
                id_, secret = await held.key(head.id, day + KEPT, os.urandom(KEY_SIZE))
                if secret is None:
                    raise VerificationFailed(f"the key of what stays of {day} in shard `{head.name}` is gone")
                for start in range(0, len(stays), BATCH):
                    await asyncio.to_thread(
                        _seal_anew, store, reader, head, stays[start : start + BATCH], (id_, AESGCM(secret))
                    )
        if await asyncio.to_thread(_destroy, store, head, key, (first, last), about):
            return len(stays)


def _blocked(store: Store, number: int) -> set[int]:
    """The keys of subjects of whom everything stays."""
    with store.engine.connect() as connection:
        return _blocked_in(connection, number)


def _blocked_in(connection: Connection, number: int) -> set[int]:
    waits = and_(matter.c.state.in_(WAITING), matter.c.kind != "consent-request")
    open_ = (
        (hold, hold.c.value.is_not(None)),
        (erasure, erasure.c.value.is_not(None)),
        (matter, or_(waits, matter.c.second_due.is_not(None))),
        (fact, and_(fact.c.kind == "objection", fact.c.ended.is_(None))),
    )
    found: set[int] = set()
    for table, still in open_:
        same = and_(table.c.scheme == subject_key.c.scheme, table.c.value == subject_key.c.value)
        keys = select(subject_key.c.id).join(table, same).where(subject_key.c.shard == number, still)
        found |= set(connection.execute(keys).scalars())
    return found


def _staying(store: Store, reader: Reader, head: Head, first: int, last: int, about: set[int]) -> list[int]:
    """The indices of the entries of a day that stay readable, of those that are."""
    base = head.id << SHARD_BITS
    with store.engine.connect() as connection:
        named = {
            int(id_) & _INDEX
            for column in (finding_entry.c.entry, act.c.entry)
            for id_ in connection.execute(select(column).where(column >= base + first, column < base + last)).scalars()
        }
    stays = []
    for each in read.read_entries(reader, head.id, first, last - first):
        if each.told is None:
            continue
        ordinary = isinstance(each.read_told(), _ORDINARY) and each.read_oversight().broke_glass is None
        if not ordinary or each.index in named or about & set(each.keys):
            stays.append(each.index)
    return stays


def _seal_anew(store: Store, reader: Reader, head: Head, stays: Sequence[int], key: tuple[int, AESGCM]) -> None:
    """Seal the general parts of entries by another key. Their leaves commit to the parts, not to what seals them."""
    base, (id_, cipher) = head.id << SHARD_BITS, key
    places = [base + index for index in stays]
    raw = {row[0]: row for row in files.rows_at(reader, [*places, *([places[0]] * (BATCH - len(places)))])}
    opened = read.read_at(reader, places)
    with store.engine.begin() as connection:
        for place in places:
            row = _sealed(raw[place], opened[place], id_, cipher)
            if not connection.execute(update(entry).where(entry.c.id == place).values(row)).rowcount:
                connection.execute(insert(entry).values(row))  # it was in the archive alone


def _sealed(row: tuple[Any, ...], opened: StoredEntry, key: int, cipher: AESGCM) -> dict[str, object]:
    assert opened.told is not None and opened.oversight is not None, "it was chosen so"  # noqa: PT018
    id_, at, leaf, _, _, _, subjects = row[:7]
    told = seal(cipher, os.urandom(NONCE_SIZE), opened.told.general, TOLD, id_)
    oversight = seal(cipher, os.urandom(NONCE_SIZE), opened.oversight.general, OVERSIGHT, id_)
    columns = (id_, at, leaf, key, told, oversight, subjects)
    return dict(zip(entry.c.keys(), columns, strict=True))


def _destroy(store: Store, head: Head, key: int, span: tuple[int, int], about: set[int]) -> bool:
    """Destroy a day's key and what stands of it beside; False where something keeps more of it by now.

    Holds and matters are made under the number of acts, so none comes in between.
    """
    first, last = ((head.id << SHARD_BITS) + index for index in span)
    with store.engine.begin() as connection:
        connection.execute(update(act_head).values(number=act_head.c.number))
        connection.execute(update(projected).values(next=projected.c.next))
        if not _blocked_in(connection, head.id) <= about:
            return False
        gone = and_(entry.c.id >= first, entry.c.id < last, entry.c.period == key)
        stays = select(entry.c.id).where(entry.c.id >= first, entry.c.id < last, entry.c.period != key)
        for table in _ROWS:
            of = and_(table.c.entry >= first, table.c.entry < last, table.c.entry.not_in(stays))
            connection.execute(delete(table).where(of))
        # A day that is over and noted needs no row any more, whichever entries showed it.
        over = select(expiry_head.c.day).scalar_subquery()
        connection.execute(delete(displayed).where(displayed.c.day < over))
        connection.execute(update(entry).where(gone).values(told=b"", oversight=b"", subjects=None))
        connection.execute(update(period_key).where(period_key.c.id == key).values(secret=None))
    return True


def _unused(store: Store, head: Head, before: datetime.date) -> int:
    """Destroy the keys of subjects that nothing readable of a shard names any more; gives how many.

    What names them is what the projection `looked` has, and what was entered since: the head is locked, so that nobody
    enters under one of these keys meanwhile, and whoever meant to reads its keys again.
    """
    named = exists().where(looked.c.subject == subject_key.c.id)
    mine = and_(subject_key.c.shard == head.id, subject_key.c.secret.is_not(None), ~named)
    with store.engine.begin() as connection:
        lock = update(shard).where(shard.c.id == head.id).values(erasures=shard.c.erasures + 1)
        size = int(connection.execute(lock.returning(shard.c.size)).scalar_one())
        of = and_(projected.c.shard == head.id, projected.c.projection == looked.name)
        next_ = int(connection.execute(select(func.min(projected.c.next)).where(of)).scalar() or 0)
        if not 0 <= size - next_ <= MOST_BEHIND:
            raise VerificationFailed(
                f"the projection `{looked.name}` lacks {size - next_} entries of shard `{head.name}`: keys of subjects"
                " are destroyed once it has them; run this again then"
            )
        base = head.id << SHARD_BITS
        since = select(entry.c.subjects).where(entry.c.id >= base + next_, entry.c.id < base + size)
        young = {one.key for laid in connection.execute(since).scalars() for one in (segments(laid) if laid else ())}
        unused = set(connection.execute(select(subject_key.c.id).where(mine)).scalars()) - young
        wanted = subject_key.c.id.in_(bindparam("ids", expanding=True))
        for start in range(0, len(unused), BATCH):
            some = sorted(unused)[start : start + BATCH]
            nothing = update(subject_key).where(wanted).values(scheme=None, value=None, secret=None)
            connection.execute(nothing, {"ids": some})
            connection.execute(delete(displayed).where(displayed.c.subject.in_(some)))
    return len(unused)
