"""The index that a delivery becomes: one SQLite file, written once, then only read, and replaced as a whole.

It has a table for each dataset (`table`), with the columns of `rows.Columns`; `delivery` says what it is
of, `datasets` by which mapping each table was made, and `vanished` which records earlier deliveries had and none has
had since. A connection that is open on a replaced file goes on reading it to its end.
"""

from __future__ import annotations

import datetime
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from connectors.base import UnreachedError
from connectors.delivered.report import Counted
from connectors.delivered.rows import Columns
from connectors.delivered.values import Stored

FILE = "index.sqlite"
BATCH = 5000
KEPT = 90
"""Days that a vanished record is known as such."""
_FORM = 1
"""Of the index itself: one of another is made anew."""

_TABLES = """
CREATE TABLE delivery (form INTEGER, sequence INTEGER, digest BLOB, as_of REAL);
CREATE TABLE datasets (name TEXT PRIMARY KEY, fingerprint BLOB, records INTEGER);
CREATE TABLE vanished (dataset TEXT, id TEXT, version TEXT, scheme TEXT, value TEXT, sequence INTEGER, since REAL);
"""
_OF = "SELECT sequence, digest, as_of FROM delivery WHERE form = ?"


class Known(NamedTuple):
    """What an index is of. `as_of` in seconds since 1970; `fingerprints` by dataset."""

    sequence: int
    digest: bytes
    as_of: float
    fingerprints: Mapping[str, bytes]


class Vanished(NamedTuple):
    """A record that an earlier delivery had; `since` is the moment of the first without it, in seconds since 1970."""

    dataset: str
    id: str
    version: str
    scheme: str
    value: str
    sequence: int
    since: float


def address(path: Path) -> str:
    """The file as SQLite's URI; whoever opens it takes it for one that never changes."""
    return f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(address(path), uri=True)


def known(folder: Path) -> Known | None:
    """What the folder's index is of; None where there is none that this version reads."""
    if not (folder / FILE).exists():
        return None
    try:
        database = _opened(folder / FILE)
        try:
            found = database.execute(_OF, (_FORM,)).fetchone()
            prints = dict(database.execute("SELECT name, fingerprint FROM datasets"))
        finally:
            database.close()
    except sqlite3.Error:
        raise UnreachedError(
            f"`{folder / FILE}` cannot be read; move it away, and have the last delivery taken in again"
        ) from None
    return None if found is None else Known(found[0], found[1], found[2], prints)


def vanished(folder: Path, most: int = 1000) -> list[Vanished]:
    """The records that vanished and did not come back, the latest first, at most so many. Raises `sqlite3.Error`."""
    if not (folder / FILE).exists():
        return []
    database = _opened(folder / FILE)
    try:
        found = database.execute("SELECT * FROM vanished ORDER BY since DESC, dataset, id LIMIT ?", (most,))
        return [Vanished(*row) for row in found]
    finally:
        database.close()


def gone(folder: Path) -> dict[tuple[str, int], int]:
    """How many records vanished and did not come back, by dataset and the first delivery without them.

    Raises `sqlite3.Error`.
    """
    if not (folder / FILE).exists():
        return {}
    database = _opened(folder / FILE)
    try:
        found = database.execute("SELECT dataset, sequence, count(*) FROM vanished GROUP BY dataset, sequence")
        return {(dataset, sequence): count for dataset, sequence, count in found}
    finally:
        database.close()


def table(dataset: str) -> str:
    """What the index calls a dataset's table."""
    return f"d-{dataset}"


def _quoted(dataset: str) -> str:
    return '"' + table(dataset).replace('"', '""') + '"'


class Building:
    """A new index, in a file of its own until `done`; then its folder's `FILE` is it. It has at most so many bytes.

    Every method raises `sqlite3.Error` where the file cannot be written, or would be larger.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._database = sqlite3.connect(f"file:{quote(str(path))}", uri=True, isolation_level=None)
        page = self._database.execute("PRAGMA page_size").fetchone()[0]
        self._database.execute(f"PRAGMA max_page_count = {max(most // page, 1)}")
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -32768"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")
        self._counts: dict[str, int] = {}
        self._columns: dict[str, Columns] = {}

    def begin(self, columns: Columns) -> None:
        """The next dataset's table."""
        name = columns.shape.id
        self._database.execute(f"CREATE TABLE {_quoted(name)} ({', '.join(columns.names)})")
        self._counts[name], self._columns[name] = 0, columns

    def add(self, dataset: str, rows: Sequence[Sequence[Stored | None]]) -> None:
        """More rows, in the order of the columns' names."""
        marks = ", ".join("?" * len(self._columns[dataset].names))
        self._database.executemany(f"INSERT INTO {_quoted(dataset)} VALUES ({marks})", rows)  # noqa: S608 - marks
        self._counts[dataset] += len(rows)

    def end(self, dataset: str, most: int = 1000) -> list[tuple[int, int]]:
        """Index the dataset's table; of each id that appears twice the first and the last place of it, from 1."""
        columns, held = self._columns[dataset], _quoted(dataset)
        subject = ["s_value"] if columns.constant is not None else ["s_value", "s_scheme"]
        number = list(self._columns).index(dataset)
        self._database.execute(f"CREATE INDEX by_id_{number} ON {held} (m_id)")
        self._database.execute(f"CREATE INDEX by_subject_{number} ON {held} ({', '.join(subject)})")
        twice = f"SELECT min(rowid), max(rowid) FROM {held} GROUP BY m_id HAVING count(*) > 1 LIMIT ?"  # noqa: S608
        return list(self._database.execute(twice, (most,)))

    def done(self, folder: Path, sequence: int, digest: bytes, as_of: datetime.datetime) -> dict[str, Counted]:
        """Compare with the index before, and take its place; how many records there are, and how many vanished."""
        database, since = self._database, as_of.timestamp()
        for name, columns in self._columns.items():
            row = (name, columns.fingerprint, self._counts[name])
            database.execute("INSERT INTO datasets VALUES (?, ?, ?)", row)
        database.execute("INSERT INTO delivery VALUES (?, ?, ?, ?)", (_FORM, sequence, digest, since))
        database.execute("COMMIT")
        gone = dict.fromkeys(self._columns, 0)
        if (before := known(folder)) is not None:
            database.execute("ATTACH ? AS old", (address(folder / FILE),))
            gone = {name: self._vanished(columns, before, sequence, since) for name, columns in self._columns.items()}
            database.execute("DETACH old")
        database.close()
        self._path.chmod(0o400)
        _to_disk(self._path)
        os.replace(self._path, folder / FILE)
        _to_disk(folder)
        return {name: Counted(count, gone[name]) for name, count in self._counts.items()}

    def _vanished(self, columns: Columns, before: Known, sequence: int, since: float) -> int:
        database, name = self._database, columns.shape.id
        held = _quoted(name)
        none_has = f"NOT EXISTS (SELECT 1 FROM main.{held} AS new WHERE new.m_id = was"  # noqa: S608 - a dataset's name
        kept = f"SELECT * FROM old.vanished AS was WHERE dataset = ? AND since > ? AND {none_has}.id)"  # noqa: S608
        database.execute(f"INSERT INTO vanished {kept}", (name, since - KEPT * 86_400))
        old = [row[1] for row in database.execute(f"PRAGMA old.table_info({held})")]
        if not old:
            return 0
        scheme = "s_scheme" if "s_scheme" in old else "?"
        constant = [] if "s_scheme" in old else [columns.constant or ""]
        of_old = f"SELECT ?, m_id, m_version, {scheme}, s_value, ?, ? FROM old.{held} AS was"  # noqa: S608
        told = (name, *constant, sequence, since)
        return database.execute(f"INSERT INTO vanished {of_old} WHERE {none_has}.m_id)", told).rowcount

    def drop(self) -> None:
        """Give it up."""
        self._database.close()
        self._path.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
