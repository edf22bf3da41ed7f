"""A receipt checked offline, with nothing but the shard's public key, or the registry; an answer's data against it.

Everything that is trusted afterwards follows from the signature: the checkpoint's root, from it the leaf at its index,
from it what the requester was told. A receipt that verifies is `signed`: the log has committed to its entry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries, parts
from gateway.ledger.entry.registry import Registry
from gateway.ledger.proof.leaf import Opening, Part, Side, data_digest, open_extra, subject_digest, write_extra
from gateway.ledger.proof.merkle import leaf_hash, verify_inclusion
from gateway.ledger.proof.note import Checkpoint, Verifier, b64, log_key, open_note, parse_checkpoint
from gateway.ledger.proof.tlog_proof import HEADER, Proof, Receipt, parse

_SPACE = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


class Proved(msgspec.Struct, frozen=True):
    """What a receipt proves: that the log named `origin` holds `told` at `index`, in a tree that it signed.

    `opened` is `told` as its parts; `oversight` is the digest of the side that the receipt does not open; `witnesses`
    cosigned a tree that contains this one. `unverified`: nobody's signature was checked, so it only says what the
    receipt says of itself.
    """

    assurance: Literal["unverified", "signed", "published", "witnessed"]
    origin: str
    index: int
    size: int
    root: bytes
    leaf: bytes
    told: entries.Told
    opened: Side
    oversight: bytes
    verifier: Verifier | None
    witnesses: tuple[str, ...] = ()

    @property
    def shard(self) -> str:
        return self.origin.rpartition("/")[2]

    @property
    def left_out(self) -> bool:
        """Whether it does not open the part about some subject: see `LEFT_OUT`."""
        return any(isinstance(part, bytes) for part in self.opened.subjects or ())


LEFT_OUT = "the part about the subject is not in this receipt: it was erased since, or left out by whoever presents it"
"""Of an erased subject a receipt has a digest, as where its holder closed an open part: only the store can tell."""


class Presented(msgspec.Struct, frozen=True):
    """A file as somebody presents it: a receipt, and the answer around it where there is one.

    `refused` is what the answer says of each field that was denied, with its articles; no receipt proves that.
    """

    text: str
    data: bytes | None = None
    inquiry: dict[str, Any] | None = None
    refused: tuple[tuple[str, tuple[str, ...]], ...] = ()


class _Extensions(msgspec.Struct):
    inquiry: dict[str, Any] = {}
    act: dict[str, Any] = {}


class _Said(msgspec.Struct):
    code: str = ""
    articles: tuple[str, ...] = ()


class _Error(msgspec.Struct):
    message: str = ""
    extensions: _Said = msgspec.field(default_factory=_Said)


class _Answer(msgspec.Struct):
    extensions: _Extensions
    data: msgspec.Raw = msgspec.Raw()
    errors: list[_Error] = []


def read_file(content: bytes) -> Presented:
    """A receipt's text, a whole GraphQL answer, or its `extensions.inquiry` alone; raises `VerificationFailed`.

    Of the answer to an act its receipt alone counts: that proves no data.
    """
    if content.startswith(HEADER.encode()):
        try:
            return Presented(content.decode())
        except UnicodeDecodeError as error:
            raise VerificationFailed(f"this receipt is damaged: byte {error.start} is not UTF-8") from error
    try:
        answer = msgspec.json.decode(content, type=_Answer)
        inquiry, data = answer.extensions.inquiry, bytes(answer.data) or None
        if not inquiry and isinstance(of_act := answer.extensions.act.get("receipt"), str):
            return Presented(of_act)
        denied = [each for each in answer.errors if each.extensions.code == "UNAUTHORIZED_FIELD_OR_TYPE"]
        refused = tuple(dict.fromkeys((each.message, each.extensions.articles) for each in denied))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            inquiry, data, refused = msgspec.json.decode(content, type=dict[str, Any]), None, ()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            inquiry, data, refused = {}, None, ()
    receipt = inquiry.get("receipt")
    if not isinstance(receipt, str):
        raise VerificationFailed(
            f"this file is neither a receipt (it would begin with `{HEADER}`) nor an answer with"
            " `extensions.inquiry.receipt` or `extensions.act.receipt`"
        )
    return Presented(receipt, data, inquiry, refused)


def verify_receipt(text: str, verifiers: Sequence[Verifier], registry: Registry | None = None) -> Proved:
    """Check every step from the signature to what was disclosed; raises `VerificationFailed` that names the step.

    Where a registry is given its keys count too, each as far as it was not given up.
    """
    proof, opening = _parts(text)
    try:
        note, signers = open_note(proof.checkpoint, [*(registry.verifiers if registry else ()), *verifiers])
        checkpoint = parse_checkpoint(note)
    except ValueError as error:
        raise VerificationFailed(f"this receipt does not verify: {error}") from error
    verifier = log_key(signers, checkpoint.origin)
    if verifier is None:
        raise VerificationFailed(
            f"this receipt does not verify: its log is `{checkpoint.origin}`, and the key that signed it is of"
            f" `{signers[0].name}`"
        )
    if registry is not None:
        registry.check_key(checkpoint, verifier)
    return _included(proof, opening, checkpoint, verifier)


def unverified(text: str) -> Proved:
    """What a receipt has in itself, where there is no key to check its signature with.

    That its entry is in the tree that it names is checked; who signed that tree is not. Raises `VerificationFailed`.
    """
    proof, opening = _parts(text)
    try:
        checkpoint = parse_checkpoint(proof.checkpoint.rpartition("\n\n")[0] + "\n")
    except ValueError as error:
        raise VerificationFailed(f"this receipt does not verify: {error}") from error
    return _included(proof, opening, checkpoint, None)


def _parts(text: str) -> tuple[Proof, Opening]:
    try:
        proof = parse(text)
        return proof, open_extra(proof.extra)
    except ValueError as error:
        raise VerificationFailed(f"this receipt does not verify: {error}") from error


def _included(proof: Proof, opening: Opening, checkpoint: Checkpoint, verifier: Verifier | None) -> Proved:
    leaf = opening.leaf
    if not verify_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.path, checkpoint.root):
        raise VerificationFailed(
            f"this receipt does not verify: its contents are not entry {proof.index} of the tree that was signed"
        )
    try:
        told = parts.read_told(opening.told)
    except ValueError as error:
        raise VerificationFailed(f"this receipt is genuine, but cannot be shown: {error}") from error
    return Proved(
        "signed" if verifier else "unverified",
        checkpoint.origin,
        proof.index,
        checkpoint.size,
        checkpoint.root,
        leaf,
        told,
        opening.told,
        opening.oversight,
        verifier,
    )


def concealed(receipt: Receipt) -> Receipt:
    """The receipt with every subject's part closed: it proves what is general of its entry, and about nobody.

    Whoever has it can prove that something was done, and on which day; nobody can be made to show about whom, since a
    closed part is 32 bytes that tell nothing. Raises `ValueError` for what is no receipt, or of version 1, which has no
    such parts.
    """
    opening = open_extra(parse(receipt.text).extra)
    if opening.told.subjects is None:
        raise ValueError("an entry of version 1 has no part of its own for a subject, so none can be closed")
    closed = [subject_digest(*part) if isinstance(part, Part) else part for part in opening.told.subjects]
    header, _, rest = receipt.note.split(b"\n", 2)
    extra = b64(write_extra(opening.oversight, opening.told.general, closed)).encode()
    return Receipt(receipt.shard, receipt.index, b"%b\nextra %b\n%b" % (header, extra, rest))


def check_data(proved: Proved, data: bytes) -> None:
    """Check that `data` is the answer's `data` member, white space aside; raises `VerificationFailed`."""
    told = proved.told
    if isinstance(told, entries.Refused):
        if data != b"null":
            raise VerificationFailed("this inquiry was refused: nothing was disclosed, so this is not its answer")
        return
    _comparable(told)
    if not isinstance(told, entries.Inquiry):
        raise VerificationFailed(f"this is the receipt of {describe.kind(told)}: it has no answer")
    if not told.data.sha256:
        raise VerificationFailed(f"no answer can be compared: {LEFT_OUT}, and the answer's digest with it")
    compact = _SPACE.sub(rb"\1", data)
    if told.data.sha256 not in (data_digest(told.data.salt, data), data_digest(told.data.salt, compact)):
        raise VerificationFailed("the data are not what was disclosed: they were changed after they left the gateway")


def check_extension(proved: Proved, inquiry: dict[str, Any]) -> None:
    """Check that an answer's `extensions.inquiry` has what was entered; raises `VerificationFailed`.

    Of cautions about a subject that was erased since, none can be compared.
    """
    told = proved.told
    _comparable(told)
    answered = told if isinstance(told, entries.Inquiry) else None
    entered = {
        "id": told.id,
        "ruleSet": told.rule_set,
        "obligations": answered.obligations if answered else [],
        "cautions": answered.cautions if answered else [],
    }
    if answered and entries.ERASED in answered.disclosed:
        said = inquiry.get("cautions", [])
        left = iter(said if isinstance(said, list) else [])
        if all(msgspec.to_builtins(caution) in left for caution in answered.cautions):
            del entered["cautions"]
    for name, value in entered.items():
        if name in inquiry and inquiry[name] != msgspec.to_builtins(value):
            raise VerificationFailed(f"the answer's `{name}` is not what was entered: it was changed")


def _comparable(told: entries.Told) -> None:
    if isinstance(told, entries.Unknown):
        raise VerificationFailed(f"this is the receipt of {describe.kind(told)}, so no answer can be compared with it")
