"""A shard's first entries, and its log, written into an archive, and read back before anybody relies on it.

Files are written before what names them: payloads and tiles, then the checkpoint, then the manifest. So whoever reads
an archive finds the one before or this one. A payload file is named by what is in it, so what is written anew harms
nothing that is read; what it replaces goes once the store has noted the new manifest. What an earlier archiving wrote
is gone on from.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.proof.note import note_body, parse_checkpoint
from gateway.ledger.stored import archived
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH, Head, StoredTree
from gateway.storage.archive import form
from gateway.storage.archive.files import Archive
from gateway.storage.archive.form import Manifest
from gateway.storage.archive.places import Place
from gateway.storage.archive.tile_names import tile_file
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS

AT_ONCE = 8
"""Files that are written at the same time."""
_LENGTH = (32).to_bytes(2, "big")

Progress = Callable[[str, int, int], None]


class Written(NamedTuple):
    """What an archive has of a shard: a manifest, by its digest."""

    manifest: Manifest
    digest: bytes


def latest(place: Place, shard: str) -> Written | None:
    """What is archived of a shard; None where nothing is. Raises `VerificationFailed`."""
    name = f"{shard}/{form.LATEST}"
    content = place.get(name)
    return None if content is None else Written(form.decode_manifest(content, name), form.digest(content))


def write(
    place: Place,
    reader: Reader,
    head: Head,
    entries: int,
    at: datetime.datetime,
    progress: Progress,
    *,
    anew: bool = False,
) -> Written:
    """Archive a shard's first `entries` entries and its log; what was written is read back and compared.

    `at` is the time to note; with `anew` every payload file is written again. Of what was pruned nothing is written but
    time and leaf. Raises `StoreUnavailable`, and `VerificationFailed` where the place holds something else
    of that name, or gives back something else than was put there.
    """
    known = latest(place, head.name)
    before = known.manifest if known is not None else None
    if before is not None and before.origin != head.origin:
        raise VerificationFailed(
            f"the archive `{place.name}` has a shard `{head.name}` of `{before.origin}`: name another place"
        )
    kept, hashes = 0, b""
    if before is not None:
        kept = 0 if anew else before.entries // form.WIDTH  # full files
        old = place.get(f"{head.name}/hashes/{before.hashes}") or b""
        if form.digest(old).hex() != before.hashes:
            raise VerificationFailed(f"the archive `{place.name}` was altered: `{head.name}/hashes/{before.hashes}`")
        hashes = old[: kept * len(form.digest(b""))]
    since = parse_checkpoint(note_body(before.checkpoint)).size if before is not None else 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for digest in pool.map(
            lambda content: _put_payload(place, head.name, content), _payloads(reader, head, kept, entries, progress)
        ):
            hashes += digest
        listed = form.digest(hashes)
        if known is not None and (known.manifest.entries, known.manifest.hashes) == (entries, listed.hex()):
            return known  # the log that it is of is there; one that grew meanwhile has tiles that no manifest is of
        for _ in pool.map(lambda file: _put(place, head.name, file), _tiles(reader, head, since)):
            pass
    _put(place, head.name, (f"hashes/{listed.hex()}", hashes))
    _put(place, head.name, (form.CHECKPOINT, head.checkpoint.encode()))
    replaces = before.hashes if before is not None else ""
    manifest = Manifest(form.VERSION, head.origin, entries, listed.hex(), head.checkpoint, at, replaces)
    content = form.encode_manifest(manifest)
    _put(place, head.name, (f"manifests/{form.digest(content).hex()}.json", content))
    _put(place, head.name, (form.LATEST, content))
    return Written(manifest, form.digest(content))


def tidy(place: Place, shard: str, written: Written) -> None:
    """Remove the payload files that only the manifest before this one names; the store must have noted this one."""
    replaced = written.manifest.replaces
    old = place.get(f"{shard}/hashes/{replaced}") if replaced else None
    if old is None:
        return
    now = place.get(f"{shard}/hashes/{written.manifest.hashes}") or b""
    for digest in form.all_of(old) - form.all_of(now):
        place.delete(f"{shard}/{form.payload_file(digest)}")
    if replaced != written.manifest.hashes:
        place.delete(f"{shard}/hashes/{replaced}")  # last: it says what has to go


def carry(source: Place, target: Place, shard: str, noted: bytes) -> None:
    """Put what the manifest of a digest names into a copy of the archive, so that the copy can take its place.

    A store reads by the manifest that it has noted: one of the copy's own is of another time. Raises
    `ArchiveUnavailable` and `VerificationFailed`, as whoever reads the archive.
    """
    archive, name = Archive(source), f"{shard}/manifests/{noted.hex()}.json"
    content = archive.checked(name, noted)
    manifest = form.decode_manifest(content, name)
    hashes = archive.checked(f"{shard}/hashes/{manifest.hashes}", bytes.fromhex(manifest.hashes))
    for digest in sorted(form.all_of(hashes)):
        file = form.payload_file(digest)
        if form.digest(target.get(f"{shard}/{file}") or b"") != digest:
            _put(target, shard, (file, archive.checked(f"{shard}/{file}", digest)))
    _put(target, shard, (f"hashes/{manifest.hashes}", hashes))
    _put(target, shard, (f"manifests/{noted.hex()}.json", content))


def _put_payload(place: Place, shard: str, content: bytes) -> bytes:
    """Put a payload file there, where it is not there already; gives its hash."""
    name = form.payload_file(form.digest(content))
    return form.digest(content) if place.get(f"{shard}/{name}") == content else _put(place, shard, (name, content))


def _put(place: Place, shard: str, file: tuple[str, bytes]) -> bytes:
    """Put a file there, and read it back; gives its hash."""
    name, content = f"{shard}/{file[0]}", file[1]
    place.put(name, content)
    if place.get(name) != content:
        raise VerificationFailed(f"the archive `{place.name}` gives back another `{name}` than was put there")
    return form.digest(content)


def _payloads(reader: Reader, head: Head, kept: int, entries: int, progress: Progress) -> Iterator[bytes]:
    """The payload files from a number on."""
    base = head.id << SHARD_BITS
    for number, width in list(enumerate(form.widths(entries)))[kept:]:
        first = base + number * form.WIDTH
        rows = archived.rows(reader, first, first + width)
        if [row[0] for row in rows] != list(range(first, first + width)):
            raise VerificationFailed(f"shard `{head.name}`: an entry from {first - base} on is missing")
        yield form.encode_rows([archived_row(row) for row in rows])
        progress(head.name, number * form.WIDTH + width, entries)
        reader.renew()


def archived_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """An entry as it is archived; the key of a day that was pruned is gone, so nothing of it can be read."""
    return row[1:7] if row[8] is not None else (*row[1:4], b"", b"", None)


def _tiles(reader: Reader, head: Head, since: int) -> Iterator[tuple[str, bytes]]:
    """The tiles of the head's tree, without those that were full when the tree had `since` leaves."""
    level = 0
    while head.size >> level * TILE_BITS:
        size = head.size >> level * TILE_BITS
        for number in range(since >> (level + 1) * TILE_BITS, -(-size // TILE_WIDTH)):
            first, width = number * TILE_WIDTH, min(TILE_WIDTH, size - number * TILE_WIDTH)
            tree = StoredTree(reader, head.id, head.size)
            if level == 0:
                leaves = tree.leaves(first, first + width)
                yield tile_file("tile/entries", number, width, TILE_WIDTH), b"".join(_LENGTH + leaf for leaf in leaves)
            yield tile_file(f"tile/{level}", number, width, TILE_WIDTH), b"".join(tree.tile(level, number))
        level += 1
