"""Signed notes (c2sp.org/signed-note) with Ed25519, checkpoints (c2sp.org/tlog-checkpoint), and their cosignatures by
witnesses (c2sp.org/tlog-cosignature, Ed25519). Pure.

Reading is strict: a note that is not byte for byte what this format allows is refused, non-canonical base64 included,
so a byte changed anywhere in what a signature covers, or in the signature, is found. Signatures of unknown keys are
ignored, as the specification demands, so witnesses can cosign what is already out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
_TIME = 8
MAX_SIGNATURES = 64
_SHOWN = 100
"""Characters of a wrong name that an error repeats: a whole file may have been taken for one."""
_b64 = binascii.b2a_base64


def b64(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4), padded."""
    return _b64(data, newline=False).decode("ascii")


def unb64(text: str) -> bytes:
    """The inverse of `b64`; raises `ValueError` for anything that `b64` does not write."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("it holds broken base64") from error
    if b64(data) != text:
        raise ValueError("it holds base64 that is not in canonical form")
    return data


def number(text: str) -> int:
    """An ASCII decimal without leading zeroes; raises `ValueError`."""
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 20:
        raise ValueError("it holds a number that is not a plain decimal")
    return int(text)


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        shown = f"`{name}`" if len(name) <= _SHOWN else f"what comes before its `+`, {len(name):,} characters,"
        raise ValueError(f"{shown} cannot name a key: it must have no space and no `+`")


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """The first four bytes of SHA-256(name || 0x0A || kind || public key)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


class Verifier(NamedTuple):
    """A public key and its name; `str()` is the verifier key, `name+hex(id)+base64(kind || public key)`.

    `kind` tells a key that signs (0x01) from a witness's that cosigns (0x04): neither can stand for the other.
    """

    name: str
    public: bytes
    kind: bytes = ED25519

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.public, self.kind)

    @property
    def cosigns(self) -> bool:
        return self.kind == COSIGNATURE

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(self.kind + self.public)}"

    def verify(self, signature: bytes, text: bytes) -> bool:
        if self.kind == COSIGNATURE:
            at = int.from_bytes(signature[:_TIME])
            if len(signature) != _TIME + 64 or not 0 < at < 1 << 63:
                return False
            signature, text = signature[_TIME:], cosigned_text(text, at)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_verifier(text: str) -> Verifier:
    """Read a verifier key; raises `ValueError` with what is wrong with it."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise ValueError("a verifier key is `name+hash+base64`")
    name, id_, key = parts
    _check_name(name)
    raw = unb64(key)
    if raw[:1] not in (ED25519, COSIGNATURE) or len(raw) != 33:
        raise ValueError(f"the key of `{name}` is not an Ed25519 public key")
    verifier = Verifier(name, raw[1:], raw[:1])
    if verifier.id.hex() != id_:
        raise ValueError(f"the key of `{name}` does not have the hash `{id_}`; the line was altered")
    return verifier


class Signer:
    """Signs notes by one name. The hot path: what can be made ahead is."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        _check_name(name)
        self.verifier = Verifier(name, private.public_key().public_bytes_raw())
        self._sign = private.sign
        self._id = self.verifier.id
        self._head = f"\n— {name} "

    def sign(self, text: str) -> str:
        """The signed note over `text`, which ends with a newline."""
        return f"{text}{self._head}{b64(self._id + self._sign(text.encode()))}\n"

    def checkpoint(self, size: int, root: bytes) -> str:
        """The signed checkpoint whose origin is the signer's name."""
        return self.sign(f"{self.verifier.name}\n{size}\n{b64(root)}\n")


def cosigned_text(text: bytes, at: int) -> bytes:
    """What a witness signs: the checkpoint's text below the time, in seconds since the epoch."""
    return b"cosignature/v1\ntime %d\n" % at + text


class Cosigner:
    """Cosigns checkpoints by one name: a witness."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        _check_name(name)
        self.verifier = Verifier(name, private.public_key().public_bytes_raw(), COSIGNATURE)
        self._private = private

    def line(self, text: str, at: int) -> str:
        """The signature line over a checkpoint's text, which states that it was the largest consistent one seen at
        `at`."""
        signature = at.to_bytes(_TIME) + self._private.sign(cosigned_text(text.encode(), at))
        return f"— {self.verifier.name} {b64(self.verifier.id + signature)}\n"


def cosigned_at(line: str) -> int:
    """When a witness made a cosignature line, in seconds since the epoch; the line was verified."""
    return int.from_bytes(unb64(line.split()[2])[4 : 4 + _TIME])


def note_body(note: str) -> str:
    """The text of a note, whoever signed it."""
    return note.rpartition("\n\n")[0] + "\n"


def signature_lines(note: str, verifiers: Iterable[Verifier]) -> list[str]:
    """The lines of a note, each with its newline, that are of one of these keys; they are not verified here."""
    known = {(verifier.name, verifier.id) for verifier in verifiers}
    found = []
    for line in note.rpartition("\n\n")[2].splitlines():
        _, name, encoded = (*line.split(" "), "", "")[:3]
        try:
            if (name, unb64(encoded)[:4]) in known:
                found.append(f"{line}\n")
        except ValueError:
            continue
    return found


def open_note(note: str, verifiers: Iterable[Verifier]) -> tuple[str, Sequence[Verifier]]:
    """The text of a note, and which of the known keys signed it (at least one).

    Raises `ValueError` where the note is malformed, no known key signed it, or a known key's signature is wrong.
    """
    if any(ord(c) < 0x20 and c != "\n" for c in note):
        raise ValueError("the signed note holds control characters")
    text, gap, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    if not gap or lines.pop() != "" or not 0 < len(lines) <= MAX_SIGNATURES:
        raise ValueError("the signed note has no signature lines")
    text += "\n"
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    signed: list[Verifier] = []
    for line in lines:
        dash, _, tail = line.partition(" ")
        name, _, encoded = tail.partition(" ")
        if dash != "—":
            raise ValueError("the signed note has a line that is not a signature")
        _check_name(name)
        raw = unb64(encoded)
        if len(raw) <= 4:
            raise ValueError("the signed note has a signature that is cut short")
        verifier = known.get((name, raw[:4]))
        if verifier is None:
            continue
        if not verifier.verify(raw[4:], text.encode()):
            raise ValueError(f"the signature of `{name}` is wrong; the checkpoint was altered")
        if verifier not in signed:
            signed.append(verifier)
    if not signed:
        names = ", ".join(sorted({f"`{name}`" for name, _ in known})) or "none"
        raise ValueError(f"no key that you trust signed it (trusted: {names})")
    return text, signed


def log_key(signers: Iterable[Verifier], origin: str) -> Verifier | None:
    """The key of those that signed a note which is the log's own; a witness's is not, whatever its name."""
    return next((signer for signer in signers if signer.name == origin and not signer.cosigns), None)


class Checkpoint(NamedTuple):
    """A tree head that a log signed."""

    origin: str
    size: int
    root: bytes


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's note text; raises `ValueError`."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise ValueError("the checkpoint has not the three lines origin, size and root")
    root = unb64(lines[2])
    if len(root) != 32:
        raise ValueError("the checkpoint's root is not a SHA-256 hash")
    return Checkpoint(lines[0], number(lines[1]), root)
