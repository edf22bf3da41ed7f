"""One intake: a delivery is pulled, checked whole, and takes the place of the one before; or nothing is changed.

One at a time has an index's folder (`flock`); who comes second is sent away. What is pulled stands in quarantine,
which nobody reads from, until the whole of it is right. A sequence that is not greater than the index's own is refused,
also after a restart, since the index itself remembers it; only the very same delivery may be taken in again, where
`sources.yaml` maps it otherwise by now.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from connectors.base import UnreachedError
from connectors.delivered import csv_rows, index, json_rows, manifest, parquet_rows
from connectors.delivered.csv_rows import Dialect
from connectors.delivered.manifest import Listed, Manifest
from connectors.delivered.place import Place
from connectors.delivered.report import (
    Counted,
    Outcome,
    RefusedError,
    Report,
    Trouble,
    Troubles,
    keep,
    refused,
)
from connectors.delivered.rows import Canonical, Columns, Wrong
from connectors.delivered.values import TYPED, Stored, of_text

LOCK = "lock"
QUARANTINE = "quarantine-"
INDEX = 4
"""So many times the bytes that a delivery may have, its index may: a small Parquet file can hold any number of rows."""


class Dataset(msgspec.Struct, frozen=True):
    """How one dataset's rows are read."""

    columns: Columns
    dialect: Dialect


class Intake:
    """Of one department. `place` gives its files, a new one for each pull; `most` bytes may one delivery have."""

    def __init__(
        self,
        folder: Path,
        place: Callable[[], Place],
        signers: frozenset[str],
        datasets: Mapping[str, Dataset],
        most: int,
        memory: int,
    ) -> None:
        self.folder, self._place, self._signers = folder, place, signers
        self._datasets, self._most, self._memory = datasets, most, memory

    def take(self, canonical: Canonical) -> Report:
        """Take in what is there now, and return the result. Raises `OSError` where the index's folder is unfit."""
        now = datetime.datetime.now(datetime.UTC)
        seen: list[Manifest] = []
        with self._alone() as alone:
            if not alone:
                return _report(Outcome.UNREACHED, now, [Trouble("another intake of this department is running")])
            try:
                counted = self._taken(canonical, now, seen)
                report = _report(Outcome.UNCHANGED if counted is None else Outcome.TAKEN, now, [], seen, counted)
            except RefusedError as error:
                report = _report(Outcome.REFUSED, now, error.troubles, seen, more=error.more)
            except UnreachedError as error:
                report = _report(Outcome.UNREACHED, now, [Trouble(str(error))], seen)
            if report.outcome is not Outcome.UNCHANGED:
                keep(self.folder, report)
            return report

    def look(self) -> list[str]:
        """What hinders a pull, in words; nothing is taken in."""
        try:
            with contextlib.closing(self._place()) as place:
                place.small(manifest.NAME, manifest.MOST)
        except (UnreachedError, RefusedError) as error:
            return [str(error)]
        return []

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with (self.folder / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            for left in self.folder.glob(f"{QUARANTINE}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield True

    def _taken(self, canonical: Canonical, now: datetime.datetime, seen: list[Manifest]) -> dict[str, Counted] | None:
        with contextlib.closing(self._place()) as place:
            body = place.small(manifest.NAME, manifest.MOST)
            if body is None:
                raise UnreachedError(f"there is no `{manifest.NAME}`: nothing was delivered yet")
            signature = place.small(manifest.SIGNATURE, manifest.MOST)
            if signature is None:
                raise refused("is not there; sign the manifest", manifest.SIGNATURE)
            found = manifest.read(body, signature, self._signers, now)
            seen.append(found)
            digest = hashlib.sha256(body).digest()
            if not self._newer(found, digest):
                return None
            files = manifest.by_dataset(found, self._datasets)
            if sum(each.size for each in found.files) > self._most:
                raise refused("lists more bytes than `limits.delivery`", manifest.NAME)
            quarantine = Path(tempfile.mkdtemp(prefix=QUARANTINE, dir=self.folder))
            try:
                for each in found.files:
                    with (quarantine / each.name).open("xb") as copy:
                        place.copy(each, copy)
                return self._indexed(quarantine, files, found, digest, canonical)
            finally:
                shutil.rmtree(quarantine, ignore_errors=True)

    def _newer(self, found: Manifest, digest: bytes) -> bool:
        """Whether it is to be taken in; not where it is already. Raises `RefusedError` where it may not be."""
        last = index.known(self.folder)
        if last is None or found.sequence > last.sequence:
            if last is not None and found.as_of.timestamp() < last.as_of:
                raise refused("`asOf` is before that of the delivery taken in last", manifest.NAME)
            return True
        if found.sequence == last.sequence and digest == last.digest:
            mapped = {name: each.columns.fingerprint for name, each in self._datasets.items()}
            return mapped != last.fingerprints
        if found.sequence == last.sequence:
            raise refused("its sequence is that of another delivery that was taken in; count on", manifest.NAME)
        raise refused(
            f"its sequence is {found.sequence}, and {last.sequence} was taken in: an older delivery is never taken",
            manifest.NAME,
        )

    def _indexed(
        self,
        quarantine: Path,
        files: Mapping[str, list[Listed]],
        found: Manifest,
        digest: bytes,
        canonical: Canonical,
    ) -> dict[str, Counted]:
        building, troubles = index.Building(quarantine / f".{index.FILE}", 2**20 + INDEX * self._most), Troubles()
        try:
            for name, dataset in self._datasets.items():
                building.begin(dataset.columns)
                self._read(quarantine, files[name], dataset, building, canonical, troubles)
            troubles.settle()
            return building.done(self.folder, found.sequence, digest, found.as_of)
        except sqlite3.Error as error:
            building.drop()
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            words = f"{error}, or larger than {INDEX} times `limits.delivery`" if full else str(error)
            raise OSError(errno.EIO, words, str(self.folder)) from error
        except BaseException:
            building.drop()
            raise

    def _read(
        self,
        quarantine: Path,
        files: list[Listed],
        dataset: Dataset,
        building: index.Building,
        canonical: Canonical,
        troubles: Troubles,
    ) -> None:
        """Put the dataset's rows into the index, as far as they are right."""
        name, ends, before = dataset.columns.shape.id, list[tuple[int, Listed]](), troubles.count
        total = 0
        for listed in files:
            csv = listed.format == "csv"
            readers = of_text(dataset.dialect.comma, dataset.dialect.booleans) if csv else TYPED
            read = dataset.columns.reader(readers, canonical)
            start = total
            with (quarantine / listed.name).open("rb") as file:
                rows = self._rows(file, listed, dataset)
                while batch := list(itertools.islice(rows, index.BATCH)):
                    good: list[list[Stored | None]] = []
                    for number, row in batch:
                        values = row if isinstance(row, Wrong) else read(row)
                        if isinstance(values, Wrong):
                            troubles.add(Trouble(values.what, listed.name, number, values.column))
                        else:
                            good.append(values)
                    building.add(name, good)
                    total += len(batch)
                    if total - start > listed.rows + index.BATCH:
                        raise refused(f"has more rows than the {listed.rows} of the manifest", listed.name)
            if total - start != listed.rows:
                troubles.add(Trouble(f"has {total - start} rows; the manifest has {listed.rows}", listed.name))
            ends.append((total, listed))
        twice = building.end(name)
        if troubles.count == before:
            id_ = ".".join(dataset.columns.mapped.id)
            for first, second in twice:
                there, other = _where(ends, first)
                troubles.add(Trouble(f"is the id of row {other} of `{there}` too", *_where(ends, second), id_))

    def _rows(self, file: Any, listed: Listed, dataset: Dataset) -> Iterator[tuple[int, list[Any] | Wrong]]:
        if listed.format == "csv":
            return csv_rows.rows(file, listed.name, dataset.dialect, dataset.columns)
        if listed.format == "jsonl":
            return json_rows.rows(file, listed.name, dataset.columns)
        if not parquet_rows.installed():
            raise UnreachedError("Parquet needs pyarrow, which is not installed; install `dutybound[parquet]`")
        return parquet_rows.rows(file, listed.name, dataset.columns, self._memory)


def _where(ends: list[tuple[int, Listed]], place: int) -> tuple[str, int]:
    """The file and the row of the dataset's `place`-th record, from 1."""
    start = 0
    for end, listed in ends:
        if place <= end:
            return listed.name, place - start + (listed.format == "csv")
        start = end
    return "", 0


def _report(
    outcome: Outcome,
    now: datetime.datetime,
    troubles: list[Trouble],
    seen: list[Manifest] | None = None,
    datasets: dict[str, Counted] | None = None,
    more: int = 0,
) -> Report:
    of = {"sequence": seen[0].sequence, "as_of": seen[0].as_of.isoformat()} if seen else {}
    at = now.isoformat(timespec="seconds")
    return Report(outcome=outcome, at=at, datasets=datasets or {}, troubles=troubles, more=more, **of)  # type: ignore[arg-type]
