"""Receipts as text: c2sp.org/tlog-proof, version 1. Pure. Reading is strict, so a changed byte is found."""

from __future__ import annotations

import binascii
from collections.abc import Sequence

import msgspec

from gateway.ledger.proof.merkle import HASH_SIZE
from gateway.ledger.proof.note import number, unb64

HEADER = "c2sp.org/tlog-proof@v1"
_HEADER = HEADER.encode()
MAX_PATH = 64
_b64_line = binascii.b2a_base64


class Receipt(msgspec.Struct, frozen=True):
    """The proof of one entry: `note` is a C2SP tlog-proof whose `extra` opens what was disclosed to the requester.

    It is kept in UTF-8, as it is sent: a signature's dash would make each of its characters two bytes of a text.
    """

    shard: str
    index: int
    note: bytes

    @property
    def text(self) -> str:
        return self.note.decode()


class Proof(msgspec.Struct, frozen=True):
    """A tlog-proof as read: nothing in it is trusted yet. `checkpoint` is the signed note, verbatim."""

    extra: bytes
    index: int
    path: Sequence[bytes]
    checkpoint: str


def path_line(above: bytes, sibling: bytes) -> bytes:
    """The lines of an inclusion path with `sibling` before those `above` it."""
    return _b64_line(sibling) + above


def write(extra: bytes, index: int, path_lines: bytes, checkpoint: bytes) -> bytes:
    """A tlog-proof in UTF-8; `checkpoint` is the signed note."""
    return b"%b\nextra %bindex %d\n%b\n%b" % (_HEADER, _b64_line(extra), index, path_lines, checkpoint)


def parse(text: str) -> Proof:
    """Read a tlog-proof; raises `ValueError` with what is wrong with it."""
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] == f"{HEADER}\r":
        raise ValueError("its lines end with CR LF, as Windows ends them; save it with LF alone")
    if lines[0] != HEADER:
        raise ValueError(f"it is no receipt: it does not begin with `{HEADER}`")
    if not gap:
        raise ValueError("it is cut short: there is no checkpoint in it")
    extra = b""
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = unb64(lines.pop(1)[6:])
    if len(lines) < 2 or not lines[1].startswith("index "):
        raise ValueError("its `index` line is missing")
    path = [unb64(line) for line in lines[2:]]
    if len(path) > MAX_PATH or any(len(sibling) != HASH_SIZE for sibling in path):
        raise ValueError("its inclusion path does not consist of SHA-256 hashes")
    return Proof(extra, number(lines[1][6:]), path, checkpoint)
