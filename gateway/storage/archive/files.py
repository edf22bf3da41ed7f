"""Archived entries as rows again, for whoever reads entries of the store (`gateway.storage.port.EntryFiles`).

The store knows the digest of the manifest that it archived by; that has the digest of all hashes, and these the digest
of each file. So a file that was altered, or is another archive's, is found before anything of it is used.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cachetools

from gateway.errors import ArchiveUnavailable, VerificationFailed
from gateway.nouns import counted
from gateway.storage.archive import form
from gateway.storage.archive.form import Manifest, Row
from gateway.storage.archive.places import Place, place_of
from gateway.storage.archive.tile_names import tile_file

_TILE = 256
HASH_SIZE = 32
_FILES = 8
_BUNDLES = 64
_PREFIX = HASH_SIZE.to_bytes(2, "big")


class Archive:
    """An archive at a place; several threads may read from it. Raises `ArchiveUnavailable` and `VerificationFailed`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._known: dict[tuple[str, bytes], tuple[Manifest, bytes]] = {}
        self._rows: cachetools.LRUCache[tuple[str, bytes], list[Row]] = cachetools.LRUCache(_FILES)
        self._bundles: cachetools.LRUCache[tuple[str, str], list[bytes]] = cachetools.LRUCache(_BUNDLES)

    def rows(self, shard: str, manifest: bytes, indices: Sequence[int]) -> dict[int, Row]:
        """The rows of a shard's entries, by their indices, as the manifest of this digest has them."""
        found: dict[int, Row] = {}
        for number in sorted({index // form.WIDTH for index in indices}):
            rows = self._file(shard, manifest, number)
            first = number * form.WIDTH
            found |= {index: rows[index - first] for index in indices if first <= index < first + len(rows)}
        return found

    def leaves(self, shard: str, manifest: bytes, indices: Sequence[int]) -> dict[int, bytes]:
        """The 32-byte leaves of a shard's entries, by their indices."""
        entries = self._manifest(shard, manifest)[0].entries
        found: dict[int, bytes] = {}
        for number in sorted({index // _TILE for index in indices}):
            first = number * _TILE
            leaves = self._bundle(shard, number, min(_TILE, entries - first))
            found |= {index: leaves[index - first] for index in indices if first <= index < first + len(leaves)}
        return found

    def entries(self, shard: str, manifest: bytes) -> int:
        """How many entries of a shard the manifest of this digest has."""
        return self._manifest(shard, manifest)[0].entries

    def _manifest(self, shard: str, digest: bytes) -> tuple[Manifest, bytes]:
        """A manifest by its digest, and the hashes of its payload files."""
        with self._lock:
            known = self._known.get((shard, digest))
        if known is None:
            name = f"{shard}/manifests/{digest.hex()}.json"
            manifest = form.decode_manifest(self.checked(name, digest), name)
            wanted = bytes.fromhex(manifest.hashes)
            known = manifest, self.checked(f"{shard}/hashes/{manifest.hashes}", wanted)
            with self._lock:
                self._known[shard, digest] = known
        return known

    def _file(self, shard: str, digest: bytes, number: int) -> list[Row]:
        manifest, hashes = self._manifest(shard, digest)
        wanted = form.hash_of(hashes, number)
        with self._lock:
            rows = self._rows.get((shard, wanted))
        if rows is None:
            width = min(form.WIDTH, manifest.entries - number * form.WIDTH)
            name = f"{shard}/{form.payload_file(wanted)}"
            rows = form.decode_rows(self.checked(name, wanted), name)
            if len(rows) != width:
                raise VerificationFailed(f"`{name}` of the archive has {counted(len(rows), 'entry')}, and not {width}")
            with self._lock:
                self._rows[shard, wanted] = rows
        return rows

    def _bundle(self, shard: str, number: int, width: int) -> list[bytes]:
        name = f"{shard}/{tile_file('tile/entries', number, width, _TILE)}"
        with self._lock:
            leaves = self._bundles.get((shard, name))
        if leaves is None:
            content, size = self.content(name), HASH_SIZE + len(_PREFIX)
            rows = [content[at : at + size] for at in range(0, len(content), size)]
            if len(content) != width * size or not all(row.startswith(_PREFIX) for row in rows):
                raise VerificationFailed(
                    f"`{name}` of the archive is no bundle of {counted(width, 'entry')}; it was altered"
                )
            leaves = [row[len(_PREFIX) :] for row in rows]
            with self._lock:
                self._bundles[shard, name] = leaves
        return leaves

    def content(self, name: str) -> bytes:
        """A file that has to be there."""
        content = self.place.get(name)
        if content is None:
            self.place.see()
            raise ArchiveUnavailable(
                f"the archive `{self.place.name}` has no `{name}`: it was removed, or is another one;"
                " have the place back, or name it with `--archive PLACE`"
            )
        return content

    def checked(self, name: str, digest: bytes) -> bytes:
        """A file that has to be there, and to be what it was."""
        content = self.content(name)
        if form.digest(content) != digest:
            raise VerificationFailed(f"`{name}` of the archive `{self.place.name}` is not what was archived: altered")
        return content


def archive_at(text: str | None) -> Archive | None:
    """The archive at a folder or URL, where one is named; raises `ConfigurationError`."""
    return None if text is None else Archive(place_of(text))
