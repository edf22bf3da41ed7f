"""An archive checked offline, with nothing but public keys: its log, and every payload file by its hash.

Each payload's row has the leaf that the log has at its place. What it says is read by whoever has the store's keys:
`ledger verify --config`, which reads archived entries as all others.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.errors import ArchiveUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.archiving.named import check_named, nobodys
from gateway.ledger.archiving.write import latest
from gateway.ledger.entry.registry import ROOT, Registry, read_document, roots
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored.read import TILE_WIDTH
from gateway.ledger.verify.published.assurance import Claim
from gateway.ledger.verify.published.follow import Followed, follow
from gateway.ledger.verify.published.tile_client import TileLog
from gateway.storage.archive import form
from gateway.storage.archive.files import Archive
from gateway.storage.archive.places import Place

Progress = Callable[[str, int, int], None]
REGISTRY = "registry.json"
"""The registry as it was when something was archived last, beside the shards."""
_SHARD = re.compile(r"[A-Za-z0-9-]{1,64}")


class Checked(NamedTuple):
    """A shard whose archive is whole: its log, and how many entries' payloads it has."""

    log: Followed
    entries: int


def registry_of(place: Place, verifiers: Sequence[Verifier]) -> Registry | None:
    """The registry in an archive, from the keys that are trusted; None of a ledger without one, or of other keys.

    Raises `VerificationFailed` where it was removed.
    """
    content = place.get(REGISTRY)
    root = next((key for key in verifiers if key.name.rpartition("/")[2] == ROOT), None)
    if content is None and place.names():
        raise VerificationFailed(f"the archive `{place.name}` lacks `{REGISTRY}`, which is written with each shard")
    if not content and root is not None and place.names():
        raise VerificationFailed(
            f"`{root.name}` has a key, and `{REGISTRY}` in `{place.name}` is empty: it was altered"
        )
    return read_document(content, verifiers) if content and roots(verifiers) else None


def log_of(place: Place, shard: str) -> TileLog:
    """A shard's log in an archive."""

    def get(name: str, most: int) -> bytes | None:
        content = place.get(f"{shard}/{name}")
        if content is not None and len(content) > most:
            raise VerificationFailed(f"`{shard}/{name}` has more than {most} bytes; that is no part of a log")
        return content

    return TileLog(get, f"`{place.name}`, shard `{shard}`")


def check(
    place: Place,
    shard: str,
    verifiers: Sequence[Verifier],
    claims: Sequence[Claim],
    now: datetime.datetime,
    progress: Progress,
    registry: Registry | None = None,
) -> Checked:
    """Check what an archive has of a shard; raises `VerificationFailed` for the first broken thing.

    `claims` are what receipts prove, and have to be in its log.
    """
    if _SHARD.fullmatch(shard) is None:
        raise VerificationFailed(f"`{shard}` is no name of a shard")
    try:
        found = latest(place, shard)
        if found is None:
            raise VerificationFailed(f"the archive `{place.name}` has nothing of shard `{shard}`")
        manifest = found.manifest
        name = f"{shard}/manifests/{found.digest.hex()}.json"
        if place.get(name) != form.encode_manifest(manifest):
            raise VerificationFailed(f"the archive `{place.name}` lacks `{name}`, which gateways read it by")
        log = log_of(place, shard)
        whole = follow(log, verifiers, None, claims, now, shard=shard, progress=progress, registry=registry)
        if whole.origin != manifest.origin or not 0 <= manifest.entries <= whole.size:
            raise VerificationFailed(f"the manifest of shard `{shard}` is of `{manifest.origin}`: it was altered")
        _check_payloads(Archive(place), shard, manifest, log, progress)
    except StoreUnavailable as error:
        raise _wrong(error) from error
    return Checked(whole, manifest.entries)


def check_all(
    place: Place,
    verifiers: Sequence[Verifier],
    claims: Sequence[Claim],
    now: datetime.datetime,
    progress: Progress,
    registry: Registry | None = None,
) -> list[Checked]:
    """Check every shard of which an archive has something, of those that a key is for; raises as `check`."""
    found = []
    names = place.names()
    for shard in dict.fromkeys(key.name.rpartition("/")[2] for key in verifiers if not key.cosigns):
        if f"{shard}/{form.LATEST}" in names:
            found.append(check(place, shard, verifiers, claims, now, progress, registry))
            check_named(place, shard, [name for name in names if name.startswith(f"{shard}/")], found[-1].log.size)
    if not found:
        raise VerificationFailed(f"the archive `{place.name}` has nothing of a shard that one of the keys is for")
    checked = {each.log.origin.rpartition("/")[2] for each in found}
    others = [name for name in names if name != REGISTRY and name.partition("/")[0] not in checked]
    if registry is not None and others:
        raise nobodys(place, others[0])
    return found


def _wrong(error: StoreUnavailable) -> StoreUnavailable | VerificationFailed:
    """What cannot be read at all is as it was raised; a file that is there and is no file of an archive is damage."""
    return error if isinstance(error, ArchiveUnavailable) else VerificationFailed(str(error))


def _check_payloads(archive: Archive, shard: str, manifest: form.Manifest, log: TileLog, progress: Progress) -> None:
    widths = form.widths(manifest.entries)
    hashes = archive.checked(f"{shard}/hashes/{manifest.hashes}", bytes.fromhex(manifest.hashes))
    if len(hashes) != len(widths) * len(form.digest(b"")):
        raise VerificationFailed(f"the hashes of shard `{shard}` are of another number of payload files: altered")
    for number, width in enumerate(widths):
        digest = form.hash_of(hashes, number)
        name = f"{shard}/{form.payload_file(digest)}"
        rows = form.decode_rows(archive.checked(name, digest), name)
        first, leaves = number * form.WIDTH, list[bytes]()
        for start in range(0, width, TILE_WIDTH):
            bundle = (first + start) // TILE_WIDTH
            leaves += log.leaves(bundle, min(TILE_WIDTH, manifest.entries - bundle * TILE_WIDTH))
        if [row[1] for row in rows] != leaves:
            raise VerificationFailed(f"`{name}` has payloads of other entries than the log: it was altered")
        progress(shard, first + width, manifest.entries)
