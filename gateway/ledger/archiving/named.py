"""The files of an archive by their names: each is one that archiving wrote, and that something names.

An archive may keep what earlier manifests name, since a store that was restored reads by one of those; and narrower
tiles of when its log was shorter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.errors import VerificationFailed
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH
from gateway.storage.archive import form
from gateway.storage.archive.places import Place
from gateway.storage.archive.tile_names import tile_number

_DIGEST = "[0-9a-f]{64}"
_MANIFEST = re.compile(f"manifests/({_DIGEST})[.]json")
_TILE = re.compile("tile/(entries|[0-9])/((?:x[0-9]{3}/)*[0-9]{3})(?:[.]p/([1-9][0-9]{0,2}))?")


def check_named(place: Place, shard: str, names: Iterable[str], size: int) -> None:
    """Raise `VerificationFailed` for a file of a shard, whose log has `size` entries, that archiving did not write."""
    inside = [name.removeprefix(f"{shard}/") for name in names]
    known = {form.LATEST, form.CHECKPOINT}
    for name in inside:
        if (found := _MANIFEST.fullmatch(name)) is not None:
            content = place.get(f"{shard}/{name}") or b""
            if form.digest(content).hex() == found[1]:
                known |= {name, *_of_manifest(place, shard, form.decode_manifest(content, f"{shard}/{name}"))}
    for name in inside:
        if name not in known and not _is_tile(name, size):
            raise nobodys(place, f"{shard}/{name}")


def nobodys(place: Place, name: str) -> VerificationFailed:
    """The message about a file that archiving did not write."""
    return VerificationFailed(
        f"the archive `{place.name}` has `{name}`, which nobody archived: look at it, and remove it"
    )


def _of_manifest(place: Place, shard: str, manifest: form.Manifest) -> Iterable[str]:
    """The files that a manifest names, the one that it replaced too."""
    for digest in {manifest.hashes, manifest.replaces} - {""}:
        hashes = place.get(f"{shard}/hashes/{digest}")
        if hashes is not None and form.digest(hashes).hex() == digest:
            yield f"hashes/{digest}"
            yield from map(form.payload_file, form.all_of(hashes))


def _is_tile(name: str, size: int) -> bool:
    """Whether that is a tile of a log of so many entries, as wide as it is now or narrower."""
    found = _TILE.fullmatch(name)
    if found is None:
        return False
    level = 0 if found[1] == "entries" else int(found[1])
    number, hashes = int(found[2].replace("x", "").replace("/", "")), size >> level * TILE_BITS
    width = min(TILE_WIDTH, hashes - number * TILE_WIDTH)
    asked = TILE_WIDTH if found[3] is None else int(found[3])
    return tile_number(number) == found[2] and asked <= width and (found[3] is None or asked < TILE_WIDTH)
