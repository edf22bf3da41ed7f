"""The registry: which shards a ledger has and which keys sign them, as entries of the ledger itself, in its root shard.

The root shard (`<ledger origin>/root`) holds one `ShardChange` for each shard that was opened, sealed, or got another
key; its own first entry is its own. So whoever trusts the root's key needs no other: every shard's keys follow, those
that old receipts were signed with too. A key that follows another is handed over by a note that both sign.

The registry travels as one document: every entry of the root shard opened, and the root's checkpoint. The tree is made
again from them. With them travel receipts of the entries that name gaps (`gaps`), which are in other shards. Pure; left
to others: the store and HTTP (`registrar`), the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries, parts
from gateway.ledger.proof.leaf import open_extra
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import (
    Checkpoint,
    Signer,
    Verifier,
    log_key,
    note_body,
    open_note,
    parse_checkpoint,
    parse_verifier,
    signature_lines,
)
from gateway.nouns import counted

ROOT = "root"
MAX_SHARDS = 64
SERVING = tuple(map(str, range(1, MAX_SHARDS + 1)))
"""The shards of processes that serve."""
COMMANDS = ("commands", *(f"commands-{number}" for number in range(2, MAX_SHARDS + 1)))
"""The shards of what people do by a command: the first, and what goes on where the one before was sealed."""
RECALLS = ("recalls", *(f"recalls-{number}" for number in range(2, MAX_SHARDS + 1)))
"""The shards of the process that recalls, in the same way."""
OPEN = ("open", *(f"open-{number}" for number in range(2, MAX_SHARDS + 1)))
"""The shards of what is served to everybody, one of each process that serves."""
EVERY = (*SERVING, *COMMANDS, *RECALLS, *OPEN)
"""Every name that a shard may have, but for the root's."""
VERSION = 1
MAX_REGISTRY = 16 * 1024 * 1024
"""The most bytes that a registry is read of."""
_HANDOVER = "dutybound.handover/v1"


def first(shards: int = 8) -> list[str]:
    """The shards of a new ledger with so many processes, with those of commands, recalls and open records."""
    return [ROOT, COMMANDS[0], RECALLS[0], *map(str, range(1, shards + 1)), *OPEN[:shards]]


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """The registry as it travels: `entries` are the root shard's, each as a receipt's `extra` opens it. `gaps` are
    receipts of the entries that name gaps.
    """

    v: int
    origin: str
    checkpoint: str
    entries: list[bytes]
    gaps: list[str] = []


class Listed(NamedTuple):
    """A registered shard: its keys in order, each with the size from which it signs; and where it was sealed."""

    origin: str
    keys: tuple[tuple[int, Verifier], ...]
    sealed: int | None = None
    sealed_root: bytes = b""

    @property
    def key(self) -> Verifier:
        return self.keys[-1][1]

    @property
    def every(self) -> tuple[Verifier, ...]:
        return tuple(key for _, key in self.keys)


def handover(before: Ed25519PrivateKey, after: Ed25519PrivateKey, origin: str, size: int) -> str:
    """The note by which a shard's key gives over to another at a size, signed by both."""
    old, new = Signer(origin, before), Signer(origin, after)
    text = _handover_text(old.verifier, new.verifier, size)
    return old.sign(text) + "".join(signature_lines(new.sign(text), [new.verifier]))


def _handover_text(old: Verifier, new: Verifier, size: int) -> str:
    return f"{_HANDOVER}\n{old}\n{new}\n{size}\n"


def shard_changes(told: Iterable[entries.Told]) -> Iterator[entries.ShardChange]:
    """What the root shard's entries change; raises `VerificationFailed` for one that this version does not know.

    Elsewhere such an entry is passed by. Here it could change keys.
    """
    for index, each in enumerate(told):
        if isinstance(each, entries.Unknown):
            raise VerificationFailed(
                f"the registry's entry {index} is of a kind that this version does not know (`{each.name}`), and could"
                " change keys: use a later version of Dutybound"
            )
        if isinstance(each, entries.ShardChange):
            yield each


def read_changes(changes: Iterable[entries.ShardChange]) -> dict[str, Listed]:
    """The shards by origin, after all changes in order; raises `VerificationFailed` where one cannot follow."""
    found: dict[str, Listed] = {}
    for index, change in enumerate(changes):
        try:
            found[change.shard] = _change(found.get(change.shard), change)
        except ValueError as error:
            raise VerificationFailed(f"the registry's entry {index}, of `{change.shard}`, is wrong: {error}") from error
    return found


def _change(known: Listed | None, change: entries.ShardChange) -> Listed:
    key = parse_verifier(change.key)
    if key.name != change.shard or key.cosigns:
        raise ValueError(f"its key is of `{key.name}`")
    if change.event == "opened":
        if known is not None:
            raise ValueError("it was opened before")
        return Listed(change.shard, ((change.size, key),))
    if known is None:
        raise ValueError("it was never opened")
    if known.sealed is not None:
        raise ValueError("it was sealed before")
    if change.event == "sealed":
        return known._replace(sealed=change.size, sealed_root=change.root)
    if change.size < known.keys[-1][0]:
        raise ValueError("a key takes over before the one before it did")
    text, signers = open_note(change.handover, [known.key, key])
    if text != _handover_text(known.key, key, change.size) or set(signers) != {known.key, key}:
        raise ValueError("its key was not handed over by the one before")
    return known._replace(keys=(*known.keys, (change.size, key)))


class Registry:
    """A registry that was verified. `root` is the origin of its root shard, `tree` what its checkpoint signs, `hashes`
    those of its leaves. The receipts in `gaps` are as they came: `gaps.explain` verifies them.
    """

    def __init__(
        self, root: str, shards: dict[str, Listed], tree: Checkpoint, hashes: Sequence[bytes], gaps: Sequence[str]
    ) -> None:
        self.root, self.shards, self.tree, self.hashes, self.gaps = root, shards, tree, hashes, gaps

    @property
    def verifiers(self) -> list[Verifier]:
        """Every key of every shard, the present ones first."""
        every = [
            (listed.keys[-1 - back][1], back) for listed in self.shards.values() for back in range(len(listed.keys))
        ]
        return [key for key, _ in sorted(every, key=lambda each: each[1])]

    def check_signed(self, checkpoint: Checkpoint, key: Verifier) -> None:
        """Whether a shard's key may sign that tree; raises `VerificationFailed`."""
        listed = self.shards.get(checkpoint.origin)
        if listed is None:
            raise VerificationFailed(
                f"`{checkpoint.origin}` is not in the registry of `{self.root}`: it does not count"
            )
        end = listed.sealed
        if end is not None and (
            checkpoint.size > end or (checkpoint.size == end and checkpoint.root != listed.sealed_root)
        ):
            raise VerificationFailed(
                f"`{checkpoint.origin}` is registered as sealed at {end}, and signs another tree of {checkpoint.size}"
                " entries: it was signed over"
            )
        if not self.check_key(checkpoint, key):
            raise VerificationFailed(f"the registry of `{self.root}` has another key of `{checkpoint.origin}`")

    def check_key(self, checkpoint: Checkpoint, key: Verifier) -> bool:
        """Whether it is one of the shard's; raises `VerificationFailed` where it was given up before that tree."""
        listed = self.shards.get(checkpoint.origin)
        keys = listed.keys if listed else ()
        for place, (_, known) in enumerate(keys):
            if known == key:
                until = keys[place + 1][0] if place + 1 < len(keys) else None
                if until is not None and checkpoint.size > until and checkpoint.origin != self.root:
                    raise VerificationFailed(
                        f"`{checkpoint.origin}` signs {counted(checkpoint.size, 'entry')} with a key that was"
                        f" given up at {until}"
                    )
                return True
        return False


def roots(verifiers: Sequence[Verifier]) -> list[Verifier]:
    """The root keys that follow from trusted keys: those of root shards, and the same public keys by that name."""
    found = [Verifier(f"{key.name.rpartition('/')[0]}/{ROOT}", key.public) for key in verifiers if not key.cosigns]
    return list(dict.fromkeys(found))


def encode(document: Document) -> bytes:
    return msgspec.json.encode(document)


def read_document(content: bytes, trusted: Sequence[Verifier]) -> Registry:
    """Verify a registry with the keys that one trusts already; raises `VerificationFailed` that names what is wrong."""
    try:
        document = msgspec.json.decode(content, type=Document)
        openings = [open_extra(each) for each in document.entries]
        told = [parts.read_told(opening.told) for opening in openings]
        checkpoint = parse_checkpoint(note_body(document.checkpoint))
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(f"the registry cannot be read: {error}") from error
    if document.v != VERSION:
        raise VerificationFailed(f"the registry is of version {document.v}; this version reads {VERSION}")
    shards = read_changes(shard_changes(told))
    root = shards.get(checkpoint.origin)
    if root is None or document.origin != checkpoint.origin:
        raise VerificationFailed(f"the registry of `{document.origin}` does not hold its own root shard")
    if not {key for _, key in root.keys} & set(roots(trusted)):
        raise VerificationFailed(f"no key that you trust is one of `{root.origin}`")
    try:
        _, signers = open_note(document.checkpoint, [root.key])
    except ValueError as error:
        raise VerificationFailed(f"the registry's checkpoint does not verify: {error}") from error
    if log_key(signers, root.origin) is None:
        raise VerificationFailed("the registry's checkpoint is not signed by its own key")
    hashes = [leaf_hash(opening.leaf) for opening in openings]
    tree = Tree().grow(hashes).tree
    if (tree.size, tree.root) != (checkpoint.size, checkpoint.root):
        raise VerificationFailed("the registry's entries are not those that its checkpoint signs: one was altered")
    return Registry(root.origin, shards, checkpoint, hashes, document.gaps)
