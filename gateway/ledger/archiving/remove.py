"""Rows that an archive has, taken out of the store: some at a time, each time with the note of how far it came.

Only rows of inquiries, refusals and looks go, and only where nothing of the watch, of races or of acts names them: what
people did stays, since an erasure and its blockers look for it in the store. Where it is stopped, it goes on next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, and_, bindparam, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import StoreUnavailable, VerificationFailed
from gateway.ledger.archiving import compare
from gateway.ledger.archiving.write import Progress, Written
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head
from gateway.saying import in_words
from gateway.storage.archive.files import Archive
from gateway.storage.port import Reader, Store
from gateway.storage.projections.tables import projected, raced
from gateway.storage.subjects.acts import act
from gateway.storage.subjects.erasure import erasure
from gateway.storage.tables import SHARD_BITS, archived, entry, micros
from gateway.storage.watch.findings import finding_entry, watch_cursor

BATCH = 1024
_GO = (entries.Inquiry, entries.Refused, entries.View)
_REQUESTED = "requested"


def note(store: Store, head: Head, written: Written, place: str) -> None:
    """Note in the store what the archive has of a shard; raises `StoreUnavailable`."""
    manifest = written.manifest
    row = {
        "at": micros(manifest.made),
        "size": manifest.entries,
        "manifest": written.digest,
        "place": place,
    }
    try:
        with store.engine.begin() as connection:
            mine = archived.c.shard == head.id
            if not connection.execute(update(archived).where(mine).values(row)).rowcount:
                connection.execute(insert(archived).values(shard=head.id, removed=0, **row))
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the store did not take what was archived ({in_words(error)})") from error


def noted(store: Store, head: Head) -> bytes:
    """The digest of the manifest that the store has noted of a shard; empty where it has none."""
    with store.engine.connect() as connection:
        row = connection.execute(select(archived.c.manifest).where(archived.c.shard == head.id)).first()
    return b"" if row is None else bytes(row[0])


def movable(store: Store, reader: Reader, head: Head) -> int:
    """Up to which index nothing that stands behind the ledger still has to read rows of a shard.

    Raises `VerificationFailed` while an erasure is requested: what was entered since is looked for in the rows.
    """
    with store.engine.connect() as connection:
        waiting = connection.execute(select(erasure.c.id).where(erasure.c.state == _REQUESTED)).first()
        if waiting is not None:
            raise VerificationFailed(
                f"erasure `{waiting.id}` is requested, and rows are looked through until it is decided: approve it or"
                " withdraw it first"
            )
        positions = connection.execute(select(projected.c.next).where(projected.c.shard == head.id)).scalars().all()
        watched = connection.execute(select(watch_cursor.c.next).where(watch_cursor.c.shard == head.id)).scalars().all()
    return max(0, min(int(each) for each in (head.size, *positions, *watched)))  # below 0 while one is built anew


class Taken(NamedTuple):
    """How many rows went, and how many were looked at and stay."""

    gone: int
    stay: int


def remove(store: Store, archive: Archive, reader: Reader, head: Head, progress: Progress) -> Taken:
    """Take the rows that an archive has out of the store, each batch once it was compared with what stands there.

    Raises `VerificationFailed` where an entry cannot be read, or is another one there; `StoreUnavailable`.
    """
    with store.engine.connect() as connection:
        of = select(archived.c.size, archived.c.removed, archived.c.manifest).where(archived.c.shard == head.id)
        size, began, manifest = connection.execute(of).one()
    gone, first = 0, began
    while first < size:
        reader.renew()
        last = min(first + BATCH, size)
        compare.check(archive, reader, head, bytes(manifest), first, last, exact=True)
        ids = [
            (head.id << SHARD_BITS) + each.index
            for each in read.read_entries(reader, head.id, first, last - first)
            if each.told is None or isinstance(each.read_told(), _GO)
        ]
        gone += _take(store.engine, head.id, first, last, ids)
        progress(head.name, last, size)
        first = last
    return Taken(gone, size - began - gone)


_NAMED = (finding_entry.c.entry, raced.c.entry, act.c.entry)


def _take(engine: Engine, shard: int, first: int, last: int, ids: Sequence[int]) -> int:
    """Remove these rows, but for those that something names, and note it, in one transaction."""
    unnamed = and_(*(~select(column).where(column == entry.c.id).exists() for column in _NAMED))
    wanted = entry.c.id.in_(bindparam("ids", expanding=True))
    try:
        with engine.begin() as connection:
            mine = and_(archived.c.shard == shard, archived.c.removed == first)
            if not connection.execute(update(archived).where(mine).values(removed=last)).rowcount:
                raise VerificationFailed("another command takes rows of the same shard out; let it finish")
            return int(connection.execute(delete(entry).where(wanted, unnamed), {"ids": list(ids)}).rowcount)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"rows could not be removed ({in_words(error)}); run it again") from error
