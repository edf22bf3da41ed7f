"""The connector for departments that have no API and deliver files: CSV, JSON Lines or Parquet, with a signed manifest.

Inquiries are answered from an index that another process makes of the last delivery (`deliver`); a new one takes the
place of the old in one step, so that all datasets of an inquiry are of one delivery. Each inquiry opens the index that
is there then, and reads it in one transaction. What is older than `max_age` is unavailable, never stale.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec
import sqlalchemy as sa

from connectors.base import Config, Connector, DatasetShape, Failure, Fault, Outcome, RecordRequest, Subject
from connectors.database.bounding import MOST
from connectors.database.opening import unchanging_engine
from connectors.database.reading import Readers
from connectors.database.table import RowLimits, Table
from connectors.delivered import index, parquet_rows, report
from connectors.delivered.csv_rows import read_dialect
from connectors.delivered.intake import Dataset, Intake
from connectors.delivered.place import Folder, Place
from connectors.delivered.report import Report
from connectors.delivered.rows import Canonical, Columns
from connectors.delivered.sftp import Address, Sftp, file_of
from connectors.kit import sshsig
from connectors.kit.breaker import Breaker, read_breaker
from connectors.kit.source import read_datasets
from connectors.mapping.decoding import Const, Mapped, SubjectMapping, read_mapping
from connectors.sql import SqlConnector

DEPARTMENT_KEYS = ("kind", "folder", "sftp", "signers_file", "index", "max_age", "poll", "limits", "datasets")
_DELIVERY = sa.text("SELECT as_of, fingerprint FROM delivery, datasets WHERE name = :name")
_NONE = Failure(Fault.UNAVAILABLE, True, "no delivery was taken in yet")
_OLD = Failure(Fault.UNAVAILABLE, True, "the last delivery is older than `max_age`")
_OTHER = Failure(
    Fault.UNAVAILABLE, True, "the last delivery was taken in by another mapping, and is not yet by this one"
)


class FilesConnector:
    """Fills `connectors.base.Connector`, and `Examined`."""

    def __init__(self, read: SqlConnector, intake: Intake, poll: float, max_age: float) -> None:
        self._read, self._intake, self.poll, self.max_age = read, intake, poll, max_age

    async def fetch(self, request: RecordRequest) -> Mapping[tuple[Subject, str], Outcome]:
        """See the port."""
        if not (self._intake.folder / index.FILE).exists():
            return {(subject, asked.dataset): _NONE for asked in request.datasets for subject in asked.subjects}
        return await self._read.fetch(request)

    def deliver(self, canonical: Canonical) -> Report:
        """Take in what the department has delivered since. For one process at a time; it may take minutes.

        Raises `OSError` where the index's folder cannot be written.
        """
        return self._intake.take(canonical)

    def last(self) -> Report | None:
        """What came of the last intake that was none of nothing new."""
        return report.last(self._intake.folder)

    def known(self) -> index.Known | None:
        """What the index is of; None where there is none. Raises `UnreachedError`."""
        return index.known(self._intake.folder)

    def vanished(self) -> Mapping[tuple[str, int], int]:
        """As `index.gone`."""
        return index.gone(self._intake.folder)

    def vanished_records(self, most: int) -> list[index.Vanished]:
        """As `index.vanished`."""
        return index.vanished(self._intake.folder, most)

    async def examine(self) -> list[str]:
        """See `connectors.base.Examined`: the place can be read, and a delivery was taken in from there."""
        found = await asyncio.to_thread(self._intake.look)
        if not (self._intake.folder / index.FILE).exists():
            return [
                *found,
                "no delivery was taken in yet; `dutybound source deliver` takes one in, and prints what is wrong",
            ]
        return [*found, *await self._read.examine()]

    async def close(self) -> None:
        """See the port."""
        await self._read.close()


def build(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
    """The connector of one department of `kind: files`."""
    keys = config.mapping(("signers_file", "index", "max_age", "datasets"), DEPARTMENT_KEYS)
    limits = keys["limits"].mapping(
        (), ("timeout", "concurrency", "rows", "max_bytes", "breaker", "delivery", "decoding")
    )
    timeout = limits["timeout"].duration(2.0)
    most = RowLimits(limits["rows"].integer(1, 100_000, 1000), limits["max_bytes"].size(MOST))
    max_age = keys["max_age"].duration()
    folder = _index(keys["index"])
    datasets = {shape.id: _dataset(part, shape) for part, shape in read_datasets(keys["datasets"], shapes)}

    def ready(connection: sa.Connection, dataset: str) -> Failure | None:
        """Why a dataset of the index that is open cannot be told."""
        found = connection.execute(_DELIVERY, {"name": dataset}).one_or_none()
        if found is None or found.fingerprint != datasets[dataset].columns.fingerprint:
            return _OTHER
        return _OLD if time.time() - found.as_of > max_age else None

    tables = {name: _table(each.columns, most) for name, each in datasets.items()}
    concurrency = limits["concurrency"].integer(1, 200, 8)
    engine = unchanging_engine(folder / index.FILE, timeout, most.bytes)
    read = SqlConnector(
        Readers(engine, concurrency), tables, timeout, Breaker(read_breaker(limits["breaker"], timeout)), ready
    )
    intake = Intake(
        folder, _place(config, keys), _signers(keys["signers_file"]), datasets,
        limits["delivery"].size(2**36), limits["decoding"].size(parquet_rows.MEMORY),
    )  # fmt: skip
    return FilesConnector(read, intake, keys["poll"].duration(60.0), max_age)


def _index(config: Config) -> Path:
    folder = config.folder / (config.text() or "index")
    if not folder.parent.is_dir():
        config.problem(f"would be in `{folder.parent}`, which is no folder; make it")
    return folder


def _dataset(config: Config, shape: DatasetShape) -> Dataset:
    keys = config.mapping(("record", "fields"), ("csv",))
    mapped = read_mapping(keys, shape)
    if mapped.subject is None:
        keys["record"].mapping(any_key=True)["subject"].problem(
            "a delivery is asked by its rows' subjects: name them, as `{scheme: ..., value: ...}`"
        )
        nobody = SubjectMapping(Const(""), ())
        mapped = msgspec.structs.replace(mapped, subject=nobody)
    return Dataset(Columns(mapped, shape), read_dialect(keys["csv"]))


def _table(columns: Columns, limits: RowLimits) -> Table:
    """The dataset's table in the index."""
    of, there = columns.mapped, {*columns.names}

    def at(name: str) -> tuple[str, ...] | None:
        return (name,) if name in there else None

    scheme = Const(columns.constant) if columns.constant is not None else ("s_scheme",)
    mapped = Mapped(
        dataset=of.dataset, records=(), id=("m_id",), version=("m_version",), document=at("m_document"),
        effective=at("m_effective"), mitigation=at("m_mitigation"), subject=SubjectMapping(scheme, ("s_value",)),
        fields={name: (short,) for name, short in columns.fields.items()}, types=of.types,
    )  # fmt: skip
    assert mapped.subject is not None
    return Table(mapped, mapped.subject, index.table(of.dataset), None, limits, "sqlite")


def _signers(config: Config) -> frozenset[str]:
    found = set[str]()
    try:
        lines = config.existing_file().read_text("utf-8").splitlines()
    except (OSError, ValueError):
        config.problem("cannot be read as text")
        return frozenset()
    try:
        found = {sshsig.public_key(line) for line in lines if line.strip() and not line.startswith("#")}
    except ValueError as error:
        config.problem(f"a line {error}")
        return frozenset()
    if not found:
        config.problem("names no key; put the department's line of `id_ed25519.pub` there")
    return frozenset(found)


def _place(config: Config, keys: Mapping[str, Config]) -> Callable[[], Place]:
    if ("folder" in keys) == ("sftp" in keys):
        config.problem("needs one of `folder` and `sftp`, where the department puts its files")
    if "sftp" in keys:
        address = _address(keys["sftp"])
        return lambda: Sftp(address)
    # Not looked for yet: a share that is out of reach hinders no start.
    folder = config.folder / (keys["folder"].text() if "folder" in keys else "")
    return lambda: Folder(folder)


def _address(config: Config) -> Address:
    keys = config.mapping(("host", "user", "folder", "key_file", "known_hosts_file"), ("port", "within"))
    if find_spec("asyncssh") is None:
        config.problem("needs asyncssh, which is not installed; install `dutybound[sftp]`")
    hosts = ""
    try:
        hosts = file_of(keys["known_hosts_file"].existing_file())
    except (OSError, ValueError) as error:
        keys["known_hosts_file"].problem(str(error) if isinstance(error, ValueError) else "cannot be read")
    return Address(
        keys["host"].text(), keys["port"].integer(1, 65535, 22), keys["user"].text(), keys["folder"].text(),
        keys["key_file"].private_file(), hosts, keys["within"].duration(3600.0),
    )  # fmt: skip
