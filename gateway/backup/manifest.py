"""What a backup is: a folder with the copy of the store and `backup.json`, which describes it.

    backup.json     this: when, of which store, with how many entries, and which keys belong to it
    store.db        a SQLite store; or `store.dump`, PostgreSQL's, as `pg_dump --format=custom` writes it; with
                    `.sealed` behind its name where `--key` sealed it (`sealing`)
    keys/           copies of the keys, only where `--with-keys` asked for them

Invariants: `backup.json` names no subject and holds no secret. A key is named by its setting, the SHA-256 of its file,
and a digest of the key itself, by which it is known again. The copy is what `sha256` says, or the backup is refused.
"""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.config.settings import Settings
from gateway.errors import CommandRefused
from gateway.storage.sealing import outside
from gateway.storage.sealing.key_file import KeyFile

VERSION = 1
SEALED_VERSION = 2
"""Of a backup whose copy is sealed, which earlier versions would put back as it is."""
MANIFEST = "backup.json"
KEYS = "keys"
COMMAND = "store_key_command"
COPIES = {"sqlite": "store.db", "postgresql": "store.dump"}
"""The copy's name by the kind of store."""
SEALED = ".sealed"
_CHUNK = 1 << 20


class Key(msgspec.Struct, frozen=True):
    """A key that belongs to the store: its setting in `gateway.yaml`, and its file's SHA-256; none: it was away.

    Of `store_key_command` it is that of the file which `dutybound store key` would have made.

    `inside` is whether the backup has a copy of it. `key` is a digest of the key alone (`key_digest`), so that a file
    that was typed again or got another comment is the same; backups from before do not have it.
    """

    setting: str
    sha256: str | None
    inside: bool = False
    key: str = ""

    def fits(self, file: Path) -> bool:
        """Whether a file holds this key; raises `OSError`."""
        return digest(file) == self.sha256 or (self.key != "" and key_digest(file) == self.key)


class Manifest(msgspec.Struct, frozen=True):
    """A backup. `shards` has the entries of each shard by its origin; `step` is that of the store's tables."""

    v: int
    made: datetime.datetime
    gateway: str
    kind: str
    step: str
    bytes: int
    sha256: str
    shards: dict[str, int]
    keys: list[Key]

    @property
    def sealed(self) -> bool:
        """Whether the copy is sealed by a key of the backup's own."""
        return self.v == SEALED_VERSION

    @property
    def copy(self) -> str:
        """The copy's name."""
        return COPIES[self.kind] + (SEALED if self.sealed else "")


def read(folder: Path) -> Manifest:
    """The contents of a folder's `backup.json`; raises `CommandRefused` where it is none that this version knows."""
    file = folder / MANIFEST
    try:
        content = file.read_bytes()
        if (version := msgspec.json.decode(content, type=_Version).v) not in (VERSION, SEALED_VERSION):
            raise CommandRefused(
                f"`{file}` is of version {version}, and this gateway knows {SEALED_VERSION}; use a newer one"
            )
        found = msgspec.json.decode(content, type=Manifest)
    except OSError as error:
        raise CommandRefused(
            f"`{folder}` is no backup: `{MANIFEST}` cannot be read ({error.strerror}); name a folder that"
            " `dutybound backup` made"
        ) from error
    except ValueError as error:
        raise CommandRefused(f"`{file}` is damaged ({error}); use another backup") from error
    if found.kind not in COPIES:
        raise CommandRefused(
            f"`{file}` is of a `{found.kind}` store, which this gateway does not know; use a newer one"
        )
    return found


def encode(manifest: Manifest) -> bytes:
    """The content of `backup.json`."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def digest(path: Path) -> str:
    """The SHA-256 of a file of any size, in hexadecimal; raises `OSError`."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def key_digest(file: Path) -> str:
    """A digest of the key in a file, however the file is written; of a signing key, of its public key."""
    content = file.read_bytes()
    try:
        private = load_pem_private_key(content, password=None)
        content = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        lines = [line.strip() for line in content.splitlines()]
        content = b"\n".join(line for line in lines if line and not line.startswith(b"#"))
    return hashlib.sha256(b"dutybound key\n" + content).hexdigest()


def key_files(settings: Settings) -> dict[str, Path]:
    """The key files that belong to a configuration's store, by their settings."""
    names = ("webhooks.key_file", "webhooks.older_key_file")
    found = {"ledger.key_file": settings.ledger.key_file}
    if isinstance(settings.store_key, Path):
        found["store_key_file"] = settings.store_key
    if settings.secrets_file is not None:
        found["secrets_file"] = settings.secrets_file
    return found | dict(zip(names, settings.webhooks.key_files, strict=False))


def printed(settings: Settings) -> KeyFile | None:
    """The key that `store_key_command` prints; None without one. Raises `ConfigurationError` where it is away."""
    if settings.store_key is None or isinstance(settings.store_key, Path):
        return None
    return outside.load(settings.store_key, str(settings.file))


def digests(keys: KeyFile) -> list[str]:
    """The SHA-256 of the file that has these keys, and then of one with the first, the second, and so on."""
    return [hashlib.sha256(each.encode()).hexdigest() for each in (keys, *(KeyFile((one,)) for one in keys.keys))]


class _Version(msgspec.Struct):
    v: int
