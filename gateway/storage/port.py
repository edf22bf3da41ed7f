"""What the gateway needs of a store: one small port, filled by the two in `engines`.

Three kinds of use. A process holds a *shard* and commits groups to it (`Held`); anybody reads one snapshot (`Reader`);
an inquiry asks for *facts* (`FactRows`). Everything else goes through `Store.engine`, SQLAlchemy's.

Invariants that every store keeps, and `tests/storage/test_contract_shards.py` checks it against: a name is held by one
process at a time, and given up by the system when that process ends, however it ends. A group is one transaction: the
entries, the hashes, the further changes and the swap of the head. Nothing of it stands unless the swap changes exactly
one row (`Superseded`), and each guarded change at least one (`Conflict`). `commit` is over only once the group is
durable; any error, timeout or warning on the way is an unknown outcome and a `StoreUnavailable`; after one, `renew`
comes first, and nothing of the old session can change the store once it has returned. Facts are read on the primary, by
one statement, begun after `read` was called.

Left to others: what is in a group, what to do after an unknown outcome (`gateway.ledger`).
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, Table
from sqlalchemy.sql import ClauseElement

from gateway.errors import StoreUnavailable
from gateway.storage.statement import Statement


class Superseded(StoreUnavailable):
    """The head is not what this process left there: another took the shard, or altered it."""


class Head(NamedTuple):
    """A `shard` row."""

    id: int
    name: str
    origin: str
    verifier: str
    epoch: int
    size: int
    root: bytes
    floor: int
    checkpoint: str
    erasures: int = 0


SubjectKey = tuple[int, str, str, bytes]
"""A subject's key in one shard: id, scheme, value, secret."""


class Guarded(NamedTuple):
    """A change that holds only where it changes a row; otherwise its group is a `Conflict`."""

    statement: ClauseElement


class Rows(NamedTuple):
    """Rows to insert into a table, in the order of its columns."""

    table: Table
    rows: Sequence[tuple[object, ...]]


Change = ClauseElement | Guarded | Rows


class Group(NamedTuple):
    """What one transaction writes. Rows are in the order of their table's columns.

    `keys` are the new ones of subjects: id, shard, scheme, value, secret. `changes` are statements that belong to the
    entries (a state change and its entry commit together), executed in order before the swap. `destroys`: keys of
    subjects are among what they change.
    """

    before: Head
    after: Head
    entries: Sequence[tuple[int, int, bytes, int, bytes, bytes, bytes]]
    requesters: Sequence[tuple[int, int, int]]
    subtrees: Sequence[tuple[int, int, int, bytes]]
    keys: Sequence[tuple[int, int, str, str, bytes]] = ()
    changes: Sequence[Change] = ()
    destroys: bool = False


class Held(Protocol):
    """A shard's name, held for this process. One call at a time. Errors are `StoreUnavailable`."""

    @property
    def alive(self) -> bool:
        """False once the session is known to be lost: `renew` comes first then."""

    async def create(self, origin: str, verifier: str, root: bytes, checkpoint: str) -> Head:
        """A new shard of this name, empty, at epoch 0."""

    async def claim(self, before: Head, after: Head) -> None:
        """Swap the head for one of a higher epoch; raises `Superseded` where it is not `before`."""

    async def key(self, shard: int, period: str, fresh: bytes) -> tuple[int, bytes | None]:
        """The id and secret of a period's key, made of `fresh` where there is none; the secret of a destroyed is None.

        In a transaction of its own: a key without an entry does no harm.
        """

    async def requester(self, issuer: str, client: str) -> int:
        """The id of a requester, made where it is new, in a transaction of its own."""

    async def subject_keys(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey]:
        """The keys that a shard has for (scheme, value) pairs; none for one without."""

    def subject_keys_at_once(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey] | None:
        """The same from a store that answers in microseconds; None from any other."""

    def commit(self, group: Group) -> asyncio.Future[None] | None:
        """Make a group durable: None when it is (or it raises), else a future that ends when it is.

        `Superseded`, and nothing stands, where the head (epoch, size, root, erasures) is not `before`. `Conflict`, and
        nothing stands either, where a guarded change changes no row.
        """

    async def renew(self) -> None:
        """Begin a new session, and end the old one for good; the head is to be read again, and may be another's."""

    async def probe(self) -> None:
        """See that the store would take a group."""

    async def release(self) -> None:
        """Give the name up."""


class EntryFiles(Protocol):
    """Entries whose rows are in an archive. `manifest` is the digest that the store has of what it archived.

    Raises `ArchiveUnavailable`, and `VerificationFailed` where the archive was altered.
    """

    def rows(self, shard: str, manifest: bytes, indices: Sequence[int]) -> Mapping[int, tuple[Any, ...]]:
        """The columns of `entry` but for the id, by index."""

    def entries(self, shard: str, manifest: bytes) -> int:
        """How many of a shard's entries it has: those below this index."""

    def leaves(self, shard: str, manifest: bytes, indices: Sequence[int]) -> Mapping[int, bytes]:
        """The leaves, by index."""


class Reader(Protocol):
    """Reads from one snapshot, taken at the first read. Not for two threads at once; blocks, so use it in a thread.

    `archive` has the entries whose rows are gone, where it is at hand. `locked`: rows are sealed, and it was opened
    without the key; values of sealed columns are then what stands there.
    """

    archive: EntryFiles | None
    locked: bool

    def rows(self, statement: Statement, *parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement. Raises `StoreUnavailable`."""

    def renew(self) -> None:
        """What follows is read from a new snapshot; long readers do this so that the store can tidy up."""

    def close(self) -> None:
        """Give the snapshot and its connection back."""


class FactRow(NamedTuple):
    """The change number of the snapshot, columns of one fact in force, and the epoch of the active rule set (0: none).

    Both stores' queries follow these members. Without any fact there is one row, its kind `None`. What a kind has no
    use for is `None`.
    """

    change: int
    kind: str | None
    id: str
    scheme: str
    value: str
    dataset: str
    record: str
    issuer: str
    client: str
    purpose: str
    fields: str
    until: str
    epoch: int = 0


class FactRows(Protocol):
    """Reads the facts in force, on the primary."""

    def read(self, subjects: Iterable[tuple[str, str]], /) -> Sequence[FactRow] | asyncio.Future[Sequence[FactRow]]:
        """All facts in force of the named (scheme, value) pairs, from one snapshot; at least one row.

        The statement begins after this call, at once or (a future) soon; one call at a time. Raises, or the future
        does, where the store cannot be read; a later call tries again.
        """

    def close(self) -> None:
        """Release the connection; a later read opens another."""


class Looked(NamedTuple):
    """What a look-up gives: the generation, and the members of one row; without any row there is one, all None."""

    generation: int
    subject: int | None = None
    requester: int | None = None
    at: int = 0
    inquiry: int = 0
    official: int | None = None
    about_case: int | None = None
    retry: int | None = None


class CountRows(Protocol):
    """Looks up what inquiries are counted by."""

    def read(
        self, wanted: Sequence[tuple[int, int]], after: int, /
    ) -> Sequence[Looked] | asyncio.Future[Sequence[Looked]]:
        """The counts of (subject, requester) pairs, each once, since a time (microseconds); at least one row.

        As for facts: at once or (a future) soon, from one snapshot taken after the call. Raises `StoreUnavailable`.
        """

    def close(self) -> None:
        """Release the connection; a later read opens another."""


class Store(Protocol):
    """An open store. `engine` serves everything off the hot path, in threads; its readers use `archive`.

    `locked` is as of a `Reader`.
    """

    archive: EntryFiles | None
    locked: bool

    @property
    def engine(self) -> Engine: ...

    async def hold(self, name: str) -> Held | None:
        """Hold a shard's name for this process; None where another process holds it."""

    def reader(self) -> Reader:
        """A new snapshot to read from, on the primary; the caller closes it."""

    def facts(self) -> FactRows:
        """A reader of facts with a connection of its own; the caller closes it."""

    def counts(self) -> CountRows:
        """As `facts`, of counts."""

    def time(self) -> datetime.datetime | None:
        """The time by the store's own clock; None where that is this machine's. Blocks; raises `StoreUnavailable`."""

    def close(self) -> None:
        """Release pooled connections."""
