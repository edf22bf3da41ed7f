"""The ledger's signing key, an Ed25519 private key in a PEM file (PKCS #8) that only its owner may read. Its public
side is a file of signed-note verifier keys, one line per shard. A shard's key name is its origin, `<ledger
origin>/<shard>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import ConfigurationError, Problem
from gateway.files import new_file, readable_by_others
from gateway.ledger.proof.note import Verifier, parse_verifier

WEBHOOKS = "whpk_"
"""How the public key begins that recipients of messages verify them with (Standard Webhooks)."""

OF_LEDGER = "put the ledger's key back, or make one for a new ledger with `dutybound keys generate`"
OF_WEBHOOKS = "put the key that signs messages back, or make one with `dutybound keys webhooks`"


def _refuse(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, 0, "", message)])


def generate(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it to a new file of mode 0600; raises `ConfigurationError` where the file exists already."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        new_file(path, pem)
    except FileExistsError as error:
        raise _refuse(path, "exists already; a key is never overwritten") from error
    except OSError as error:
        raise _refuse(path, f"cannot be written ({error.strerror})") from error
    return private


def following(file: Path) -> Path:
    """Where a rotation has the next key, until that takes the key's place."""
    return file.with_name(f"{file.name}.next")


def load(path: Path, fix: str = OF_LEDGER) -> Ed25519PrivateKey:
    """Read the private key; refuses a file that others may read. Raises `ConfigurationError`.

    `fix` is what to do where it cannot be used.
    """
    if path.is_dir():
        raise _refuse(path, "is a folder; name the file of the private key in it")
    try:
        wrong = readable_by_others(path)
        pem = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise _refuse(path, f"cannot be read ({error.strerror}); {fix}") from error
    if path.is_file() and _is_public(path):
        raise _refuse(path, "holds the public key; name the file of the private one beside it")
    if wrong:
        raise _refuse(path, wrong)
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refuse(path, f"is not a whole PEM private key without a password; {fix}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _refuse(path, f"is not an Ed25519 key; {fix}")
    return private


def _is_public(path: Path) -> bool:
    try:
        return bool(read_verifiers(path))
    except ConfigurationError:
        return False


def verifiers(private: Ed25519PrivateKey, origin: str, shards: Iterable[str]) -> list[Verifier]:
    """The verifier keys of these shards of a ledger."""
    public = private.public_key().public_bytes_raw()
    return [Verifier(f"{origin}/{shard}", public) for shard in shards]


def write_verifiers(path: Path, private: Ed25519PrivateKey, origin: str, shards: Iterable[str]) -> None:
    """Write a public key file, as `read_verifiers` reads it; raises `ConfigurationError`."""
    _write(path, "w", verifiers(private, origin, shards))


def add_verifiers(path: Path, private: Ed25519PrivateKey, origin: str, shards: Iterable[str]) -> None:
    """Add keys to a public key file; raises `ConfigurationError`."""
    _write(path, "a", verifiers(private, origin, shards))


def _write(path: Path, mode: Literal["w", "a"], found: list[Verifier]) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.writelines(f"{verifier}\n" for verifier in found)
    except OSError as error:
        raise _refuse(path, f"cannot be written ({error.strerror})") from error


def read_verifiers(path: Path) -> list[Verifier]:
    """Read a public key file: one verifier key per line, empty lines and `#` comments between them.

    Raises `ConfigurationError` with the lines that are wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise _refuse(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _refuse(path, "is not a public key file (one `name+hash+base64` per line)") from error
    found: list[Verifier] = []
    problems: list[Problem] = []
    for line, text in enumerate(lines, 1):
        if text.strip() and not text.startswith("#"):
            try:
                found.append(parse_verifier(text.strip()))
            except ValueError as error:
                problems.append(Problem(str(path), line, 1, "", str(error)))
    if not problems and not found:
        problems.append(Problem(str(path), 0, 0, "", "holds no verifier key (one `name+hash+base64` per line)"))
    if problems:
        raise ConfigurationError(problems)
    return found
