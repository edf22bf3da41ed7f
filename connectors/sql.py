"""The connector for departments that give a read-only account on their database: tables or views.

One transaction per inquiry, set read-only in the database too, so that all its datasets are of one moment. The column
list holds the record's own columns and exactly the requested fields' columns; identifiers are bound parameters. Names
of tables and columns are checked when the configuration is read, and quoted by SQLAlchemy besides.

SQLite, PostgreSQL and MariaDB (through synchronous drivers). The database works in threads of its own, as many as
`limits.concurrency`; a statement that outlives the inquiry is ended by the database, or its connection is cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import (
    Config,
    Connector,
    DatasetRequest,
    DatasetShape,
    Failure,
    Fault,
    Mismatch,
    Outcome,
    RecordRequest,
    Subject,
)
from connectors.database.bounding import MOST
from connectors.database.failing import INVALID, REFUSED, TIMEOUT, UNAVAILABLE, of_rows, refused
from connectors.database.opening import DATABASE_KEYS, open_engine
from connectors.database.reading import CrowdedError, Readers, examine
from connectors.database.table import RowLimits, Table, read_table
from connectors.explaining import tables
from connectors.kit.breaker import CROWDED, Breaker, read_breaker
from connectors.kit.source import invalid, read_datasets, unmapped

DEPARTMENT_KEYS = ("kind", "url", *DATABASE_KEYS, "limits", "datasets")
_Key = tuple[Subject, str]
Ready = Callable[[sa.Connection, str], Failure | None]
"""Why a dataset cannot be told by the connection's transaction, whatever its rows are."""


class SqlConnector:
    """Fills `connectors.base.Connector`."""

    def __init__(
        self,
        readers: Readers,
        tables: Mapping[str, Table],
        timeout: float,
        breaker: Breaker,
        ready: Ready = lambda _connection, _dataset: None,
    ) -> None:
        self._readers, self._ready = readers, ready
        self._tables = tables
        self._timeout = timeout
        self._breaker = breaker

    async def fetch(self, request: RecordRequest) -> Mapping[_Key, Outcome]:
        """See the port."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        end = min(request.deadline, now + self._timeout)
        if now >= end:
            return _all(request, TIMEOUT)
        if not self._breaker.admits(now):
            return _all(request, self._breaker.failure)
        outcomes: dict[_Key, Outcome] = {}
        try:
            await self._readers.run(lambda connection, until: self._read(connection, request, until, outcomes), end)
        except CrowdedError:
            self._breaker.unsent()
            return _all(request, CROWDED)
        except TimeoutError:
            outcomes = _all(request, TIMEOUT)
        except SQLAlchemyError:
            outcomes = {**_all(request, TIMEOUT if loop.time() >= end else UNAVAILABLE), **outcomes}
        except BaseException:
            self._breaker.abandoned(loop.time(), end)
            raise
        if any(outcome in (UNAVAILABLE, TIMEOUT) for outcome in outcomes.values() if isinstance(outcome, Failure)):
            self._breaker.failed(loop.time())
        else:
            self._breaker.worked(loop.time())
        return outcomes

    def _read(
        self, connection: sa.Connection, request: RecordRequest, until: float, outcomes: dict[_Key, Outcome]
    ) -> None:
        """Every dataset in one transaction, in a thread, into `outcomes`. `until` is on `time.monotonic`'s clock."""
        for dataset in request.datasets:
            outcomes |= self._dataset(connection, dataset, request, until)

    def _dataset(
        self, connection: sa.Connection, dataset: DatasetRequest, request: RecordRequest, until: float
    ) -> dict[_Key, Outcome]:
        table = self._tables.get(dataset.dataset)
        if table is None:
            return unmapped(request, dataset.dataset)
        hindered = self._ready(connection, dataset.dataset)
        found = hindered or _read(connection, table, dataset.fields, dataset.subjects, until)
        if isinstance(found, Failure) and found.fault is Fault.INVALID and len(dataset.subjects) > 1:
            # What is wrong with one subject's rows is not the others': each is asked about alone.
            alone: dict[Subject, Outcome] = {}
            for subject in dataset.subjects:
                one = _read(connection, table, dataset.fields, (subject,), until)
                alone[subject] = one if isinstance(one, Failure) else one[subject]
            found = alone
        return {
            (subject, dataset.dataset): found if isinstance(found, Failure) else found[subject]
            for subject in dataset.subjects
        }

    async def explain(self, request: RecordRequest) -> list[Mismatch]:
        """See `Explained`."""
        return await tables.explain(self._readers, self._tables, request, self._timeout)

    async def examine(self) -> list[str]:
        """See `Examined`: every mapped column of every table is there to be read."""
        selects = {name: table.of_nobody() for name, table in self._tables.items()}
        places = [table.place for table in self._tables.values()]
        return await examine(self._readers, self._timeout, selects, places)

    async def close(self) -> None:
        """See the port."""
        await self._readers.close()


def _read(
    connection: sa.Connection, table: Table, fields: tuple[str, ...], subjects: tuple[Subject, ...], until: float
) -> Mapping[Subject, Outcome] | Failure:
    if time.monotonic() >= until:
        return TIMEOUT
    try:
        # A savepoint: what one dataset breaks must not end the transaction for the others.
        with connection.begin_nested():
            read = table.read(connection, fields, subjects)
        if time.monotonic() >= until:  # what ended a statement of MariaDB need not have made it an error
            return TIMEOUT
    except (SQLAlchemyError, ValueError, ArithmeticError) as error:
        if time.monotonic() >= until:
            return TIMEOUT
        rows = of_rows(error)
        if rows is None:
            rows = _runs(connection, table)
            return INVALID if rows else REFUSED
        return INVALID if rows else REFUSED if refused(error) else UNAVAILABLE
    return invalid(read) if isinstance(read, str) else read


def _runs(connection: sa.Connection, table: Table) -> bool:
    """Whether the dataset's statement can run, where it meets no row."""
    try:
        with connection.begin_nested():
            connection.execute(table.of_nobody())
    except SQLAlchemyError:
        return False
    return True


def _all(request: RecordRequest, failure: Failure) -> dict[_Key, Outcome]:
    return {(subject, dataset.dataset): failure for dataset in request.datasets for subject in dataset.subjects}


def build(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
    """The connector of one department of `kind: sql`."""
    keys = config.mapping(("datasets",), DEPARTMENT_KEYS)
    limits = keys["limits"].mapping((), ("timeout", "concurrency", "rows", "max_bytes", "breaker"))
    timeout = limits["timeout"].duration(2.0)
    concurrency = limits["concurrency"].integer(1, 200, 8)
    rows = limits["rows"].integer(1, 100_000, 1000)
    most = RowLimits(rows, limits["max_bytes"].size(MOST))
    engine = open_engine(keys, concurrency, timeout, most.bytes)
    datasets = read_datasets(keys["datasets"], shapes)
    tables = {shape.id: read_table(part, shape, most, engine.dialect.name) for part, shape in datasets}
    return SqlConnector(
        Readers(engine, concurrency), tables, timeout, Breaker(read_breaker(limits["breaker"], timeout))
    )
