"""One process's shard: its tree in memory, and its place in the store.

Invariants: a group is one transaction, with the signed checkpoint and the compare-and-swap of the head (epoch, size,
root). Unless exactly one row changes, nothing of the group stands, and unless the head turns out to differ by nothing
but an erasure elsewhere, this shard is lost and never appends again. What `prepare` signs is given out by its caller
alone, after the commit. Any error on the way to or in the commit is an unknown outcome: nothing of that group is given
out, and the head is read again before the next. One call at a time.

What is known of keys was read under the head's `erasures`, and is forgotten with it: nothing is sealed by a key that
was destroyed.

A process holds its shard by a lock of the store's (`gateway.storage.port.Held`), which is given up when the process
ends, however it ends; the next to take the shard raises its epoch, so a process that wrongly believes to hold it loses
the swap. A shard of which less is stored than was given out, or is remembered outside, is sealed (`seal_shard`):
nothing is ever signed over it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.sql import ClauseElement

from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger import leaf, proof, seal_shard
from gateway.ledger.head_file import Remembered
from gateway.ledger.leaf import SALT_SIZE, Part
from gateway.ledger.merkle import EMPTY_ROOT, Growth, Tree, leaf_hash
from gateway.ledger.note import Signer
from gateway.ledger.parts import SubjectParts
from gateway.ledger.read import TILE_BITS, Head, StoredTree, heads
from gateway.ledger.seal import KEY_SIZE, NONCE_SIZE, OVERSIGHT, TOLD, Segment, seal, seal_subject
from gateway.storage.port import Group, Held, Store, Superseded
from gateway.storage.tables import SHARD_BITS, moment

_DAY = 86_400_000_000
_DAYS = 64  # keys kept in memory: a group may hold entries of several days
_SUBJECTS = 4096  # subjects whose keys are kept in memory
_SALTS = 2 * SALT_SIZE
_RANDOM = _SALTS + 2 * NONCE_SIZE
_RANDOM_SUBJECT = _SALTS + NONCE_SIZE
_TRIES = 3

_Keys = dict[tuple[str, str], tuple[int, AESGCM]]


class Unlearned(Exception):
    """A key or a requester's id has to be fetched first, or again: `enter` does."""


class Pending(NamedTuple):
    """What waits to become an entry: its parts (`gateway.ledger.parts`), when, and by whom.

    `at` is in microseconds; `by` is the requester (issuer, client). `changes` are statements that commit with the
    entry, or not at all.
    """

    told: bytes
    oversight: bytes
    at: int
    by: tuple[str, str]
    changes: tuple[ClauseElement, ...] = ()
    subjects: tuple[SubjectParts, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """The proof of one entry: `text` is a C2SP tlog-proof whose `extra` opens what the requester was told."""

    shard: str
    index: int
    text: str


class Batch(NamedTuple):
    """A group made ready in memory: signed, and not to be seen before it is durable."""

    growth: Growth
    group: Group
    receipts: list[Receipt]
    keys: _Keys


class Shard:
    """One shard, claimed. `floor` is in microseconds; `lost` is why it can never append again, once it cannot.

    `sealed`: lost because the store was set back, so that another shard has to be opened.
    """

    def __init__(self, store: Store, held: Held, signer: Signer, head: Head, tree: Tree) -> None:
        self.name = head.name
        self.lost: str | None = None
        self.sealed = self._released = False
        self._store, self._held, self._signer = store, held, signer
        self._head, self._now = head, tree
        self._attempt: Head | None = None
        self._ciphers: dict[int, tuple[int, AESGCM]] = {}
        self._requesters: dict[tuple[str, str], int] = {}
        self._subjects: _Keys = {}
        self._keyless: set[tuple[str, str]] = set()  # asked for, and without a key so far

    @classmethod
    async def take(
        cls, store: Store, private: Ed25519PrivateKey, origin: str, name: str, remembered: Sequence[Remembered] = ()
    ) -> Shard | None:
        """Take the shard over, making it where it is new; None where another process holds it.

        `remembered` are its checkpoints that are known outside the store: where the store does not have all of them,
        the shard is sealed, and `Behind` raised. Raises `LedgerUnavailable` that says why it cannot be had.
        """
        try:
            held = await store.hold(name)
            if held is None:
                return None
            try:
                if gap := await asyncio.to_thread(seal_shard.behind, store, name, remembered):
                    raise await asyncio.to_thread(seal_shard.seal, store, gap)
                if await asyncio.to_thread(seal_shard.is_sealed, store, name):
                    raise seal_shard.Behind(f"shard `{name}` is sealed")
                signer = Signer(f"{origin}/{name}", private)
                return cls(store, held, signer, *await _claim(store, held, signer, name))
            except BaseException:
                await held.release()
                raise
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the store does not take shard `{name}` ({error})") from error

    async def release(self) -> None:
        """Let the shard go, once."""
        if not self._released:
            self._released = True
            await self._held.release()

    @property
    def size(self) -> int:
        return self._now.size

    @property
    def root(self) -> bytes:
        return self._now.root

    @property
    def floor(self) -> int:
        return self._head.floor

    @property
    def alive(self) -> bool:
        """False once the shard is lost, or the session with the store is known to be."""
        return self.lost is None and self._held.alive

    @property
    def sound(self) -> bool:
        """Whether the next group can be prepared without `recover` first: its head is known, its session stands."""
        return self._attempt is None and self.alive

    async def recover(self) -> None:
        """After a commit whose outcome is unknown: read the head again, and go on from what is there.

        Raises `LedgerUnavailable`: for now, where the store is out of reach; for good, where another holds the shard.
        """
        if self.lost:
            raise LedgerUnavailable(self.lost)
        if self.sound:
            return
        try:
            await self._held.renew()
            head, tree = await asyncio.to_thread(
                _stored, self._store, self.name, (self._head, self._attempt or self._head)
            )
        except (Superseded, LookupError):
            await self._seal_if_behind()
            self._lose()
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the store is out of reach ({error})") from error
        self._head, self._now, self._attempt = head, tree, None
        self._ciphers.clear()
        self._requesters.clear()
        self._subjects.clear()
        self._keyless.clear()

    async def _seal_if_behind(self) -> None:
        """Where the store was set back under this process, and nobody else took the shard, seal it."""
        mine = Remembered("the process that wrote it", self._head.checkpoint)
        try:
            gap = await asyncio.to_thread(_set_back, self._store, self._head, mine)
            if gap is None:
                return
            behind = await asyncio.to_thread(seal_shard.seal, self._store, gap)
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the store is out of reach ({error})") from error
        self.lost, self.sealed = str(behind), True
        raise behind

    def _lose(self) -> NoReturn:
        self.lost = f"shard `{self.name}` was taken over or altered by another process"
        raise LedgerUnavailable(self.lost)

    async def probe(self) -> None:
        """Recover, and see that the store lets this shard write; raises `LedgerUnavailable`."""
        await self.recover()
        try:
            await self._held.probe()
        except StoreUnavailable as error:
            self._attempt = self._head  # the session may be gone: a new one first, next time
            raise LedgerUnavailable(f"the store takes no entries ({error})") from error

    def prepare(self, group: Sequence[Pending]) -> Batch:
        """Salt, seal, hash and sign a group; raises `Unlearned`, which `learn` mends."""
        keys, made, rows = self._keys(group)
        size, floor, name = self._now.size, self._head.floor, self.name
        base = self._head.id << SHARD_BITS
        random = os.urandom(_RANDOM * len(group))
        entries, requesters, hashes, extras = [], [], [], []
        changes: list[ClauseElement] = []
        for offset, (told, oversight, at, by, also, subjects) in enumerate(group):
            start = offset * _RANDOM
            general = Part(random[start : start + 32], told)
            other_salt = random[start + 32 : start + 64]
            nonce, other_nonce = random[start + 64 : start + 76], random[start + 76 : start + 88]
            if at > floor:
                floor = at
            known, whose = self._ciphers.get(floor // _DAY), self._requesters.get(by)
            if known is None or whose is None:
                raise Unlearned
            period, cipher = known
            id_ = base + size + offset
            parts, segments = _sealed(subjects, keys, id_) if subjects else ((), [])
            opening = leaf.Opening(
                leaf.Side(general, parts),
                leaf.oversight_digest(
                    leaf.Side(Part(other_salt, oversight), tuple([segment.oversight for segment in segments]))
                ),
            )
            commitment = opening.leaf
            entries.append(
                (
                    id_,
                    floor,
                    commitment,
                    period,
                    seal(cipher, nonce, general.salt, told, TOLD, id_),
                    seal(cipher, other_nonce, other_salt, oversight, OVERSIGHT, id_),
                    b"".join([segment.encode() for segment in segments]),
                )
            )
            requesters.append((whose, floor, id_))
            hashes.append(leaf_hash(commitment))
            extras.append(opening.encode())
            if also:
                changes += also
        growth = self._now.grow(hashes)
        tree = growth.tree
        checkpoint = self._signer.checkpoint(tree.size, tree.root)
        receipts = [
            Receipt(name, index, proof.write(extra, index, path, checkpoint))
            for index, (extra, path) in enumerate(zip(extras, growth.fold("", proof.path_line), strict=True), size)
        ]
        subtrees = [
            (self._head.id, level // TILE_BITS, at, node)
            for level in range(TILE_BITS, len(growth.rows), TILE_BITS)
            for at, node in growth.complete(level)
        ]
        after = self._head._replace(size=tree.size, root=tree.root, floor=floor, checkpoint=checkpoint)
        return Batch(growth, Group(self._head, after, entries, requesters, subtrees, rows, changes), receipts, made)

    def _keys(self, group: Sequence[Pending]) -> tuple[_Keys, _Keys, list[tuple[int, int, str, str, bytes]]]:
        """The keys of the subjects that a group names; of these, those that are made for it; and the rows of those."""
        keys: _Keys = {}
        made: _Keys = {}
        rows = []
        for pending in group:
            for scheme, value, _, _ in pending.subjects:
                subject = (scheme, value)
                key = self._subjects.get(subject) or made.get(subject)
                if key is None:
                    if subject not in self._keyless:
                        raise Unlearned
                    id_, secret = int.from_bytes(os.urandom(8), "big") >> 1, os.urandom(KEY_SIZE)
                    key = made[subject] = (id_, AESGCM(secret))
                    rows.append((id_, self._head.id, scheme, value, secret))
                keys[subject] = key
        return keys, made, rows

    def write(self, batch: Batch) -> asyncio.Future[None] | None:
        """Begin to commit a prepared group. None: it is durable; a future: `settle` once it is done.

        Only after either may its receipts be given out. Raises `LedgerUnavailable`; then `recover` before the next.
        """
        self._attempt = batch.group.after
        try:
            waiting = self._held.commit(batch.group)
        except Exception as error:
            self.settle(batch, error)
            raise
        if waiting is None:
            self._durable(batch)
        return waiting

    def settle(self, batch: Batch, error: BaseException | None) -> None:
        """Take note of how a commit ended. Raises `LedgerUnavailable` unless the group is durable.

        Raises `Unlearned` where the head is not what this process left there: then `enter` finds out why.
        """
        if isinstance(error, Superseded):
            self._attempt = self._head
            raise Unlearned
        if isinstance(error, StoreUnavailable):
            raise LedgerUnavailable(f"the store did not take the entries ({error})") from error
        if error is not None:
            raise error
        self._durable(batch)

    def _durable(self, batch: Batch) -> None:
        self._head, self._now, self._attempt = batch.group.after, batch.growth.tree, None
        if batch.group.changes:
            self._subjects.clear()  # they may have destroyed keys
        else:
            self._subjects |= batch.keys
        self._keyless.clear()
        while len(self._subjects) > _SUBJECTS:
            del self._subjects[next(iter(self._subjects))]

    async def enter(self, group: Sequence[Pending]) -> list[Receipt]:
        """Everything that a group needs, first things first; its receipts once it is durable."""
        for _ in range(_TRIES):
            await self.recover()
            await self.learn(group)
            with contextlib.suppress(Unlearned):
                batch = self.prepare(group)
                committing = self.write(batch)
                if committing is not None:
                    await asyncio.wait([committing])
                    self.settle(batch, committing.exception())
                return batch.receipts
        raise LedgerUnavailable("keys were destroyed again and again while the entries were made")

    async def learn(self, group: Sequence[Pending]) -> None:
        """Fetch, or make, the keys and requesters' ids that a group needs. Raises `LedgerUnavailable`."""
        floor = self._head.floor
        try:
            for pending in group:
                floor = max(floor, pending.at)
                if floor // _DAY not in self._ciphers:
                    await self._learn_day(floor // _DAY)
                if pending.by not in self._requesters:
                    self._requesters[pending.by] = await self._held.requester(*pending.by)
            await self._learn_subjects({(each.scheme, each.value) for pending in group for each in pending.subjects})
        except StoreUnavailable as error:
            self._attempt = self._head
            raise LedgerUnavailable(f"the store did not take a new key or requester ({error})") from error

    async def _learn_subjects(self, wanted: set[tuple[str, str]]) -> None:
        missing = wanted - self._subjects.keys()
        if missing:
            stored = self._held.subject_keys(self._head.id, list(missing))
            if isinstance(stored, asyncio.Future):
                stored = await stored
            self._subjects |= {(scheme, value): (id_, AESGCM(secret)) for id_, scheme, value, secret in stored}
            self._keyless |= missing - self._subjects.keys()

    async def _learn_day(self, day: int) -> None:
        period = moment(day * _DAY).date().isoformat()
        id_, secret = await self._held.key(self._head.id, period, os.urandom(KEY_SIZE))
        if secret is None:
            raise LedgerUnavailable(f"the key of {period} was destroyed; nothing more can be entered for that day")
        while len(self._ciphers) >= _DAYS:
            del self._ciphers[next(iter(self._ciphers))]
        self._ciphers[day] = (id_, AESGCM(secret))


def _sealed(subjects: Sequence[SubjectParts], keys: _Keys, entry: int) -> tuple[tuple[Part, ...], list[Segment]]:
    """What was told of each subject, salted, and what is stored of it."""
    random = os.urandom(_RANDOM_SUBJECT * len(subjects))
    parts, segments = [], []
    for place, (scheme, value, told, oversight) in enumerate(subjects):
        start = place * _RANDOM_SUBJECT
        part, other = Part(random[start : start + 32], told), Part(random[start + 32 : start + 64], oversight)
        nonce = random[start + 64 : start + _RANDOM_SUBJECT]
        segments.append(seal_subject(keys[scheme, value], nonce, part, other, entry, place))
        parts.append(part)
    return tuple(parts), segments


async def _claim(store: Store, held: Held, signer: Signer, name: str) -> tuple[Head, Tree]:
    origin, verifier = signer.verifier.name, str(signer.verifier)
    try:
        head, tree = await asyncio.to_thread(_stored, store, name)
    except LookupError:
        tree = Tree()
        head = await held.create(origin, verifier, EMPTY_ROOT, signer.checkpoint(0, EMPTY_ROOT))
    if head.origin != origin:
        raise LedgerUnavailable(
            f"shard `{name}` in the store belongs to `{head.origin}`, not to `{origin}`;"
            " set `ledger.origin` back, or use another store"
        )
    checkpoint = signer.checkpoint(tree.size, tree.root)
    mine = head._replace(epoch=head.epoch + 1, verifier=verifier, checkpoint=checkpoint)
    await held.claim(head, mine)
    return mine, tree


def _set_back(store: Store, last: Head, mine: Remembered) -> seal_shard.Gap | None:
    """Whether what the store has now is older than `last`, of no later owner."""
    with contextlib.closing(store.reader()) as reader:
        head = next((head for head in heads(reader) if head.name == last.name), None)
    if head is not None and (head.epoch > last.epoch or head.size >= last.size):
        return None
    return seal_shard.behind(store, last.name, [mine])


def _stored(store: Store, name: str, expected: Sequence[Head] = ()) -> tuple[Head, Tree]:
    """A shard's head and tree as stored; the tree is refused unless its root is the head's.

    Raises `LookupError` where there is no such shard, `Superseded` where its head is none of those expected.
    """
    reader = store.reader()
    try:
        head = next((head for head in heads(reader) if head.name == name), None)
        if expected and (
            head is None or head._replace(erasures=0) not in [one._replace(erasures=0) for one in expected]
        ):
            raise Superseded("the head is another's")
        if head is None:
            raise LookupError(name)
        tree = Tree(head.size, StoredTree(reader, head.id, head.size).peaks())
        if tree.root == head.root:
            return head, tree
        reason = "its entries do not give the root of its head"
    except VerificationFailed as error:
        reason = str(error)
    finally:
        reader.close()
    raise LedgerUnavailable(
        f"shard `{name}` in the store is damaged: {reason}; run `dutybound ledger verify` before anything else"
    )
