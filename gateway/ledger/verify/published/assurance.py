"""From `signed` to `published` and `witnessed`: what a receipt proves is part of a tree that everybody can see.

A receipt proves its entry in the tree that its own checkpoint signs. That tree is published where a published
checkpoint covers it: at least as large, and consistent with it (RFC 9162 2.1.4), shown from the log's tiles. It is
witnessed where a witness that the verifier trusts (its key stands among the log's) cosigned that published checkpoint.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry.receipt import Proved
from gateway.ledger.proof.merkle import Node, consistency_proof, verify_consistency
from gateway.ledger.proof.note import Checkpoint, Verifier, log_key, open_note, parse_checkpoint
from gateway.ledger.stored.read import TILE_WIDTH
from gateway.ledger.verify.published.tile_client import TileLog, TileTree
from gateway.nouns import counted


class Forked(VerificationFailed):
    """The log signed two trees of which neither contains the other."""


class Claim(msgspec.Struct, frozen=True):
    """What one receipt proves of its log; `name` is the receipt, for messages."""

    name: str
    origin: str
    index: int
    size: int
    root: bytes
    leaf: bytes
    at: datetime.datetime


class Leaves(Protocol):
    """A log's leaves, by tile: `TileLog`, or those of a store."""

    def leaves(self, number: int, width: int) -> list[bytes]: ...


def claim_of(name: str, proved: Proved) -> Claim:
    return Claim(name, proved.origin, proved.index, proved.size, proved.root, proved.leaf, proved.told.at)


def check_extends(node: Node, old: Checkpoint, new: Checkpoint, what: str) -> None:
    """Check that the published tree `new` contains the tree `old`; raises `VerificationFailed`."""
    path = consistency_proof(node, old.size, new.size)
    if not verify_consistency(old.size, old.root, new.size, new.root, path):
        raise Forked(
            f"it was forked: the tree of {counted(old.size, 'entry')} of {what} is no beginning of the tree of"
            f" {new.size} that it"
            " publishes"
        )


def check_claim(claim: Claim, checkpoint: Checkpoint, node: Node, log: Leaves | None = None) -> bool:
    """Whether the published tree covers a receipt's (else it is too young); raises where it contradicts it.

    `log` lets the message say whether it is the receipt's own entry that is another.
    """
    if claim.size > checkpoint.size:
        return False
    try:
        check_extends(node, Checkpoint(claim.origin, claim.size, claim.root), checkpoint, claim.name)
    except Forked:
        if log is not None:
            check_leaf(claim, log, checkpoint.size)
        raise
    return True


def check_leaf(claim: Claim, log: Leaves, size: int) -> None:
    """Raises `Forked` where a published tree of `size` has another entry at a receipt's place."""
    if claim.leaf != _leaf(log, claim.index, size):
        raise Forked(f"it was forked: entry {claim.index} that it publishes is not that of {claim.name}")


def _leaf(log: Leaves, index: int, size: int) -> bytes:
    number, offset = divmod(index, TILE_WIDTH)
    return log.leaves(number, min(TILE_WIDTH, size - number * TILE_WIDTH))[offset]


def published(
    proved: Proved, verifiers: Sequence[Verifier], note: str | None, log: TileLog | None
) -> tuple[Proved, str]:
    """A receipt with its assurance raised as far as can be shown, and in a sentence why it is not higher.

    `note` is a published checkpoint (default: the one that `log` serves now). A checkpoint of another size than the
    receipt's needs the log's tiles. Raises `VerificationFailed` where what is published contradicts the receipt.
    """
    where = log.place if log and note is None else "the file"
    if note is None:
        assert log is not None, "one of both is given"
        note = log.checkpoint()
    checkpoint = read_checkpoint(note, verifiers, where)
    if checkpoint.origin != proved.origin:
        raise VerificationFailed(f"the published checkpoint is of `{checkpoint.origin}`, not of `{proved.origin}`")
    claim = claim_of("this receipt", proved)
    if checkpoint.size < claim.size:
        return (
            proved,
            f"the published checkpoint has {counted(checkpoint.size, 'entry')}, and is older than this receipt",
        )
    if log is None and checkpoint.size > claim.size:
        return proved, (
            f"the published checkpoint has {counted(checkpoint.size, 'entry')}: `--log URL` shows whether it"
            " contains this"
            f" receipt's tree of {claim.size}"
        )
    node = TileTree(log, checkpoint.size).node if log else _no_node
    check_claim(claim, checkpoint, node, log)
    witnesses = cosigners(note, verifiers)
    assurance = "witnessed" if witnesses else "published"
    return msgspec.structs.replace(proved, assurance=assurance, witnesses=witnesses), ""


def cosigners(note: str, verifiers: Sequence[Verifier]) -> tuple[str, ...]:
    """The witnesses among the trusted keys that cosigned a checkpoint; raises `VerificationFailed` for a wrong one."""
    try:
        return tuple(signer.name for signer in open_note(note, verifiers)[1] if signer.cosigns)
    except ValueError as error:
        raise VerificationFailed(f"the published checkpoint does not verify: {error}") from error


def _no_node(level: int, position: int) -> bytes:
    raise AssertionError("between trees of one size there is nothing to prove")


def read_checkpoint(note: str, verifiers: Sequence[Verifier], place: str, shard: str | None = None) -> Checkpoint:
    """A log's checkpoint, signed by the key of its own name; `shard` is how its origin must end, where it matters."""
    return signed_checkpoint(note, verifiers, place, shard)[0]


def signed_checkpoint(
    note: str, verifiers: Sequence[Verifier], place: str, shard: str | None = None
) -> tuple[Checkpoint, Verifier]:
    """As `read_checkpoint`, with the key that signed it."""
    try:
        text, signers = open_note(note, verifiers)
        checkpoint = parse_checkpoint(text)
    except ValueError as error:
        raise VerificationFailed(f"the checkpoint at {place} does not verify: {error}") from error
    if (key := log_key(signers, checkpoint.origin)) is None:
        raise VerificationFailed(f"the checkpoint at {place} is of `{checkpoint.origin}`, and signed by another's key")
    if shard is not None and checkpoint.origin.rpartition("/")[2] != shard:
        raise VerificationFailed(f"the checkpoint at {place} is of `{checkpoint.origin}`: another log is served there")
    return checkpoint, key
