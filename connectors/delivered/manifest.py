"""The manifest of a delivery: JSON that lists its files, signed as `ssh-keygen -Y sign` does.

    {"sequence": 12, "asOf": "2026-11-26T06:00:00+01:00",
     "files": [{"name": "arrears.csv", "dataset": "wage-arrears", "format": "csv", "size": 12345,
                "sha256": "...", "rows": 100}]}

`sequence` grows with every delivery; `asOf` is the moment that all files are of. A dataset may have several files, all
of one format. Nothing else may stand in it: the signature is checked before anything of it is read.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connectors.delivered.report import RefusedError, Trouble, refused
from connectors.kit import sshsig
from connectors.mapping import duplicate_keys

NAME = "manifest.json"
SIGNATURE = f"{NAME}.sig"
NAMESPACE = "dutybound-delivery"
MOST = 2**20
"""Bytes of a manifest."""
_FILES = 1000
_AHEAD = datetime.timedelta(minutes=5)
"""A department's clock may be ahead by so much."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_SHA256 = "^[0-9a-f]{64}$"
_WORDS = {
    _NAME: "a file's name has 1 to 128 of the letters A to Z and a to z, digits, `.`, `_` and `-`; it begins with a"
    " letter or digit",
    _SHA256: "a SHA-256 is written as 64 digits and letters from a to f",
}
"""What is meant by a pattern."""
Format = Literal["csv", "jsonl", "parquet"]


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its name without any folder, what it holds, and exactly which bytes it has."""

    name: Annotated[str, Meta(pattern=_NAME)]
    dataset: str
    format: Format
    size: Annotated[int, Meta(ge=0, le=2**50)]
    sha256: Annotated[str, Meta(pattern=_SHA256)]
    rows: Annotated[int, Meta(ge=0, le=2**40)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One delivery."""

    sequence: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    as_of: Annotated[datetime.datetime, Meta(tz=True)]
    files: Annotated[list[Listed], Meta(min_length=1, max_length=_FILES)]


_decode = msgspec.json.Decoder(Manifest).decode


def read(body: bytes, signature: bytes, signers: Collection[str], now: datetime.datetime) -> Manifest:
    """The contents of a signed manifest. `signers` are public keys as `sshsig.public_key` gives them.

    Raises `RefusedError`.
    """
    _verify(body, signature, signers)
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = "".join(each if each.isprintable() else "?" for each in str(error))
        for pattern, words in _WORDS.items():
            said = said.replace(f"Expected `str` matching regex '{pattern}'", words)
        raise refused(f"is no manifest: {said[:200]}", NAME) from None
    if wrong := duplicate_keys.check(body):
        raise refused(f"is no manifest: {wrong}", NAME)
    if found.as_of > now + _AHEAD:
        raise refused("`asOf` is in the future; set the clock of whoever writes it", NAME)
    names = [each.name for each in found.files]
    if len({name.lower() for name in names}) != len(names) or {NAME, SIGNATURE} & {*names}:
        raise refused("names a file twice, or itself", NAME)
    return found


def _verify(body: bytes, signature: bytes, signers: Collection[str]) -> None:
    try:
        armored = signature.decode("ascii")
        key = sshsig.read(armored, NAMESPACE).key
        if key not in signers:
            raise refused(
                "is by a key that `signers_file` does not have; add the department's new key there", SIGNATURE
            )
        sshsig.verify(armored, body, key, NAMESPACE)
    except UnicodeDecodeError:
        raise refused("is no SSH signature", SIGNATURE) from None
    except sshsig.WrongSignatureError as error:
        raise refused(str(error), SIGNATURE) from None


def by_dataset(manifest: Manifest, mapped: Collection[str]) -> Mapping[str, list[Listed]]:
    """The files of each dataset. Raises `RefusedError` unless they are those of `sources.yaml`, each in one format."""
    found: dict[str, list[Listed]] = {name: [] for name in mapped}
    wrong: list[Trouble] = []
    for each in manifest.files:
        if each.dataset not in found:
            wrong.append(Trouble(f"`{each.name}` is of a dataset that `sources.yaml` does not map here", NAME))
        else:
            found[each.dataset].append(each)
    for name, files in found.items():
        if not files:
            wrong.append(Trouble(f"has no file of `{name}`; deliver one without rows where it has no records", NAME))
        elif len({each.format for each in files}) > 1:
            wrong.append(Trouble(f"has files of `{name}` in several formats; use one", NAME))
    if wrong:
        raise RefusedError(wrong[:20], len(wrong[20:]))
    return found
