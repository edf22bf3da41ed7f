"""Receipts as text: c2sp.org/tlog-proof, version 1. Pure. Reading is strict, so a changed byte is found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.ledger.proof.merkle import HASH_SIZE
from gateway.ledger.proof.note import b64, number, unb64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 64


class Receipt(msgspec.Struct, frozen=True):
    """The proof of one entry: `text` is a C2SP tlog-proof whose `extra` opens what was disclosed to the requester."""

    shard: str
    index: int
    text: str


class Proof(msgspec.Struct, frozen=True):
    """A tlog-proof as read: nothing in it is trusted yet. `checkpoint` is the signed note, verbatim."""

    extra: bytes
    index: int
    path: Sequence[bytes]
    checkpoint: str


def path_line(above: str, sibling: bytes) -> str:
    """The lines of an inclusion path with `sibling` before those `above` it."""
    return f"{b64(sibling)}\n{above}"


def write(extra: bytes, index: int, path_lines: str, checkpoint: str) -> str:
    return f"{HEADER}\nextra {b64(extra)}\nindex {index}\n{path_lines}\n{checkpoint}"


def parse(text: str) -> Proof:
    """Read a tlog-proof; raises `ValueError` with what is wrong with it."""
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
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
