"""SSH public keys, and signatures by them: SSHSIG, as `ssh-keygen -Y sign` makes it.

The format is OpenSSH's `PROTOCOL.sshsig`, the keys those of RFC 8709 (`ssh-ed25519`). Invariants: a signature is for
the one namespace that is asked for; it names its own key, which counts only where whoever verifies knows it; every byte
of key and signature is accounted for, so that neither has a second form. `ssh-keygen -Y verify` takes the same
signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KIND = "ssh-ed25519"
MOST = 4_096
"""Characters of an armored signature; one of `ssh-ed25519` has about 300."""

_MAGIC, _VERSION, _HASHES = b"SSHSIG", 1, {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


class WrongSignatureError(ValueError):
    """The signature does not hold; the message explains why, for a person."""


class Signed(NamedTuple):
    """A signature that was taken apart: the key that it names as its maker, and what there is to verify."""

    key: str
    hashed: bytes
    signature: bytes


def public_key(text: str) -> str:
    """A public key as it is compared, without its comment; raises `ValueError` with what it must be."""
    words = text.split()
    if len(words) < 2 or words[0] != KIND:
        raise ValueError(f"must be an SSH public key, as `{KIND} AAAA...` (a line of `id_ed25519.pub`)")
    try:
        blob = base64.b64decode(words[1], validate=True)
        kind, key = _strings(blob, 2)
        if kind != KIND.encode() or len(key) != 32 or base64.b64encode(blob).decode() != words[1]:
            raise ValueError
        Ed25519PublicKey.from_public_bytes(key)
    except (ValueError, binascii.Error):
        raise ValueError(
            f"is no `{KIND}` key: it is cut short, or altered; copy the line of `id_ed25519.pub`"
        ) from None
    return f"{KIND} {words[1]}"


def read(armored: str, namespace: str) -> Signed:
    """Take a signature for `namespace` apart; raises `WrongSignatureError` with what is wrong with it."""
    lines = [line.strip() for line in armored.strip().splitlines()]
    if len(armored) > MOST or len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):
        raise WrongSignatureError(f"this is no SSH signature: it begins with `{_BEGIN}` and ends with `{_END}`")
    try:
        raw = base64.b64decode("".join(lines[1:-1]), validate=True)
        if raw[:6] != _MAGIC or struct.unpack(">I", raw[6:10]) != (_VERSION,):
            raise ValueError
        key, named_space, reserved, algorithm, signature = _strings(raw[10:], 5)
        kind, made = _strings(signature, 2)
        named = key[4 : 4 + len(KIND)]
    except (ValueError, struct.error, binascii.Error):
        raise WrongSignatureError("the SSH signature is damaged: make it again with `ssh-keygen -Y sign`") from None
    if named_space != namespace.encode():
        raise WrongSignatureError(f"the SSH signature is for another namespace; sign with `-n {namespace}`")
    if (named, kind) != (KIND.encode(), KIND.encode()) or len(made) != 64 or reserved or algorithm not in _HASHES:
        raise WrongSignatureError(f"the SSH signature is of another kind; sign with a key of kind `{KIND}`")
    return Signed(f"{KIND} {base64.b64encode(key).decode()}", algorithm, made)


def verify(armored: str, message: bytes, key: str, namespace: str) -> None:
    """Raises `WrongSignatureError` unless `key` (as `public_key` gives it) signed the message for `namespace`."""
    found = read(armored, namespace)
    if found.key != key:
        raise WrongSignatureError("the SSH signature is by another key")
    _, raw = _strings(base64.b64decode(key.split()[1]), 2)
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(found.signature, _preimage(found.hashed, message, namespace))
    except (InvalidSignature, ValueError):
        raise WrongSignatureError("the SSH signature is not over these words: one of both was altered") from None


def sign(private: Ed25519PrivateKey, message: bytes, namespace: str) -> str:
    """The armored signature of a message, as `ssh-keygen -Y sign -n NAMESPACE` makes it."""
    key = _string(KIND.encode()) + _string(private.public_key().public_bytes_raw())
    signature = _string(KIND.encode()) + _string(private.sign(_preimage(b"sha512", message, namespace)))
    parts = (key, namespace.encode(), b"", b"sha512", signature)
    raw = _MAGIC + struct.pack(">I", _VERSION) + b"".join(map(_string, parts))
    text = base64.b64encode(raw).decode()
    return "\n".join([_BEGIN, *(text[at : at + 70] for at in range(0, len(text), 70)), _END, ""])


def _preimage(algorithm: bytes, message: bytes, namespace: str) -> bytes:
    """What is signed for a message."""
    parts = (namespace.encode(), b"", algorithm, _HASHES[algorithm](message).digest())
    return _MAGIC + b"".join(map(_string, parts))


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _strings(data: bytes, count: int) -> list[bytes]:
    """So many strings (RFC 4251) and nothing behind them; raises `ValueError`."""
    found: list[bytes] = []
    for _ in range(count):
        if len(data) < 4:
            raise ValueError
        (length,) = struct.unpack(">I", data[:4])
        if len(data) < 4 + length:
            raise ValueError
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    if data:
        raise ValueError
    return found
