"""What an archive has of a shard, checked against the store: the same entries, and before rows go the same bytes.

The log alone does not say whose payloads those are, and another ledger may have the same name: a copy that was tried,
or one that was begun anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.errors import VerificationFailed
from gateway.ledger.archiving.write import Progress, Written, archived_row
from gateway.ledger.stored import archived
from gateway.ledger.stored.read import Head
from gateway.nouns import counted
from gateway.storage.archive import form
from gateway.storage.archive.files import Archive
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS


def check_all(archive: Archive, reader: Reader, head: Head, written: Written, progress: Progress) -> None:
    """Raise `VerificationFailed` where what is archived of a shard is not of this store's entries.

    An entry whose row is gone is checked against what the store noted when it went.
    """
    size = written.manifest.entries
    if size > head.size:
        raise _other(archive, head, f"{counted(size, 'entry')}, where the store has {head.size},")
    for first in range(0, size, form.WIDTH):
        reader.renew()
        check(archive, reader, head, written.digest, first, min(first + form.WIDTH, size))
        progress(head.name, min(first + form.WIDTH, size), size)


def check(
    archive: Archive, reader: Reader, head: Head, digest: bytes, first: int, last: int, *, exact: bool = False
) -> None:
    """The same for the entries from an index up to another; `exact`: their payloads too, however they are sealed."""
    base = head.id << SHARD_BITS
    rows = archived.rows(reader, base + first, base + last)
    there = archive.rows(head.name, digest, range(first, last))
    for row in rows:
        wanted, found = _plain(archived_row(row)), _plain(there.get(row[0] - base, ()))
        pruned = wanted[3] == b""
        sealed_anew = not exact and found[2:3] != wanted[2:3]  # by a pruning, since it was archived
        same = found[:2] == wanted[:2] if pruned or sealed_anew else found == wanted
        if not same:
            raise _other(archive, head, f"another entry {row[0] - base}")


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)


def _other(archive: Archive, head: Head, what: str) -> VerificationFailed:
    return VerificationFailed(
        f"the archive `{archive.place.name}` has {what} of shard `{head.name}`: it is another ledger's, or was altered,"
        " or the store was restored from before. Nothing was changed; keep that place as it is, and name another one"
        " with `ledger.archive` or `--to PLACE`"
    )
