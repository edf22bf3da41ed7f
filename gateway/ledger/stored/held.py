"""A shard's entries read in order, and checked: each against its leaf, and the leaves against the signed head.

So nothing that is made of what comes from here lacks an entry, or has one that was altered. Read only.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.errors import VerificationFailed
from gateway.ledger.proof.leaf import Opening, oversight_digest
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.stored import read
from gateway.ledger.stored.read import Head, StoredEntry, StoredTree
from gateway.storage.port import Reader

_CHUNK = 4096


def entries(
    reader: Reader, head: Head, first: int = 0, *, last: int | None = None, renew: bool = False
) -> Iterator[StoredEntry]:
    """A shard's entries from index `first` up to `last`, or as far as `head` goes; proven once all were taken.

    Of what stands before `first`, or from `last` on, no payload is read, and its hashes are proven with the rest. With
    `renew` the reader takes a new snapshot from time to time, so that long reading keeps the store from nothing. Raises
    `VerificationFailed` where an entry is missing, does not open or was altered.
    """
    tree = Tree(first, StoredTree(reader, head.id, first).peaks())
    end = head.size if last is None else min(max(first, last), head.size)
    while tree.size < end:
        count = min(_CHUNK, end - tree.size)
        hashes: list[bytes] = []
        for entry in read.read_entries(reader, head.id, tree.size, count):
            if entry.index != tree.size + len(hashes):
                break
            hashes.append(leaf_hash(entry.leaf))
            if (
                entry.told is not None
                and entry.oversight is not None
                and Opening(entry.told, oversight_digest(entry.oversight)).leaf != entry.leaf
            ):
                raise altered(head, f"entry {entry.index} is not what its leaf commits to")
            yield entry
        tree = tree.grow(hashes).tree
        if len(hashes) < count:
            break
        if renew:
            reader.renew()
    while end <= tree.size < head.size:
        leaves = StoredTree(reader, head.id, head.size).leaves(tree.size, min(tree.size + _CHUNK, head.size))
        tree = tree.grow([leaf_hash(leaf) for leaf in leaves]).tree
    if (tree.size, tree.root) != (head.size, head.root):
        raise altered(head, "its entries do not give its head: one was removed, altered or replaced")


def altered(head: Head, why: str) -> VerificationFailed:
    """The message about a shard that is not as it was signed."""
    return VerificationFailed(f"shard `{head.name}`: {why}: run `dutybound ledger verify`")
