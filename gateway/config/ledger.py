"""The keys of `gateway.yaml` on the ledger: its name and keys, its witnesses, its backups, its archive."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec

from gateway.documents import Node

HEADS = ".heads.json"
"""How the head file's name ends where it is beside the key: `ledger.key` has `ledger.heads.json`."""


class WitnessSettings(msgspec.Struct, frozen=True):
    """A witness: what messages call it, where its API is, and its verifier key (`name+hash+base64`)."""

    name: str
    url: str
    key: str


class LedgerSettings(msgspec.Struct, frozen=True):
    """The ledger's origin (`<host>/<path>`, no scheme) and the file of its signing key.

    `head_file` remembers outside the store what was published; unless it is named, it is beside the key. `require` of
    the witnesses must cosign `within` seconds. `backups` is how long backups of the store are kept, where that is said.
    `archive` is where archived entries are: a folder, or `s3://bucket/path`. `retention`: how many years what entries
    say is kept, where it is not kept for good.
    """

    origin: str
    key_file: Path
    head_file: Path
    witnesses: tuple[WitnessSettings, ...] = ()
    require: int = 0
    within: float = 10.0
    backups: datetime.timedelta | None = None
    archive: str | None = None
    retention: int | None = None


def read_ledger(node: Node) -> LedgerSettings:
    """Read them; each problem is reported at its place."""
    keys = node.mapping(
        ("origin", "key_file"), ("head_file", "witnesses", "require", "within", "backups", "archive", "retention")
    )
    origin = keys["origin"].text(
        pattern=r"[A-Za-z0-9._~:/-]+", what="a host and path without a scheme, as `gateway.example/ledger`"
    )
    if "://" in origin:
        keys["origin"].problem(f"`{origin}` must have no scheme, as `gateway.example/ledger`")
    witnesses = tuple(_witness(each) for each in keys["witnesses"].items())
    require = keys["require"].integer(0, 64, 0)
    if require > len(witnesses):
        keys["require"].problem(f"{require} cosignatures cannot be had of {len(witnesses)} witnesses")
    key_file = keys["key_file"].any_path()
    return LedgerSettings(
        origin,
        key_file,
        keys["head_file"].written_file() if "head_file" in keys else key_file.with_suffix(HEADS),
        witnesses,
        require,
        keys["within"].duration(10.0),
        _days(keys["backups"]) if "backups" in keys else None,
        _archive(keys["archive"]) if "archive" in keys else None,
        _years(keys["retention"]) if "retention" in keys else None,
    )


def _years(node: Node) -> int:
    text = node.text(pattern=r"P[1-9][0-9]{0,2}Y", what="years, as `P10Y`") or "P999Y"
    return int(text[1:-1])


def _archive(node: Node) -> str:
    text = node.text(pattern=r"s3://[^\s/]+(/\S*)?|(?!.*://).+", what="a folder, or `s3://bucket/path`") or ""
    return text if "://" in text else str(node.any_path())


def _days(node: Node) -> datetime.timedelta:
    text = node.text(pattern=r"P[0-9]{1,4}[DW]", what="days or weeks, as `P35D`") or "P0D"
    return datetime.timedelta(days=int(text[1:-1]) * (7 if text.endswith("W") else 1))


def _witness(node: Node) -> WitnessSettings:
    keys = node.mapping(("name", "url", "key"))
    key = keys["key"].text(
        pattern=r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", what="a witness's verifier key, `name+hash+base64`"
    )
    return WitnessSettings(keys["name"].text(), keys["url"].url(), key)
