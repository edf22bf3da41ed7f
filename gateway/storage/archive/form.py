"""The form of an archive's files. Pure.

For each shard, in a folder of its name:

    checkpoint                    the signed head, to which the tiles belong
    tile/<L>/<N>, tile/entries/<N>  the whole log, as `/ledger/<shard>/` serves it (c2sp.org/tlog-tiles)
    payload/<SHA-256>             rows of `WIDTH` entries (or of the last ones), encrypted as they were in the store
    hashes/<SHA-256>              the SHA-256 of each payload file, one behind the other
    manifests/<SHA-256>.json      what is archived (`Manifest`); never changed, named by its own digest
    manifest.json                 the last of these

A payload file is MessagePack: an array of rows, each `[time, leaf, period key's id, told, oversight, subjects or nil]`
as the columns of `entry`. The keys that open them stay in the store, so what is erased or pruned there is unreadable
here too.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Sequence

import msgspec

from gateway.errors import VerificationFailed

VERSION = 1
WIDTH = 512
"""Entries of a full payload file: some megabytes."""
LATEST = "manifest.json"
CHECKPOINT = "checkpoint"
_DIGEST = 32

Row = tuple[int, bytes, int, bytes, bytes, bytes | None]
"""An entry's columns: time, leaf, period key's id, told, oversight, subjects."""


class Manifest(msgspec.Struct, frozen=True):
    """What an archive has of a shard: its first `entries` entries, and the log up to `checkpoint`, a signed note.

    `hashes` is the SHA-256 (hex) of the file of payload files' hashes; `made` is when this was written. `replaces` is
    what `hashes` was before: what only that names is removed once the store has noted this.
    """

    v: int
    origin: str
    entries: int
    hashes: str
    checkpoint: str
    made: datetime.datetime
    replaces: str = ""


_rows = msgspec.msgpack.Decoder(list[Row])
_manifest = msgspec.json.Decoder(Manifest)


def encode_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """A payload file."""
    return msgspec.msgpack.encode(rows)


def decode_rows(content: bytes, name: str) -> list[Row]:
    """The rows of a payload file; raises `VerificationFailed` that names it."""
    try:
        return _rows.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise VerificationFailed(f"`{name}` of the archive is no payload file ({error}); it was altered") from error


def encode_manifest(manifest: Manifest) -> bytes:
    """A manifest's file."""
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def decode_manifest(content: bytes, name: str) -> Manifest:
    """A manifest; raises `VerificationFailed` where it is none, or of a later version."""
    try:
        found = _manifest.decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise VerificationFailed(f"`{name}` of the archive is no manifest ({error}); it was altered") from error
    named = re.fullmatch("[0-9a-f]{64}", found.hashes) and re.fullmatch("([0-9a-f]{64})?", found.replaces)
    if named is None or found.entries < 0:
        raise VerificationFailed(f"`{name}` of the archive has a number or a hash that is none; it was altered")
    if found.v != VERSION:
        raise VerificationFailed(
            f"`{name}` of the archive is of version {found.v}; a later version of Dutybound reads it"
        )
    return found


def digest(content: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(content).digest()


def widths(entries: int) -> list[int]:
    """How many entries each payload file of so many entries has."""
    return [min(WIDTH, entries - first) for first in range(0, entries, WIDTH)]


def payload_file(digest: bytes) -> str:
    """The name of a payload file of this digest: what is written anew is another file."""
    return f"payload/{digest.hex()}"


def hash_of(hashes: bytes, number: int) -> bytes:
    """A payload file's hash, of the file of all hashes."""
    return hashes[number * _DIGEST : (number + 1) * _DIGEST]


def all_of(hashes: bytes) -> set[bytes]:
    """All of them."""
    return {hash_of(hashes, number) for number in range(len(hashes) // _DIGEST)}
