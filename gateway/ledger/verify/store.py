"""A store checked from the bytes up: every leaf, payload, hash, head and signature, for auditors and operators.

Nothing stored is believed: leaves are made again from the opened payloads, the tree from the leaves, tiles and head
from the tree, and the signature is checked with a key that came another way. Everything else that is stored beside is
checked against what the leaves commit to: times, periods, the index by requester. The first broken thing is named.

What does not open any more has to be explained, and rows made of entries, or in their transactions, have to be what
they say (`beside`).

Where there is a registry (the root shard), a shard counts only with a key that it has there, and each that it has there
is in the store.

A store in use may be checked: what is being appended meanwhile is left for the next time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.errors import StoreUnavailable, VerificationFailed
from gateway.ledger.entry.registry import ROOT, Registry, read_document
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.log import registrar
from gateway.ledger.projections.projector import Seen, seen_of
from gateway.ledger.proof import leaf
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Checkpoint, Verifier, log_key, open_note, parse_checkpoint
from gateway.ledger.stored import read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import TILE_BITS, Head, StoredEntry, StoredTree
from gateway.ledger.verify.beside import Beside
from gateway.ledger.verify.published.assurance import read_checkpoint
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros

BATCH = 1024

Progress = Callable[[str, int, int], None]
"""Told after each batch: the shard's name, entries checked, entries in all."""


class Verified(NamedTuple):
    """A shard that is whole."""

    origin: str
    size: int
    root: bytes


def verify_store(
    store: Store,
    verifiers: Sequence[Verifier],
    progress: Progress | None = None,
    *,
    rows: bool = True,
    unknown: Tally | None = None,
) -> list[Verified]:
    """Check every shard of a store, and all beside them; raises `VerificationFailed` for the first broken thing.

    Without `rows`, those that are made with entries (`beside`) are not looked at. Entries of kinds that are not known
    here are counted in `unknown`.
    """
    reader = store.reader()
    try:
        found = read.heads(reader)
        if not found:
            raise VerificationFailed("the store holds no shard: nothing was ever entered, or it was removed")
        told = progress or _silent
        registry = _registry(reader, verifiers)
        beside = Beside(reader, unknown, rows=rows)
        if registry is not None:
            found.sort(key=lambda head: head.origin != registry.root)
            _check_there(registry, found)
        else:
            _check_unregistered(verifiers, found)
        trusted = registry.verifiers if registry is not None else verifiers
        whole = [_shard(reader, head, trusted, told, beside, registry) for head in found]
        beside.check(reader, {head.id: head.size for head in found})
        return whole
    except (StoreUnavailable, TypeError, ValueError) as error:
        raise VerificationFailed(f"the store cannot be read ({error}); it was damaged") from error
    finally:
        reader.close()


def stored_registry(store: Store, verifiers: Sequence[Verifier]) -> Registry | None:
    """The registry of a store, from the keys that are trusted; raises `VerificationFailed` where it cannot be read."""
    with contextlib.closing(store.reader()) as reader:
        try:
            return _registry(reader, verifiers)
        except (StoreUnavailable, TypeError, ValueError) as error:
            raise VerificationFailed(f"the store cannot be read ({error}); it was damaged") from error


def _silent(shard: str, done: int, of: int) -> None:
    """No progress told."""


def _registry(reader: Reader, verifiers: Sequence[Verifier]) -> Registry | None:
    """The registry that the store holds, from the keys that are trusted; None where it holds none."""
    content = registrar.stored_document(reader)
    return read_document(content, verifiers) if content is not None else None


def _check_there(registry: Registry, found: Sequence[Head]) -> None:
    """Every shard that is registered is in the store; raises `VerificationFailed` that names one that is not."""
    there = {head.origin: head.size for head in found}
    for origin, listed in registry.shards.items():
        size, least = there.get(origin), listed.keys[-1][0]
        if size is None and listed.sealed != 0:
            raise VerificationFailed(
                f"shard `{origin.rpartition('/')[2]}`: it is registered as `{origin}`, and the store has nothing of it:"
                " the whole shard was removed"
            )
        if size is not None and listed.sealed is None and size < least:
            raise VerificationFailed(
                f"shard `{origin.rpartition('/')[2]}`: it has {size} entries, and is registered from {least} on: it was"
                " cut short"
            )


def _check_unregistered(verifiers: Sequence[Verifier], found: Sequence[Head]) -> None:
    """Whoever was given a root shard's key was given it for a store that has one."""
    ledgers = {head.origin.rpartition("/")[0] for head in found}
    for key in verifiers:
        ledger, _, name = key.name.rpartition("/")
        if name == ROOT and ledger in ledgers:
            raise VerificationFailed(
                f"shard `{ROOT}`: `{key.name}` has a key, and the store has no registry: it was removed, or no gateway"
                " that makes one was ever started on this store"
            )


def _shard(
    reader: Reader,
    head: Head,
    verifiers: Sequence[Verifier],
    progress: Progress,
    beside: Beside,
    registry: Registry | None,
) -> Verified:
    where = f"shard `{head.name}`"
    try:
        key = _check_head(head, verifiers)
        if registry is not None and (head.size or head.origin in registry.shards):
            registry.check_signed(Checkpoint(head.origin, head.size, head.root), key)
        tree, floor = Tree(), 0
        while tree.size < head.size:
            count = min(BATCH, head.size - tree.size)
            batch = list(read.read_entries(reader, head.id, tree.size, count))
            known = read.subject_keys(reader, {key for entry in batch for key in entry.keys})
            hashes, seen = [], []
            for expected, entry in enumerate(batch, tree.size):
                if entry.index != expected:
                    raise VerificationFailed(f"entry {expected} is missing")
                seen.append(_check_entry(reader, entry, floor, beside, known))
                floor = seen[-1].at
                hashes.append(leaf_hash(entry.leaf))
            beside.batch(reader, head, seen)
            if len(batch) != count:
                raise VerificationFailed(f"entry {tree.size + len(batch)} is missing")
            growth = tree.grow(hashes)
            for level in range(TILE_BITS, len(growth.rows), TILE_BITS):
                _check_subtrees(reader, head, level // TILE_BITS, growth.complete(level))
            tree = growth.tree
            progress(head.name, tree.size, head.size)
            reader.renew()
        if tree.root != head.root:
            raise VerificationFailed("the entries do not give the root of its head: an entry was altered or replaced")
        if floor != head.floor:
            raise VerificationFailed("the time of its head is not the highest time of its entries")
        _check_rest(reader, head)
        _check_published(reader, head, verifiers)
    except VerificationFailed as error:
        raise VerificationFailed(f"{where}: {error}") from error
    return Verified(head.origin, head.size, head.root)


def _check_published(reader: Reader, head: Head, verifiers: Sequence[Verifier]) -> None:
    """What is published of it is signed, and of the same tree; what is newer than the head waits for the next time."""
    for _, size, note in reader.rows(sql.PUBLISHED, head.name):
        public = read_checkpoint(note, verifiers, "its publication", head.name)
        if (public.origin, public.size) != (head.origin, size):
            raise VerificationFailed(f"what is published of it ({size} entries) is not what that signs ({public.size})")
        if size <= head.size and Tree(size, StoredTree(reader, head.id, size).peaks()).root != public.root:
            raise VerificationFailed(f"what is published of it, at {size} entries, is another tree")


def _check_head(head: Head, verifiers: Sequence[Verifier]) -> Verifier:
    try:
        text, signers = open_note(head.checkpoint, verifiers)
        checkpoint = parse_checkpoint(text)
    except ValueError as error:
        raise VerificationFailed(f"its checkpoint does not verify: {error}") from error
    key = log_key(signers, head.origin)
    if checkpoint.origin != head.origin or key is None:
        raise VerificationFailed(f"its checkpoint is of `{checkpoint.origin}`, not of `{head.origin}`")
    if head.origin.rpartition("/")[2] != head.name:
        raise VerificationFailed(f"its origin `{head.origin}` does not end with its name")
    if (checkpoint.size, checkpoint.root) != (head.size, head.root):
        raise VerificationFailed(f"its head ({head.size} entries) is not what its checkpoint signs ({checkpoint.size})")
    if head.verifier not in [str(signer) for signer in signers]:
        raise VerificationFailed("the key that it names did not sign its checkpoint")
    return key


def _check_entry(
    reader: Reader, entry: StoredEntry, floor: int, beside: Beside, known: dict[int, read.SubjectKey]
) -> Seen:
    """Check one entry and what stands beside it; gives it as it was read."""
    where = f"entry {entry.index}"
    if entry.told is None or entry.oversight is None:
        raise VerificationFailed(f"{where}: the key that opens it is gone, and no entry explains why")
    if leaf.Opening(entry.told, leaf.oversight_digest(entry.oversight)).leaf != entry.leaf:
        raise VerificationFailed(f"{where}: its payload is not what its leaf commits to")
    try:
        told, seen = entry.read_told(), entry.read_oversight()
    except ValueError as error:
        raise VerificationFailed(f"{where}: {error}") from error
    if seen.keys and seen.keys != leaf.keys_digest(entry.oversight.general.salt, entry.keys):
        raise VerificationFailed(f"{where}: the keys of what it says of its subjects were changed for others")
    beside.note(entry, told, seen, known)
    floor = max(floor, micros(told.at))
    if micros(entry.at) != floor:
        raise VerificationFailed(f"{where}: its time was altered")
    if entry.period != entry.at.date().isoformat():
        raise VerificationFailed(f"{where}: its key is of another day ({entry.period})")
    indexed = (told.requester.issuer, told.requester.client, floor, (entry.shard << SHARD_BITS) + entry.index)
    if not reader.rows(sql.INDEXED, *indexed):
        raise VerificationFailed(f"{where}: it is missing from the index of its requester")
    return seen_of(entry, floor, told, seen)


def _check_subtrees(reader: Reader, head: Head, level: int, made: list[tuple[int, bytes]]) -> None:
    if not made:
        return
    stored = reader.rows(sql.SUBTREES, head.id, level, made[0][0], made[-1][0] + 1)
    if stored != made:
        broken = next((new for new, old in zip(made, [*stored, None], strict=False) if new != old), made[-1])
        raise VerificationFailed(f"hash {broken[0]} of level {level} of its tiles is not that of its entries")


def _check_rest(reader: Reader, head: Head) -> None:
    """Nothing is stored beyond the head: looked at in one snapshot, with the head of that moment."""
    reader.renew()
    now = next((other for other in read.heads(reader) if other.id == head.id), None)
    if now is None or now.size < head.size:
        raise VerificationFailed("its head was taken back while it was being checked")
    base = head.id << SHARD_BITS
    ((count, last),) = reader.rows(sql.ENTRY_COUNT, base, base + (1 << SHARD_BITS))
    if count != now.size:
        beyond = f", the last at index {last - base}" if last is not None else ""
        raise VerificationFailed(f"it holds {count} entries{beyond}; its head says {now.size}")
    ((indexed,),) = reader.rows(sql.INDEX_COUNT, base, base + (1 << SHARD_BITS))
    if indexed != now.size:
        raise VerificationFailed(f"the index of requesters holds {indexed} of its {now.size} entries")
    stored = dict(reader.rows(sql.SUBTREE_COUNT, head.id))
    expected = {level: now.size >> level * TILE_BITS for level in range(1, 8) if now.size >> level * TILE_BITS}
    if stored != expected:
        raise VerificationFailed("its tiles hold hashes that its entries do not give")
