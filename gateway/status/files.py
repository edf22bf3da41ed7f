"""What files show: the last backup, when certificates end, and how old keys and secrets are.

Every file that the configuration or `sources.yaml` names by a key that ends in `cert_file`, `ca_file`, `key_file`,
`secret_file` or `token_file` is looked at. Of a key nothing is shown but its age.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509

from gateway import documents
from gateway.backup import last
from gateway.config.settings import Settings
from gateway.config.store_key import KeyCommand
from gateway.errors import CommandRefused, Problem
from gateway.saying import in_words
from gateway.status.lines import Line, day, lasting, trouble

SOON = datetime.timedelta(days=30)
OLD = datetime.timedelta(days=7)
"""How long ago a backup may be made where backups are made at all."""
_CERTIFICATES = ("cert_file", "ca_file")
_SECRETS = ("key_file", "secret_file", "token_file")


def of_backup(settings: Settings, now: datetime.datetime) -> Line:
    """When the store was last backed up."""
    try:
        found = last.find(settings)
    except CommandRefused as error:
        return trouble("backup", str(error), "last")
    if found is None:
        return Line("backup", "last", "never, as far as this gateway knows", True, {"made": None})
    age = now - found.made
    said = f"{lasting(age.total_seconds())} ago, {day(found.made)}"
    return Line("backup", "last", said, age <= OLD, {"made": found.made.isoformat(), "bytes": found.bytes})


def of_files(settings: Settings, now: datetime.datetime) -> Iterator[Line]:
    """Certificates first, those that end first at the beginning; then keys and secrets, the oldest first."""
    problems: list[Problem] = []
    node = documents.read(settings.sources, problems)
    named = list(_named(settings.root.plain(), settings.file.parent, ""))
    if node is not None:
        named += _named(node.plain(), settings.sources.parent, "")
    certificates, keys = [], []
    for key, file in dict(named).items():
        if key.endswith(_CERTIFICATES):
            certificates.append(_certificate(key, file, now))
        else:
            keys.append(_key(key, file, now))
    if isinstance(settings.store_key, KeyCommand):
        said = f"kept by `{settings.store_key.words[0]}`, which does not print its age"
        keys.append(Line("keys", "store_key_command", said, True, {}))
    yield from sorted(certificates, key=lambda each: str(each.facts.get("ends", "")))
    yield from sorted(keys, key=lambda each: -int(each.facts.get("days") or 0))


def _named(value: Any, folder: Path, path: str) -> Iterator[tuple[str, Path]]:
    """The files that a document names, by the keys that lead there."""
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, below in entries:
        at = f"{path}.{key}" if path else str(key)
        if isinstance(below, str) and at.endswith((*_CERTIFICATES, *_SECRETS)):
            yield at, folder / below
        else:
            yield from _named(below, folder, at)


def _certificate(key: str, file: Path, now: datetime.datetime) -> Line:
    try:
        ends = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        return trouble("certificates", f"`{file.name}` cannot be read ({in_words(error)})", key)
    left = ends - now
    said = f"ends in {lasting(left.total_seconds())}, {day(ends)}" if left > left * 0 else f"ended on {day(ends)}"
    return Line("certificates", key, said, left > SOON, {"ends": ends.isoformat()})


def _key(key: str, file: Path, now: datetime.datetime) -> Line:
    try:
        age = now.timestamp() - file.stat().st_mtime
    except OSError as error:
        return trouble("keys", f"`{file.name}` cannot be read ({in_words(error)})", key)
    return Line("keys", key, f"written {lasting(age)} ago", True, {"days": int(age // 86400)})
