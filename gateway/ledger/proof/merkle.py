"""The Merkle tree of RFC 9162 section 2.1 (SHA-256), growing on the right. Pure.

A leaf is hashed as SHA-256(0x00 || leaf), a node as SHA-256(0x01 || left || right); the empty tree is SHA-256().

A `Tree` is a value: `grow` gives a new one and leaves the old as it was, so a commit that fails needs no undoing. It
holds the peaks only (one hash a level at most); everything else comes from whoever stored the leaves, through a
`Node` function that gives the hash of the complete subtree over leaves `position << level` to
`(position + 1) << level`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

_sha256 = hashlib.sha256
_T = TypeVar("_T")

Node = Callable[[int, int], bytes]
"""(level, position) -> the hash of that complete subtree; level 0 are leaf hashes."""

EMPTY_ROOT = _sha256(b"").digest()
HASH_SIZE = 32


def leaf_hash(leaf: bytes) -> bytes:
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree by its size and its peaks: `peaks[level]` is the complete subtree of that bit of `size`, or None.

    `partials[level]` is the hash over the leaves right of the last complete subtree of that level, where `size` has a
    lower bit set, and the empty root elsewhere; the last is the root.
    """

    __slots__ = ("partials", "peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes | None] = ()) -> None:
        self.size, self.peaks = size, tuple(peaks)
        self.partials = partials = [EMPTY_ROOT]
        sha, rest = _sha256, EMPTY_ROOT
        for peak in peaks:
            if peak is not None:
                rest = peak if rest is EMPTY_ROOT else sha(b"\x01" + peak + rest).digest()
            partials.append(rest)

    @property
    def root(self) -> bytes:
        return self.partials[-1]

    def grow(self, leaf_hashes: Sequence[bytes]) -> Growth:
        """This tree with more leaves, and every node that became complete on the way."""
        sha, peaks = _sha256, list(self.peaks)
        start, row, level = self.size, list(leaf_hashes), 0
        rows: list[tuple[int, list[bytes]]] = []
        while row:
            if level == len(peaks):
                peaks.append(None)
            if start & 1:
                left = peaks[level]
                assert left is not None, "a set bit of the size has a peak"
                row.insert(0, left)
                start -= 1
            rows.append((start, row))
            peaks[level] = row[-1] if len(row) & 1 else None
            row = [sha(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]
            start >>= 1
            level += 1
        return Growth(self, Tree(self.size + len(leaf_hashes), peaks), rows)


class Growth(NamedTuple):
    """What `grow` made. `rows[level]` is (position of the first hash, consecutive complete nodes of that level)."""

    before: Tree
    tree: Tree
    rows: list[tuple[int, list[bytes]]]

    def complete(self, level: int) -> list[tuple[int, bytes]]:
        """The nodes of a level that are complete now and were not before, with their positions."""
        if level >= len(self.rows):
            return []
        start, row = self.rows[level]
        return [(start + at, node) for at, node in enumerate(row) if start + at >= self.before.size >> level]

    def fold(self, empty: _T, add: Callable[[_T, bytes], _T]) -> list[_T]:
        """The inclusion path in the new tree of each new leaf, in order, built from the root's child down.

        `add(above, sibling)` gives the path that has `sibling` before `above`. Leaves share what they share of a
        path, so a group costs about two calls a leaf whatever the tree's size.
        """
        old, size = self.before.size, self.tree.size
        if size == old:
            return []
        partials, peaks = self.tree.partials, self.tree.peaks
        top, path = (size - 1).bit_length(), empty
        if size == old + 1:  # what stood before is to its left, and nothing to its right
            for peak in reversed(self.before.peaks):
                if peak is not None:
                    path = add(path, peak)
            return [path]
        while top and old >> top - 1 == size - 1 >> top - 1:  # all of them are below one node
            top -= 1
            if old >> top & 1:
                left = self.rows[top][1][0] if top < len(self.rows) else peaks[top]
                assert left is not None, "the left sibling of an unfinished subtree is a peak"
                path = add(path, left)
        above_start, above = old >> top, [path]
        for level in range(top - 1, -1, -1):
            start, row = self.rows[level] if level < len(self.rows) else (0, [])
            complete = size >> level
            paths = []
            for position in range(old >> level, (size - 1 >> level) + 1):
                path = above[(position >> 1) - above_start]
                sibling = position ^ 1
                if sibling < complete:
                    node = row[sibling - start] if row else peaks[level]
                    assert node is not None, "the left sibling of an unfinished subtree is a peak"
                    path = add(path, node)
                elif sibling == complete and size & ((1 << level) - 1):
                    path = add(path, partials[level])
                paths.append(path)
            above_start, above = old >> level, paths
        return above


def subtree(node: Node, first: int, last: int) -> bytes:
    """MTH(D[first:last]), from complete subtrees; `first` is a multiple of the least power of two >= `last - first`."""
    width = last - first
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, first >> level)
    split = 1 << ((width - 1).bit_length() - 1)
    return node_hash(subtree(node, first, first + split), subtree(node, first + split, last))


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 2.1.3.1, from the leaf's sibling up."""
    path: list[bytes] = []
    first, last = 0, size
    while last - first > 1:
        split = first + (1 << ((last - first - 1).bit_length() - 1))
        if index < split:
            path.append(subtree(node, split, last))
            last = split
        else:
            path.append(subtree(node, first, split))
            first = split
    path.reverse()
    return path


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 9162 2.1.4.1; empty where `old` is 0 or equals `new`."""
    if old in (0, new):
        return []
    path: list[bytes] = []
    first, last, whole = 0, new, True
    while old != last:
        split = first + (1 << ((last - first - 1).bit_length() - 1))
        if old <= split:
            path.append(subtree(node, split, last))
            last = split
        else:
            path.append(subtree(node, first, split))
            first, whole = split, False
    if not whole:
        path.append(subtree(node, first, last))
    path.reverse()
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 2.1.3.2; `leaf` is the leaf's hash."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 2.1.4.2, and the trivial cases: from the empty tree, and to the same size."""
    if not 0 <= old <= new:
        return False
    if old == new or old == 0:
        return not path and (old_root == new_root if old == new else old_root == EMPTY_ROOT)
    nodes = list(path) if old & (old - 1) else [old_root, *path]
    if not nodes:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    older = newer = nodes[0]
    for sibling in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            newer = node_hash(newer, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and older == old_root and newer == new_root
