"""The rows of what is to be selected: those that wait, how far the ledger was, and those that are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, func, select, update

from gateway.storage.recall.recalls import SELECTING, Job, recall, recall_job
from gateway.storage.subjects.acts import matter

_AT_ONCE = 200
_NEWER = ("corrected", "unreported")
"""The causes that name the version in force instead."""

_sizes: msgspec.json.Decoder[dict[str, int]] = msgspec.json.Decoder(dict[str, int])

Shortened = tuple[str, str, str, int, int]
"""An answer that a shortened period had a recall of: scheme, value, dataset, the first day of display, entry."""


def waiting(connection: Connection, most: int) -> list[Job]:
    """The first that wait, oldest first."""
    query = select(recall_job).where(SELECTING)
    return _jobs(connection, query.order_by(recall_job.c.at, recall_job.c.filed_in, recall_job.c.id).limit(most))


def of_ids(connection: Connection, ids: Collection[str]) -> list[Job]:
    """Those of these ids, in the order they were filed."""
    found: list[Job] = []
    for some in _sliced(sorted(ids)):
        found += _jobs(connection, select(recall_job).where(recall_job.c.id.in_(some)))
    return sorted(found, key=lambda job: (job.at, job.filed_in, job.id))


def sizes_of(job: Job) -> Mapping[int, int] | None:
    """How many entries each shard had once its act stood, where that was read yet."""
    return None if job.sizes is None else {int(shard): size for shard, size in _sizes.decode(job.sizes).items()}


def note_sizes(engine: Engine, ids: Sequence[str], sizes: Mapping[int, int]) -> None:
    """Keep how many entries each shard has, for jobs of which it is not kept yet."""
    said = msgspec.json.encode({str(shard): size for shard, size in sizes.items()}).decode()
    with engine.begin() as connection:
        for some in _sliced(ids):
            mine = (recall_job.c.id.in_(some), recall_job.c.sizes.is_(None))
            connection.execute(update(recall_job).where(*mine).values(sizes=said))


def note_selected(engine: Engine, ids: Sequence[str], now: int) -> int:
    """Mark jobs as complete in their recalls; returns how many were not marked yet."""
    done = 0
    with engine.begin() as connection:
        for some in _sliced(ids):
            mine = (recall_job.c.id.in_(some), recall_job.c.state == "waits")
            done += connection.execute(update(recall_job).where(*mine).values(state="selected", selected=now)).rowcount
    return done


def newer_versions(connection: Connection, jobs: Sequence[Job]) -> Mapping[str, frozenset[str]]:
    """Of each job about a record, the versions that came in force after its own, as later jobs have them."""
    subjects = sorted({(job.scheme, job.value) for job in jobs if job.record is not None and job.scheme is not None})
    later: dict[tuple[Any, ...], list[Job]] = defaultdict(list)
    for scheme in sorted({scheme for scheme, _ in subjects}):
        # By scheme: of pairs in a list, SQLite would ask no index.
        for some in _sliced(value for its, value in subjects if its == scheme):
            about = (recall_job.c.scheme == scheme, recall_job.c.value.in_(some))
            for each in _jobs(connection, select(recall_job).where(*about, recall_job.c.cause.in_(_NEWER))):
                later[_record(each)].append(each)
    return {
        job.id: frozenset(
            each.new_version for each in later[_record(job)] if each.new_version is not None and _later(each, job)
        )
        for job in jobs
        if job.record is not None and job.cause in _NEWER
    }


def reported(connection: Connection, subjects: Iterable[tuple[str, str]]) -> set[tuple[str, str, str, str]]:
    """The versions of these subjects' records that somebody reported: scheme, value, dataset, and
    `<record>@<version>`.

    Told of are both versions of a correction that counts, and those that were found to be in force without one.
    """
    found: set[tuple[str, str, str, str]] = set()
    named = sorted(set(subjects))
    for scheme in sorted({scheme for scheme, _ in named}):
        for some in _sliced(value for its, value in named if its == scheme):
            for table, mine in (
                (recall_job, recall_job.c.cause.in_(_NEWER)),
                (matter, and_(matter.c.event == "corrected", matter.c.state == "decided")),
            ):
                about = [table.c[name] for name in ("scheme", "value", "dataset", "record", "version", "new_version")]
                query = select(*about).where(table.c.scheme == scheme, table.c.value.in_(some), mine)
                for its, value, dataset, record, *versions in connection.execute(query):
                    found.update((its, value, dataset, f"{record}@{each}") for each in versions if each)
    return found


def shortened_before(connection: Connection, jobs: Iterable[Job]) -> set[Shortened]:
    """What shortened periods had recalls of, whatever was answered, of the subjects of those jobs that are of one."""
    found: set[Shortened] = set()
    of = {(job.scheme, job.value) for job in jobs if job.since is not None and job.scheme is not None}
    for scheme in sorted({scheme for scheme, _ in of}):
        for some in _sliced(sorted(value or "" for its, value in of if its == scheme)):
            query = select(*(recall_job.c[name] for name in ("scheme", "value", "dataset", "since")), recall.c.place)
            about = (recall_job.c.scheme == scheme, recall_job.c.value.in_(some), recall_job.c.since.is_not(None))
            for row in connection.execute(query.join(recall, recall.c.job == recall_job.c.id).where(*about)):
                found.add((row.scheme, row.value, row.dataset, row.since, row.place))
    return found


def last_selected(connection: Connection) -> int | None:
    """When a job was selected last (microseconds)."""
    return connection.execute(select(func.max(recall_job.c.selected))).scalar()


def corrected_since(connection: Connection, since: int) -> list[str]:
    """The jobs of corrections that were selected since then (microseconds)."""
    query = select(recall_job.c.id).where(recall_job.c.selected > since, recall_job.c.cause.in_(_NEWER))
    return list(connection.execute(query.order_by(recall_job.c.selected, recall_job.c.id)).scalars())


def recalled_of(connection: Connection, ids: Collection[str]) -> set[tuple[str, int, str]]:
    """The recalls that there are of these jobs: job, entry and dataset."""
    found: set[tuple[str, int, str]] = set()
    for some in _sliced(sorted(ids)):
        query = select(recall.c.job, recall.c.place, recall.c.dataset).where(recall.c.job.in_(some))
        found.update((job, place, dataset) for job, place, dataset in connection.execute(query))
    return found


def _record(job: Job) -> tuple[Any, ...]:
    return job.scheme, job.value, job.dataset, job.record


def _later(each: Job, job: Job) -> bool:
    return (each.at, each.filed_in, each.id) > (job.at, job.filed_in, job.id)


def _jobs(connection: Connection, query: Any) -> list[Job]:
    return [Job._make(row) for row in connection.execute(query)]


def _sliced(ids: Iterable[Any]) -> Iterator[list[Any]]:
    whole = list(ids)
    for start in range(0, len(whole), _AT_ONCE):
        yield whole[start : start + _AT_ONCE]
