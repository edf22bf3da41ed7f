"""The store as a PostgreSQL database: shards on any number of machines, durable on a synchronous standby.

Invariants: a shard's name is held by a session-level advisory lock of the session that commits, so the server gives it
up when that session ends, and nothing else can commit meanwhile. A group is one statement, one round trip and one
transaction, whose every part hangs on the swap of the head. PostgreSQL reports a cancelled wait for its standby as
success with a warning; so any warning heard during a commit makes its outcome unknown. A server that is to have a
standby, and waits for none, gets no session to commit by, and what it committed has no answer. `renew` ends the old
session on the server, and has its lock, before it returns: what the old session might still commit is then decided.

Every session is with the primary (`read-write`). A connection pooler that gives each transaction another session does
not do: it would part the lock from the commits. asyncpg serves the hot path; SQLAlchemy over psycopg everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import psycopg
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Conflict, StoreHindered, StoreUnavailable
from gateway.storage import statement as statements
from gateway.storage.engines.address import dsn
from gateway.storage.engines.postgresql_counts import PostgresCounts
from gateway.storage.engines.postgresql_facts import PostgresFacts
from gateway.storage.engines.postgresql_session import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    SESSION,
    connect,
    told,
    unavailable,
)
from gateway.storage.port import EntryFiles, Group, Guarded, Head, Rows, SubjectKey, Superseded
from gateway.storage.sealing import columns
from gateway.storage.sealing.vault import Vault
from gateway.storage.statement import Statement, filled, insertion
from gateway.storage.tables import period_key, subject_key

COMMIT_TIMEOUT = 10
STATEMENT_TIMEOUT = 60
"""Seconds for any other statement; each reads a page of a long table, or less. Only a migration takes what it takes."""
_GHOST_GONE_WITHIN = 2.0

_OPTIONS = " ".join(
    f"-c {name}={value}" for name, value in (SESSION | {"statement_timeout": f"{STATEMENT_TIMEOUT}s"}).items()
)

_SWAP = """UPDATE shard SET verifier = $1, epoch = $2, size = $3, root = $4, floor = $5, checkpoint = $6
WHERE id = $7 AND epoch = $8 AND size = $9 AND root = $10 AND erasures = $11 RETURNING id"""

_COMMIT = f"""WITH swap AS ({_SWAP}),
entries AS (INSERT INTO entry (id, at, leaf, period, told, oversight, subjects) SELECT new.* FROM swap,
  unnest($12::bigint[], $13::bigint[], $14::bytea[], $15::integer[], $16::bytea[], $17::bytea[], $18::bytea[]) AS new),
requesters AS (INSERT INTO entry_requester (requester, at, entry) SELECT new.* FROM swap,
  unnest($19::integer[], $20::bigint[], $21::bigint[]) AS new),
subtrees AS (INSERT INTO subtree (shard, level, position, hash) SELECT new.* FROM swap,
  unnest($22::integer[], $23::integer[], $24::bigint[], $25::bytea[]) AS new),
keys AS (INSERT INTO subject_key (id, shard, scheme, value, secret) SELECT new.* FROM swap,
  unnest($26::bigint[], $27::integer[], $28::text[], $29::text[], $30::bytea[]) AS new)
SELECT count(*), current_setting('synchronous_standby_names') <> '' FROM swap"""  # noqa: S608 - put together from constants

_ON_TWO = "SELECT current_setting('synchronous_standby_names') <> ''"

_SUBJECT_KEYS = """SELECT key.id, key.scheme, key.value, key.secret
FROM unnest($2::text[], $3::text[]) AS wanted (scheme, value)
JOIN subject_key AS key ON key.scheme = wanted.scheme AND key.value = wanted.value AND key.shard = $1"""

_KEY_AT = columns.places([period_key.c[name].type for name in ("shard", "period", "secret")])
_SECRET_AT = columns.places([period_key.c.id.type, period_key.c.secret.type])
_ASKED_AT = columns.places([subject_key.c.scheme.type, subject_key.c.value.type])
_SUBJECT_KEY_AT = columns.places([subject_key.c[name].type for name in ("id", "scheme", "value", "secret")])
_ROW_AT = columns.places([column.type for column in subject_key.c])


class PostgresStore:
    """The database at `url`. Connections are made when they are needed.

    `replicated`: entries are to be on two machines, so nothing is committed where no standby is waited for.
    """

    def __init__(self, url: URL, *, replicated: bool = False) -> None:
        self.dsn, self.replicated = dsn(url), replicated
        self.archive: EntryFiles | None = None
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=self.connect,
            pool_size=4,
            max_overflow=12,
            pool_pre_ping=True,
            use_native_hstore=False,  # else each start looks for a type that no table has
        )
        self.vault: Vault | None = None
        self.locked = False
        self._aside: list[PostgresFacts | PostgresCounts] = []

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the caller's own, to the primary; the caller closes it."""
        return psycopg.connect(
            self.dsn,
            connect_timeout=CONNECT_TIMEOUT,
            target_session_attrs="read-write",
            application_name="dutybound",
            options=_OPTIONS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=1000 * STATEMENT_TIMEOUT,
        )

    async def hold(self, name: str) -> PostgresHeld | None:
        held, mine = PostgresHeld(self, name), False
        try:
            mine = await held.begin()
            return held if mine else None
        finally:
            if not mine:  # a session that is forgotten would be ended by the collector, in whichever thread that runs
                held.drop()

    def reader(self) -> PostgresReader:
        try:
            return PostgresReader(self.engine.raw_connection(), self)
        except (SQLAlchemyError, psycopg.Error) as error:
            raise unavailable(error) from error

    def facts(self) -> PostgresFacts:
        made = PostgresFacts(self.dsn, self.vault)
        self._aside.append(made)
        return made

    def counts(self) -> PostgresCounts:
        # As of facts: by the index, whatever the table's size.
        made = PostgresCounts(lambda: connect(self.dsn, "dutybound counts", enable_seqscan="off"), told, READ_TIMEOUT)
        self._aside.append(made)
        return made

    def time(self) -> datetime.datetime:
        try:
            with self.engine.connect() as connection:
                said: datetime.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        except (SQLAlchemyError, psycopg.Error) as error:
            raise unavailable(error) from error
        return said.astimezone(datetime.UTC)

    def renewed(self) -> None:
        """A session was lost, so another server may be the primary: close everything that speaks to the old one."""
        for each in self._aside:
            each.close()
        self.engine.dispose()

    def close(self) -> None:
        self.engine.dispose()


class PostgresReader:
    """One snapshot of the primary (`port.Reader`), on a pooled connection."""

    def __init__(self, pooled: Any, of: PostgresStore) -> None:
        self.archive, self.locked, self._vault = of.archive, of.locked, of.vault
        self._pooled = pooled
        self._connection: psycopg.Connection[tuple[Any, ...]] = pooled.driver_connection
        self._begun = False

    def rows(self, statement: Statement, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            if not self._begun:
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                self._begun = True
            given = statement.given(self._vault, parameters)
            found = self._connection.execute(statement.psycopg, given).fetchall()
        except psycopg.Error as error:
            raise unavailable(error) from error
        return statement.read(self._vault, found)

    def renew(self) -> None:
        try:
            self._connection.rollback()
        except psycopg.Error as error:
            raise unavailable(error) from error
        self._begun = False

    def close(self) -> None:
        self._pooled.close()


class PostgresHeld:
    """A shard's name, held by the lock of one session, through which its groups are committed (`port.Held`)."""

    def __init__(self, store: PostgresStore, name: str) -> None:
        self._store, self._name = store, name
        self._loop = asyncio.get_running_loop()
        self._lock = int.from_bytes(hashlib.sha256(f"dutybound shard {name}".encode()).digest()[:8], signed=True)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._session: tuple[int, datetime.datetime] | None = None
        self._warning: str | None = None

    @property
    def alive(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def begin(self) -> bool:
        """Open a session and try to have the lock; whether it could be had."""
        with told():
            connection = await connect(self._store.dsn, f"dutybound shard {self._name}")
            self._connection = connection
            connection.add_log_listener(self._hear)
            try:
                self._waits(await connection.fetchval(_ON_TWO))
            except StoreUnavailable:
                self.drop()
                raise
            # Nobody makes a commit less durable by a setting of the role or the database.
            await connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
            )
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
                return False
            self._session = await connection.fetchrow(
                "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            )
        return True

    def _hear(self, _connection: Any, message: Any) -> None:
        if message.severity_en in ("WARNING", "ERROR", "FATAL", "PANIC"):
            self._warning = str(message.message)

    def _waits(self, named: bool) -> None:
        """Refuse a server that waits for no standby: a promotion, or somebody, changed it after the start looked."""
        if self._store.replicated and not named:
            raise StoreHindered("`synchronous_standby_names` is empty: commits wait for no standby")

    def commit(self, group: Group) -> asyncio.Future[None]:
        return self._loop.create_task(self._commit(group))

    async def _commit(self, group: Group) -> None:
        self._warning = None
        with told():
            async with asyncio.timeout(COMMIT_TIMEOUT):
                if group.changes:
                    swapped = await self._commit_with_changes(self._ours, group)
                else:
                    swapped, named = await self._ours.fetchrow(_COMMIT, *_values(group, self._store.vault))
                    self._waits(named)
        if self._warning is not None:
            raise StoreUnavailable(f"the commit came with a warning: {self._warning}")
        if swapped != 1:
            raise Superseded("the head is another's")

    async def _commit_with_changes(self, connection: asyncpg.Connection[asyncpg.Record], group: Group) -> int:
        vault = self._store.vault
        # On any error the session is given up, and the transaction with it; nothing is said to a server that may hang.
        try:
            await connection.execute("BEGIN")
            for change in group.changes:
                if isinstance(change, Rows):
                    at = columns.places([column.type for column in change.table.c])
                    rows = [columns.sealed(vault, at, row) for row in change.rows]
                    await connection.executemany(insertion(change.table, statements.asyncpg()), rows)
                    continue
                core = change.statement if isinstance(change, Guarded) else change
                wanted = filled(core, statements.asyncpg(), vault)
                done = await connection.execute(wanted[0], *wanted[1])
                if isinstance(change, Guarded) and done.rpartition(" ")[2] == "0":
                    await connection.execute("ROLLBACK")
                    raise Conflict("somebody acted at the same moment")
            swapped: int
            swapped, named = await connection.fetchrow(_COMMIT, *_values(group, self._store.vault))
            self._waits(named)
            if swapped != 1:
                raise Superseded("the head is another's")
            await connection.execute("COMMIT")
        except Conflict:
            raise
        except BaseException:
            connection.terminate()
            raise
        return swapped

    @property
    def _ours(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None:
            raise StoreUnavailable("the session was lost")
        return self._connection

    @contextlib.asynccontextmanager
    async def _session_of(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        with told():
            async with asyncio.timeout(COMMIT_TIMEOUT):
                yield self._ours

    async def create(self, origin: str, verifier: str, root: bytes, checkpoint: str) -> Head:
        async with self._session_of() as connection, connection.transaction():
            await connection.execute("LOCK TABLE shard IN SHARE ROW EXCLUSIVE MODE")
            id_ = await connection.fetchval("SELECT coalesce(max(id), 0) + 1 FROM shard")
            head = Head(id_, self._name, origin, verifier, 0, 0, root, 0, checkpoint)
            await connection.execute(
                "INSERT INTO shard (id, name, origin, verifier, epoch, size, root, floor, checkpoint, erasures)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                *head,
            )
        return head

    async def claim(self, before: Head, after: Head) -> None:
        async with self._session_of() as connection:
            if await connection.fetchval(_SWAP, *_swap(before, after)) is None:
                raise Superseded("the head is another's")

    async def key(self, shard: int, period: str, fresh: bytes) -> tuple[int, bytes | None]:
        async with self._session_of() as connection:
            await connection.execute(
                "INSERT INTO period_key (shard, period, secret) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                *columns.sealed(self._store.vault, _KEY_AT, (shard, period, fresh)),
            )
            row = await connection.fetchrow(
                "SELECT id, secret FROM period_key WHERE shard = $1 AND period = $2", shard, period
            )
            assert row is not None, "it was there or has been made"
        ((id_, secret),) = columns.opened(self._store.vault, _SECRET_AT, [tuple(row)])
        return id_, secret

    async def requester(self, issuer: str, client: str) -> int:
        async with self._session_of() as connection:
            await connection.execute(
                "INSERT INTO requester (issuer, client) VALUES ($1, $2) ON CONFLICT DO NOTHING", issuer, client
            )
            found: int = await connection.fetchval(
                "SELECT id FROM requester WHERE issuer = $1 AND client = $2", issuer, client
            )
        return found

    def subject_keys_at_once(self, _shard: int, _subjects: Sequence[tuple[str, str]], /) -> None:
        return None

    async def subject_keys(self, shard: int, subjects: Sequence[tuple[str, str]], /) -> Sequence[SubjectKey]:
        vault = self._store.vault
        asked = [columns.sealed(vault, _ASKED_AT, subject) for subject in subjects]
        schemes, values = [scheme for scheme, _ in asked], [value for _, value in asked]
        async with self._session_of() as connection:
            found = [tuple(row) for row in await connection.fetch(_SUBJECT_KEYS, shard, schemes, values)]
        return columns.opened(vault, _SUBJECT_KEY_AT, found)

    async def renew(self) -> None:
        ghost = self._session
        self.drop()
        self._store.renewed()
        for _ in range(int(_GHOST_GONE_WITHIN / 0.1)):
            if await self.begin():
                return
            with told():
                if ghost is not None:  # our own old session may sit on the server, waiting for its standby
                    await self._ours.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2",
                        *ghost,
                    )
            self.drop()
            await asyncio.sleep(0.1)
        raise StoreUnavailable(f"another session holds shard `{self._name}`")

    async def probe(self) -> None:
        async with self._session_of() as connection:
            self._waits(await connection.fetchval(_ON_TWO))
            await connection.execute("SELECT 1 FROM shard LIMIT 1 FOR UPDATE")

    async def release(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            async with self._session_of() as connection:
                await connection.execute("SELECT pg_advisory_unlock($1)", self._lock)
        self.drop()

    def drop(self) -> None:
        """End the session from this side, whatever it is doing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _swap(before: Head, after: Head) -> tuple[object, ...]:
    new = (after.verifier, after.epoch, after.size, after.root, after.floor, after.checkpoint)
    return (*new, before.id, before.epoch, before.size, before.root, before.erasures)


def _values(group: Group, vault: Vault | None) -> list[object]:
    found: list[object] = [*_swap(group.before, group.after)]
    found += zip(*group.entries, strict=True)
    found += zip(*group.requesters, strict=True)
    found += zip(*group.subtrees, strict=True) if group.subtrees else [()] * 4
    keys = [columns.sealed(vault, _ROW_AT, row) for row in group.keys]
    found += zip(*keys, strict=True) if keys else [()] * 5
    return found
