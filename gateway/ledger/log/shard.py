"""One process's shard: its tree in memory, and its place in the store.

Invariants: a group is one transaction, with the signed checkpoint and the compare-and-swap of the head (epoch, size,
root). Unless exactly one row changes, nothing of the group stands, and unless the head turns out to differ by nothing
but an erasure elsewhere, this shard is lost and never appends again. What `prepare` signs is given out by its caller
alone, after the commit. Any error on the way to or in the commit is an unknown outcome: nothing of that group is given
out, and the head is read again before the next. One call at a time.

What is known of keys (`keyring`) was read under the head's `erasures`, and is forgotten when that number turns out to
be another: nothing is ever entered under a key that was destroyed.

A process holds its shard by a lock of the store's (`gateway.storage.port.Held`), which is given up when the process
ends, however it ends; the next to take the shard raises its epoch, so a process that wrongly believes to hold it loses
the swap. A shard of which less is stored than was given out, or is remembered outside, is sealed (`retire`): nothing is
ever signed over it. Under a running process that is done only where the store has the registry that this process
registered in: else it was swapped for another store, which is left as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import Now
from gateway.errors import Conflict, LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.log import retire
from gateway.ledger.log.batch import Batch, prepare
from gateway.ledger.log.floor import Floor
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.log.keyring import Keyring, Pending, Unlearned
from gateway.ledger.proof.merkle import EMPTY_ROOT, Tree
from gateway.ledger.proof.note import Signer
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored.read import Head, StoredTree, heads
from gateway.storage.port import Held, Store, Superseded

_TRIES = 10  # each erasure elsewhere that commits meanwhile costs one


Check = Callable[[], Awaitable[None]]
"""Raises `LedgerUnavailable` where the store's registry is not the one that is remembered."""


async def _unchecked() -> None:
    """Nothing is known of the registry."""


class Shard:
    """One shard, claimed. `lost` is why it can never append again, once it cannot. `floor` rises with its entries.

    `sealed`: lost because the store was set back, so that another shard has to be opened.
    """

    def __init__(
        self, store: Store, held: Held, signer: Signer, head: Head, tree: Tree, now: Now, check: Check, floor: Floor
    ) -> None:
        self.name = head.name
        self.lost: str | None = None
        self.sealed = self._released = self._undone = False
        self._store, self._held, self._signer, self._clock = store, held, signer, now
        self._floor = floor
        self._stands(head, tree)
        self._check = check
        self._keyring = Keyring(head.id)

    @classmethod
    async def take(
        cls,
        store: Store,
        private: Ed25519PrivateKey,
        origin: str,
        name: str,
        now: Now,
        remembered: Sequence[SeenOutside] = (),
        check: Check = _unchecked,
        floor: Floor | None = None,
    ) -> Shard | None:
        """Take the shard over, making it where it is new; None where another process holds it.

        `remembered` are its checkpoints that are known outside the store: where the store does not have all of them,
        the shard is sealed, and `Behind` raised. `check` is asked before the shard is sealed later. Raises
        `LedgerUnavailable` that says why it cannot be had.
        """
        try:
            held = await store.hold(name)
            if held is None:
                return None
            try:
                if gap := await asyncio.to_thread(retire.behind, store, name, remembered):
                    raise await asyncio.to_thread(retire.seal, store, gap, now())
                if await asyncio.to_thread(retire.is_sealed, store, name):
                    raise retire.Behind(f"shard `{name}` is sealed")
                signer = Signer(f"{origin}/{name}", private)
                head, tree = await _claim(store, held, signer, name)
                return cls(store, held, signer, head, tree, now, check, floor or Floor())
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

    def _stands(self, head: Head, tree: Tree) -> None:
        """This much is known to be in the store."""
        self._head, self._now = head, tree
        self._attempt: Head | None = None
        self._floor.rise(head.floor)

    @property
    def alive(self) -> bool:
        """False once the shard is lost, or the session with the store is known to be."""
        return self.lost is None and self._held.alive

    @property
    def sound(self) -> bool:
        """Whether the next group can be prepared without `recover` first: its head is known, its session stands."""
        return self._attempt is None and self.alive

    async def recover(self) -> None:
        """After a commit whose outcome is unknown: read the head again, and continue from what is there.

        After one that is known to have changed nothing, an erasure elsewhere, the session is kept: nobody else can take
        the shard meanwhile, and whoever reads through the store is not disturbed.

        Raises `LedgerUnavailable`: for now, where the store is out of reach; for good, where another holds the shard.
        """
        if self.lost:
            raise LedgerUnavailable(self.lost)
        if self.sound:
            return
        kept, self._undone = self._undone and self._held.alive, False
        try:
            if not kept:
                await self._held.renew()
            self._attempt = self._attempt or self._head  # unknown until it was read
            head, tree = await asyncio.to_thread(_stored, self._store, self.name, (self._head, self._attempt))
        except (Superseded, LookupError):
            await self._seal_if_behind()
            self._lose()
        except StoreUnavailable as error:
            raise LedgerUnavailable(f"the store is out of reach ({error})") from error
        self._stands(head, tree)
        self._keyring.forget()

    async def _seal_if_behind(self) -> None:
        """Where the store was set back under this process, and nobody else took the shard, seal it."""
        mine = SeenOutside("the process that wrote it", self._head.checkpoint)
        try:
            gap = await asyncio.to_thread(_set_back, self._store, (self._head, self._attempt or self._head), mine)
            if gap is None:
                return
            await self._check()
            behind = await asyncio.to_thread(retire.seal, self._store, gap, self._clock())
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
        """Make a group ready; raises `Unlearned`, which `enter` mends, and `LedgerUnavailable`."""
        try:
            return prepare(self._head, self._now, self._signer, self._keyring, group)
        except Unlearned:
            with self._learning():
                learned = self._keyring.learn_at_once(self._held, group)
            if not learned:
                raise
        return prepare(self._head, self._now, self._signer, self._keyring, group)

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

        Raises `Unlearned` where the head is not what this process left there: then `enter` finds out why. Raises
        `Conflict` where a guarded change did not hold: the shard goes on as before.
        """
        if isinstance(error, Superseded):
            self._attempt, self._undone = self._head, True
            raise Unlearned
        if isinstance(error, Conflict):
            self._attempt = None  # known to stand as it did
            raise error
        if isinstance(error, StoreUnavailable):
            raise LedgerUnavailable(f"the store did not take the entries ({error})") from error
        if error is not None:
            raise error
        self._durable(batch)

    def _durable(self, batch: Batch) -> None:
        self._stands(batch.group.after, batch.growth.tree)
        if batch.group.destroys:
            self._keyring.forget()
        else:
            self._keyring.keep(batch.made)

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
        raise LedgerUnavailable("keys changed again and again while the entries were made")

    async def learn(self, group: Sequence[Pending]) -> None:
        """Fetch, or make, the keys and requesters' ids that a group needs. Raises `LedgerUnavailable`."""
        with self._learning():
            await self._keyring.learn(self._held, group, self._head.floor)

    @contextlib.contextmanager
    def _learning(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            self._attempt = self._head
            raise LedgerUnavailable(f"the store did not take a new key or requester ({error})") from error


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
    while True:
        mine = head._replace(epoch=head.epoch + 1, verifier=verifier, checkpoint=checkpoint)
        try:
            await held.claim(head, mine)
        except Superseded:
            found, _ = await asyncio.to_thread(_stored, store, name, (head,))
            if found.erasures == head.erasures:
                raise
            head = found  # an erasure came between; nothing else did
        else:
            return mine, tree


def _set_back(store: Store, expected: Sequence[Head], mine: SeenOutside) -> retire.Missing | None:
    """Whether what the store has now is older than the first of those expected, of no later owner.

    Raises `StoreUnavailable` where it has one of them again: another store stood in its place for a moment.
    """
    last = expected[0]
    with contextlib.closing(store.reader()) as reader:
        head = next((head for head in heads(reader) if head.name == last.name), None)
    if _is_one_of(head, expected):
        raise StoreUnavailable("another store stood in its place for a moment")
    if head is not None and (head.epoch > last.epoch or head.size >= last.size):
        return None
    return retire.behind(store, last.name, [mine])


def _is_one_of(head: Head | None, expected: Sequence[Head]) -> bool:
    """Whether it is one of those expected, but for erasures elsewhere."""
    return head is not None and head._replace(erasures=0) in [one._replace(erasures=0) for one in expected]


def _stored(store: Store, name: str, expected: Sequence[Head] = ()) -> tuple[Head, Tree]:
    """A shard's head and tree as stored; the tree is refused unless its root is the head's.

    Raises `LookupError` where there is no such shard, `Superseded` where its head is none of those expected.
    """
    reader = store.reader()
    try:
        head = next((head for head in heads(reader) if head.name == name), None)
        if expected and not _is_one_of(head, expected):
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
