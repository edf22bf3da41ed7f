"""The heads of a store's shards: which there have to be, and whether each is signed and published as it stands.

Where there is a registry (the root shard), a shard counts only with a key that it has there, and each that it has there
is in the store.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.errors import ArchiveUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry.registry import ROOT, Registry, read_document
from gateway.ledger.log import registrar
from gateway.ledger.proof.merkle import Tree
from gateway.ledger.proof.note import Checkpoint, Verifier, log_key, open_note, parse_checkpoint
from gateway.ledger.stored import read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import Head, StoredTree
from gateway.ledger.verify.published.assurance import read_checkpoint
from gateway.nouns import counted
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS

_OTHER_TYPE = (TypeError, OverflowError)
_SAID = "a value in it is of another type or size than its column"

Progress = Callable[[str, int, int], None]
"""Told after each batch: the shard's name, entries checked, entries in all."""


class Trusted(NamedTuple):
    """The keys that sign shards, and the registry that they come from, where there is one."""

    verifiers: Sequence[Verifier]
    registry: Registry | None


class Verified(NamedTuple):
    """A shard that is whole."""

    origin: str
    size: int
    root: bytes


@contextlib.contextmanager
def reading(store: Store) -> Iterator[Reader]:
    """A reader of a store that is checked; whatever cannot be read is a `VerificationFailed`.

    An archive that cannot be read is no damage: then it is `ArchiveUnavailable`.
    """
    with contextlib.closing(store.reader()) as reader:
        try:
            yield reader
        except ArchiveUnavailable:
            raise
        except (StoreUnavailable, ValueError) as error:
            raise VerificationFailed(f"the store cannot be read ({error}); it was damaged") from error
        except _OTHER_TYPE as error:
            raise VerificationFailed(f"the store cannot be read ({_SAID}); it was damaged") from error


@contextlib.contextmanager
def checking(head: Head) -> Iterator[None]:
    """What is broken is named with its shard; raises `VerificationFailed`."""
    try:
        yield
    except VerificationFailed as error:
        raise VerificationFailed(f"shard `{head.name}`: {error}") from error
    except _OTHER_TYPE as error:
        raise VerificationFailed(f"shard `{head.name}`: {_SAID}; it was altered") from error


def standing(reader: Reader, verifiers: Sequence[Verifier]) -> tuple[list[Head], Trusted]:
    """The heads of all shards, the registry's first, and whose signatures count; raises `VerificationFailed`."""
    found = read.heads(reader)
    if not found:
        raise VerificationFailed("the store holds no shard: nothing was ever entered, or it was removed")
    registry = _registry(reader, verifiers)
    if registry is None:
        if not reader.locked:
            _check_unregistered(verifiers, found)
        return found, Trusted(verifiers, None)
    found.sort(key=lambda head: head.origin != registry.root)
    _check_there(registry, found)
    return found, Trusted(registry.verifiers, registry)


def stored_registry(store: Store, verifiers: Sequence[Verifier]) -> Registry | None:
    """The registry of a store, from the keys that are trusted; raises `VerificationFailed` where it cannot be read."""
    with reading(store) as reader:
        return _registry(reader, verifiers)


def silent(shard: str, done: int, of: int) -> None:
    """No progress reported."""


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
                f"shard `{origin.rpartition('/')[2]}`: it has {counted(size, 'entry')}, and is registered from"
                f" {least} on: it was"
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


def check_signed(head: Head, trusted: Trusted) -> None:
    """A head is what its checkpoint signs, by a key that counts; raises `VerificationFailed`.

    A shard that a process has just opened is registered a moment later, and takes no entry before that: until then
    there is nothing of it that a signature could vouch for.
    """
    registry = trusted.registry
    if registry is None:
        _check_head(head, trusted.verifiers)
    elif head.size or head.origin in registry.shards:
        key = _check_head(head, trusted.verifiers)
        registry.check_signed(Checkpoint(head.origin, head.size, head.root), key)


def check_end(reader: Reader, head: Head) -> None:
    """A head has the time of its last entry, and no entry stands behind the head of this moment."""
    if head.size and read.time_of(reader, head, head.size - 1) != head.floor:
        raise VerificationFailed("the time of its head is not the highest time of its entries")
    now = standing_now(reader, head)
    base = head.id << SHARD_BITS
    ((count, last),) = reader.rows(sql.ENTRY_COUNT, base + now.size, base + (1 << SHARD_BITS))
    if count:
        raise VerificationFailed(
            f"it holds {counted(count, 'entry')} behind its head, the last at index {last - base}; its head has"
            f" {now.size}"
        )


def standing_now(reader: Reader, head: Head) -> Head:
    """The head as it is in a new snapshot; raises `VerificationFailed` where it was taken back."""
    reader.renew()
    now = next((other for other in read.heads(reader) if other.id == head.id), None)
    if now is None or now.size < head.size:
        raise VerificationFailed("its head was taken back while it was being checked")
    return now


def check_no_others(reader: Reader) -> None:
    """No entry stands under a number that no shard of this moment has; raises `VerificationFailed`."""
    reader.renew()
    shards = [head.id for head in read.heads(reader)]
    found = [*reader.rows(sql.ENTRY_ENDS)[0]]
    for before, after in itertools.pairwise(shards):
        if after > before + 1:
            found.append(reader.rows(sql.ENTRY_COUNT, (before + 1) << SHARD_BITS, after << SHARD_BITS)[0][1])
    others = {id_ >> SHARD_BITS for id_ in found if id_ is not None}.difference(shards)
    if others:
        raise VerificationFailed(
            f"the store holds entries under the number {min(others)}, which is of no shard: they were added, or the"
            " shard's row was removed"
        )


def check_published(reader: Reader, head: Head, trusted: Trusted) -> None:
    """What is published of it is signed, and of the same tree; what is newer than the head waits for the next time."""
    verifiers = _since(reader, head, trusted)
    for _, size, note in reader.rows(sql.PUBLISHED, head.name):
        public = read_checkpoint(note, verifiers, "its publication", head.name)
        if (public.origin, public.size) != (head.origin, size):
            raise VerificationFailed(
                f"what is published of it ({counted(size, 'entry')}) is not what that signs ({public.size})"
            )
        if size <= head.size and Tree(size, StoredTree(reader, head.id, size).peaks()).root != public.root:
            raise VerificationFailed(f"what is published of it, at {counted(size, 'entry')}, is another tree")


def _since(reader: Reader, head: Head, trusted: Trusted) -> Sequence[Verifier]:
    """Whose signatures count, also of a shard that was registered, and published, since the check began."""
    registry = trusted.registry
    if registry is None or head.origin in registry.shards:
        return trusted.verifiers
    now = _registry(reader, trusted.verifiers)
    return trusted.verifiers if now is None else now.verifiers


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
        raise VerificationFailed(
            f"its head ({counted(head.size, 'entry')}) is not what its checkpoint signs ({checkpoint.size})"
        )
    if head.verifier not in [str(signer) for signer in signers]:
        raise VerificationFailed("the key that it names did not sign its checkpoint")
    return key
