"""What the store shows: shards, how far projections are, the active rule set, and what waits to be done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import func, select

from gateway.ledger.archiving import prune
from gateway.ledger.log.publish import read_published
from gateway.ledger.log.retire import all_sealed
from gateway.ledger.projections import positions
from gateway.ledger.stored.read import heads
from gateway.nouns import counted
from gateway.status.lines import Line, day, lasting
from gateway.storage import schema
from gateway.storage.port import Reader, Store
from gateway.storage.recall import work
from gateway.storage.recall.recalls import SELECTING, recall, recall_job
from gateway.storage.rules.rulesets import activation
from gateway.storage.tables import moment

BEHIND = 60.0
"""Seconds that a projection may lack an entry, that one may be without a published head, or a message be due."""


def of_store(store: Store, now: int) -> Iterator[Line]:
    """All lines; `now` in microseconds since 1970. Raises `StoreUnavailable`, `VerificationFailed`, SQLAlchemy's."""
    yield _tables(store)
    with contextlib.closing(store.reader()) as reader:
        yield from _shards(store, reader, now)
        yield from _projections(reader, now)
    yield from _rules(store)
    yield from _queue(store, now)


def not_made(store: Store) -> bool:
    """Whether the store has no table yet, as before the first start. Raises SQLAlchemy's errors."""
    with store.engine.connect() as connection:
        return schema.version(connection).number is None


def _tables(store: Store) -> Line:
    with store.engine.connect() as connection:
        found = schema.version(connection)
    said = f"of step {found.number}"
    if found.later:
        said += f", made by a newer version; this one knows {schema.LATEST}, and serves them until it is replaced"
    return Line("store", "tables", said, True, {"step": found.number, "known": schema.LATEST})


def _shards(store: Store, reader: Reader, now: int) -> Iterator[Line]:
    sealed = {each.name: each for each in all_sealed(reader)}
    for head in heads(reader):
        found = read_published(reader, head.name)
        published = 0 if found is None else found.size
        facts = {"entries": head.size, "published": published, "sealed": head.name in sealed}
        said = counted(head.size, "entry", ",")
        gap = sealed.get(head.name)
        late = published < head.size and (found is None or (now / 1e6 - found.at.timestamp()) > BEHIND)
        if gap is not None:
            said += f", sealed on {day(moment(gap.at))}"
            said += f"; `{gap.named_in}` names the gap" if gap.named_in else "; no entry names the gap yet"
        elif published < head.size:
            said += f", {head.size - published:,} of them not published"
        well = (gap.named_in is not None) if gap is not None else not late
        if prune.unfinished(store, head):
            said += "; a pruning was not finished: run `dutybound ledger prune` again"
            well = False
        yield Line("ledger", head.name, said, well, facts)


def _projections(reader: Reader, now: int) -> Iterator[Line]:
    behind: dict[str, tuple[int, float]] = {}
    for each in positions.lags(reader):
        entries, seconds = behind.get(each.projection, (0, 0.0))
        since = 0.0 if each.since is None else max(0.0, (now - each.since) / 1e6)
        behind[each.projection] = entries + each.entries, max(seconds, since)
    for name, (entries, seconds) in behind.items():
        said = (
            f"{counted(entries, 'entry', ',')} behind, the first for {lasting(seconds)}"
            if entries
            else "has all entries"
        )
        yield Line("projections", name, said, seconds <= BEHIND, {"behind": entries, "seconds": round(seconds, 3)})


def _rules(store: Store) -> Iterator[Line]:
    of = activation.c
    with store.engine.connect() as connection:
        found = connection.execute(
            select(of.epoch, of.digest, of.how, of.at).order_by(of.epoch.desc()).limit(1)
        ).first()
    if found is None:
        yield Line("rules", "", "no rule set was activated yet", False)
        return
    since = moment(found.at)
    said = f"epoch {found.epoch}, {found.digest[:12]}, by {found.how} since {day(since)}"
    facts = {"epoch": found.epoch, "digest": found.digest, "how": found.how, "since": since.isoformat()}
    yield Line("rules", "active", said, True, facts)


def _queue(store: Store, now: int) -> Iterator[Line]:
    waiting, first = work.waiting(store.engine)
    late = 0.0 if first is None else max(0.0, (now - first) / 1e6)
    said = f"{waiting:,} wait" + (f", the first is due for {lasting(late)}" if late else "")
    yield Line("queue", "messages", said, late <= BEHIND, {"waiting": waiting, "late": round(late, 3)})
    with store.engine.connect() as connection:
        states = select(recall.c.state, func.count()).group_by(recall.c.state)
        by_state: dict[str, int] = {row[0]: row[1] for row in connection.execute(states)}
        jobs = connection.execute(select(func.count()).select_from(recall_job).where(SELECTING)).scalar_one()
        stopped = connection.execute(select(func.count()).select_from(work.delivery_stop)).scalar_one()
    opened, overdue = by_state.get("open", 0), by_state.get("overdue", 0)
    said = f"{opened + overdue:,} not answered" + (f", {overdue:,} of them overdue" if overdue else "")
    yield Line("queue", "recalls", said, not overdue, {"open": opened, "overdue": overdue})
    yield Line("queue", "jobs", f"{counted(jobs, 'change', ',')} to notify recipients of", True, {"jobs": jobs})
    said = f"{stopped:,} are sent nothing any more; `dutybound recalls resume`" if stopped else "all are sent to"
    yield Line("queue", "recipients", said, not stopped, {"stopped": stopped})
