"""A large ledger, built in a minute instead of half an hour: rows written by SQL, without `Ledger.append`.

What appending meets is as it would be: the tree's hashes, the signed head, every index, keys by day, requesters and
subjects. What nobody opens here is not: the payloads are random bytes, shorter than real ones (`PAYLOAD`), and all
leaves are the same 32 bytes. So a level of the tree has one hash, and its root is true and cheap; the ledger that takes
the shard over checks it. With payloads of real length, ten million entries would need over 40 GB; the B-tree of the
entries is as deep with the short ones.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from gateway.ledger.proof.merkle import Tree, leaf_hash, node_hash
from gateway.ledger.proof.note import Signer
from gateway.ledger.stored.read import TILE_BITS
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.store import open_file
from gateway.storage.tables import SHARD_BITS, moment, period_key, requester, shard, subtree
from tests.bench import inquiries
from tests.bench.processes import BenchError

SHARD = "1"
TOLD, OVERSIGHT, SUBJECT = 60, 40, 100
PAYLOAD = TOLD + OVERSIGHT + SUBJECT
"""Bytes of an entry's sealed parts: the general ones, and the one subject's."""

DAYS = 300
"""Over how many days before today the entries are spread."""

LEAF = bytes(32)

_ID = 1
_BYTES = 420
"""What an entry takes on the disk, with its index, its share of the subjects, and a margin."""

_STEP = 500_000  # rows per statement; an interrupt is heard between two
_DAY = 86_400_000_000

_ENTRIES = f"""
    WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)
    INSERT INTO entry (id, at, leaf, period, told, oversight, subjects)
    SELECT :base + i, :begin + i * :gap, :leaf, 1 + i * :gap / {_DAY},
           randomblob({TOLD}), randomblob({OVERSIGHT}), randomblob({SUBJECT})
    FROM n"""

_REQUESTERS = """
    WITH RECURSIVE n(i) AS (SELECT :whose - 1 UNION ALL SELECT i + :step FROM n WHERE i + :step < :last)
    INSERT INTO entry_requester (requester, at, entry)
    SELECT :whose, :begin + i * :gap, :base + i FROM n"""

_SUBJECTS = f"""
    WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)
    INSERT INTO subject_key (id, shard, scheme, value, secret)
    SELECT random() & {2**63 - 1}, :shard, '{inquiries.SCHEME}',
           printf('{inquiries.IDENTIFIER}%0{inquiries.DIGITS}d', i), randomblob(32)
    FROM n"""


def check_room(folder: Path, entries: int) -> None:
    """Raise `BenchError` where the disk has too little room for so many entries."""
    free, needed = shutil.disk_usage(folder).free, entries * _BYTES
    if free < needed:
        raise BenchError(
            f"a ledger of {entries:,} entries needs {needed / 1e9:.1f} GB, and `{folder}` has {free / 1e9:.1f} GB free;"
            " make room, or measure the other parts with ONLY=journey,steps,tokens"
        )


def subjects(entries: int) -> int:
    """How many subjects the entries are about: each has a key."""
    return entries // 10


def build(
    path: Path, private: Ed25519PrivateKey, origin: str, entries: int, say: Callable[[str], None] = lambda _: None
) -> SqliteStore:
    """A new store with one shard of so many entries, of `inquiries.REQUESTERS` requesters in turn.

    `entries` is at least the number of requesters. `say` is told how far it is. Raises `BenchError` where the disk has
    too little room.
    """
    check_room(path.parent, entries)
    begin = (time.time_ns() // 1000 // _DAY - DAYS) * _DAY
    gap = DAYS * _DAY // entries
    store = open_file(path)
    try:
        _head(store, private, origin, entries, begin + (entries - 1) * gap)
        _keys(store, begin)
    finally:
        store.close()
    _rows(path, entries, begin, gap, say)
    return open_file(path)


def _head(store: SqliteStore, private: Ed25519PrivateKey, origin: str, size: int, floor: int) -> None:
    """The shard with its signed head, and the hashes of its full tiles."""
    levels = [leaf_hash(LEAF)]
    while len(levels) < size.bit_length():
        levels.append(node_hash(levels[-1], levels[-1]))
    tree = Tree(size, [hash_ if size >> level & 1 else None for level, hash_ in enumerate(levels)])
    signer = Signer(f"{origin}/{SHARD}", private)
    tiles = [
        (_ID, level // TILE_BITS, position, levels[level])
        for level in range(TILE_BITS, len(levels), TILE_BITS)
        for position in range(size >> level)
    ]
    with store.engine.begin() as connection:
        connection.execute(
            insert(shard).values(
                id=_ID,
                name=SHARD,
                origin=signer.verifier.name,
                verifier=str(signer.verifier),
                epoch=0,
                size=size,
                root=tree.root,
                floor=floor,
                checkpoint=signer.checkpoint(size, tree.root),
            )
        )
        if tiles:
            connection.execute(insert(subtree), [dict(zip(subtree.c.keys(), tile, strict=True)) for tile in tiles])


def _keys(store: SqliteStore, begin: int) -> None:
    """The days' keys and the requesters."""
    days = [moment(begin + day * _DAY).date().isoformat() for day in range(DAYS)]
    with store.engine.begin() as connection:
        connection.execute(
            insert(period_key),
            [{"id": id_, "shard": _ID, "period": day, "secret": os.urandom(32)} for id_, day in enumerate(days, 1)],
        )
        connection.execute(
            insert(requester),
            [
                {"id": number + 1, "issuer": inquiries.ISSUER, "client": inquiries.client(number)}
                for number in range(inquiries.REQUESTERS)
            ],
        )


def _rows(path: Path, entries: int, begin: int, gap: int, say: Callable[[str], None]) -> None:
    """What there is most of, by a connection of its own that keeps no journal; on the disk at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -200000"):
            connection.execute(f"PRAGMA {pragma}")
        values = {"base": _ID << SHARD_BITS, "begin": begin, "gap": gap, "leaf": LEAF}
        for first in range(0, entries, _STEP):
            last = min(first + _STEP, entries)
            connection.execute(_ENTRIES, {**values, "first": first, "last": last})
            say(f"building the large ledger: {last:,} of {entries:,} entries")
        for first in range(0, subjects(entries), _STEP):
            last = min(first + _STEP, subjects(entries))
            connection.execute(_SUBJECTS, {"first": first, "last": last, "shard": _ID})
        step = inquiries.REQUESTERS
        for whose in range(1, step + 1):
            connection.execute(_REQUESTERS, {**values, "whose": whose, "step": step, "last": entries})
    finally:
        connection.close()
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
