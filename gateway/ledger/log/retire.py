"""Sealing: a shard of which the store has less than somebody outside remembers is never signed over.

`behind` compares what the store has of a shard with every checkpoint remembered outside: each must be a beginning of
the stored tree. Where one is not, the store was set back, or replaced. Then the shard's final state goes into `sealed`,
once and for all, and the shard that is opened instead names the gap in its first entry (`gap_entry`), in the
transaction that notes that it does.

Left to others: who remembers (`head_file`, `witness_client`), and which shard is opened instead (`ledger`).
"""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import unverified
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.publish import read_published
from gateway.ledger.proof.merkle import EMPTY_ROOT, Tree
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import StoredTree, heads, read_entries, receipt
from gateway.nouns import counted
from gateway.saying import in_words
from gateway.storage.port import Guarded, Head, Reader, Store
from gateway.storage.tables import micros, sealed, shard


class Sealed(NamedTuple):
    """A row of `sealed`."""

    name: str
    at: int
    size: int
    root: bytes
    remembered: str
    by: str
    named_in: str | None


class Behind(LedgerUnavailable):
    """The store has less of a shard than is remembered outside, or something else; the shard was sealed."""


class Missing(NamedTuple):
    """What the store has of a shard, and what it should have."""

    name: str
    size: int
    root: bytes
    remembered: SeenOutside


def behind(store: Store, name: str, remembered: Sequence[SeenOutside]) -> Missing | None:
    """The highest remembered checkpoint that the store's shard does not contain; None where it contains them all.

    Raises `StoreUnavailable`, and `LedgerUnavailable` where the store is damaged.
    """
    with contextlib.closing(store.reader()) as reader:
        head = next((head for head in heads(reader) if head.name == name), None)
        size, root = (head.size, head.root) if head else (0, EMPTY_ROOT)
        for each in sorted(remembered, key=lambda each: each.checkpoint.size, reverse=True):
            seen = each.checkpoint
            if seen.size > size or _root_at(reader, head, seen.size) != seen.root:
                return Missing(name, size, root, each)
    return None


def registry_set_back(gap: Missing) -> str:
    """What a registry with a gap means, and what to do: it is not sealed, since nothing else vouches for the keys."""
    seen, by = gap.remembered.checkpoint, gap.remembered.by
    if gap.size < seen.size:
        what = (
            f"the store's registry has {counted(gap.size, 'entry')}, and {by} remembers {seen.size} of"
            f" `{seen.origin}`. The"
            " store was set back to an older copy, or is another one. Shards or keys that were registered are missing"
        )
    else:
        what = (
            f"the store's registry does not begin with the {counted(seen.size, 'entry')} of `{seen.origin}` that"
            f" {by} remembers:"
            " it is another store, or was altered"
        )
    return (
        f"{what}. Nothing is signed. Stop every gateway, and restore a copy of the store that has those {seen.size}"
        " entries (`dutybound ledger verify --config gateway.yaml` reports whether one has). Where there is none,"
        " begin another ledger: another `ledger.origin`, an empty store, another `ledger.head_file`. Keep this store:"
        " what it proves, it still proves"
    )


def _root_at(reader: Reader, head: Head | None, size: int) -> bytes:
    if head is None or size == 0:
        return EMPTY_ROOT
    if size == head.size:
        return head.root
    try:
        return Tree(size, StoredTree(reader, head.id, size).peaks()).root
    except VerificationFailed as error:
        raise LedgerUnavailable(
            f"shard `{head.name}` in the store is damaged: {error}; run `dutybound ledger verify` before anything else"
        ) from error


def seal(store: Store, gap: Missing, at: datetime.datetime) -> Behind:
    """Write a shard's final state down, for whoever holds its name; gives what to raise.

    Raises `StoreUnavailable`, also where the shard is not as it was looked at: another store stands there by now.
    """
    remembered = gap.remembered
    looked_at = select(shard.c.size, shard.c.root).where(shard.c.name == gap.name)
    row = Sealed(gap.name, micros(at), gap.size, gap.root, remembered.note, remembered.by, None)
    try:
        with store.engine.begin() as connection:
            if (connection.execute(looked_at).first() or (0, EMPTY_ROOT)) != (gap.size, gap.root):
                raise StoreUnavailable("another store stood in its place while it was looked at")
            connection.execute(insert(sealed).values(row._asdict()))
    except IntegrityError:
        return Behind(f"shard `{gap.name}` is sealed")
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"shard `{gap.name}` cannot be sealed ({in_words(error)})") from error
    return Behind(
        f"the store has {counted(gap.size, 'entry')} of shard `{gap.name}`, and {remembered.by} remembers"
        f" {remembered.checkpoint.size}: the shard is sealed"
    )


def all_sealed(reader: Reader) -> list[Sealed]:
    """Every sealed shard, in the order of sealing."""
    return [Sealed(*row) for row in reader.rows(sql.SEALED)]


def standing(store: Store) -> tuple[set[str], set[str], list[Sealed]]:
    """The shards that the store has, those that are sealed, and the gaps that no entry names yet.

    Raises `LedgerUnavailable` where they cannot be read.
    """
    try:
        with contextlib.closing(store.reader()) as reader:
            shut = all_sealed(reader)
            there = {head.name for head in heads(reader)}
    except (StoreUnavailable, VerificationFailed) as error:
        raise LedgerUnavailable(f"the store's shards cannot be read: {error}") from error
    return there, {each.name for each in shut}, [each for each in shut if each.named_in is None]


def is_sealed(store: Store, name: str) -> bool:
    with store.engine.connect() as connection:
        return connection.execute(select(sealed.c.at).where(sealed.c.name == name)).first() is not None


def gap_entry(gap: Sealed, origin: str, named_in: str, at: datetime.datetime) -> tuple[bytes, int, Guarded]:
    """The entry that names a gap: its contents, its time in microseconds, and the change with it.

    That fails where the store has no such gap: another stands there by now.
    """
    told = entries.Gap(
        entries.VERSION,
        str(uuid.uuid4()),
        at,
        entries.OWN,
        f"{origin}/{gap.name}",
        gap.size,
        gap.root,
        gap.remembered,
        gap.by,
        reason="the store was set back, or replaced",
    )
    noted = update(sealed).where(sealed.c.name == gap.name).values(named_in=named_in)
    return entries.encode(told), micros(at), Guarded(noted)


def gap_receipts(reader: Reader, *, public: bool) -> list[str]:
    """A receipt for each entry in the store that names a gap; `public`: in the published tree, where it is in it."""
    shut = all_sealed(reader)
    naming = {each.named_in for each in shut}
    found = []
    for head in heads(reader):
        if head.name not in naming:
            continue
        if public and (seen := read_published(reader, head.name)) is not None:
            head = head._replace(size=seen.size, checkpoint=seen.checkpoint)
        tree = StoredTree(reader, head.id, head.size)
        for entry in read_entries(reader, head.id, 0, min(len(shut), head.size)):  # they are a shard's first
            if entry.told is None or entry.oversight is None:
                continue  # what cannot be opened any more explains nothing
            text = receipt(tree, head, entry).text
            if isinstance(unverified(text).told, entries.Gap):
                found.append(text)
    return found
