"""Histories of recalls as they are drawn, entered as acts in two shards, and counted by hand for comparison."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.recall.reporting.compliance import Figures
from gateway.recall.reporting.report import Key, Report, Wanted, made
from gateway.storage.port import Store
from tests.ledger.support import KEY, opened

BEGIN = datetime.datetime(2026, 10, 20, 9, 30, tzinfo=datetime.UTC)
DEPARTMENTS = ("labour", "market", "tax")
SUBJECTS = tuple(f"54930000000000000{number:03}" for number in range(3))
HOUR = datetime.timedelta(hours=1)
HOURS = st.integers(0, 24 * 60)

_OWN: dict[str, Any] = {"requester": entries.OWN, "v": entries.VERSION}


class Recalled(NamedTuple):
    """One recall, in hours: when it was sent, by when it had to be answered, and what happened, after the sending."""

    department: str
    sent: int
    term: int
    delivered: int | None
    told_late: int | None
    answers: tuple[tuple[int, str], ...]
    subject: int = 0


class Else(NamedTuple):
    """What is counted by itself: `suspended`, `suspension-ended` or `objection-overdue`; another act counts nothing."""

    what: str
    department: str
    at: int
    subject: int = 0


History = list[Recalled | Else]

_ANSWERS = st.lists(
    st.tuples(st.integers(1, 500), st.sampled_from(("applied", "passed-on", "refused"))),
    max_size=3, unique_by=lambda each: each[0],
).map(lambda found: tuple(sorted(found)))  # fmt: skip
_SUBJECT = st.integers(0, len(SUBJECTS) - 1)
_MAYBE = st.none() | st.integers(1, 300)
HISTORIES: st.SearchStrategy[History] = st.lists(
    st.builds(Recalled, st.sampled_from(DEPARTMENTS), HOURS, st.integers(1, 300), _MAYBE, _MAYBE, _ANSWERS, _SUBJECT)
    | st.builds(
        Else,
        st.sampled_from(("suspended", "suspension-ended", "objection-overdue", "reminded")),
        st.sampled_from(DEPARTMENTS),
        HOURS,
        _SUBJECT,
    ),
    max_size=25,
)


def acts(history: History) -> list[entries.Acted]:
    """The entries of a history, in the order of time."""
    found: list[entries.Acted] = []
    for number, each in enumerate(history):
        about = {"scheme": "LEI", "value": SUBJECTS[each.subject]}
        who = entries.Who("https://login.example", f"{each.department}-office", each.department)

        def act(what: str, at: int, number: int = number, about: dict[str, str] = about, **members: Any) -> None:
            id_ = f"{number}-{len(found)}"
            found.append(entries.Acted(id=id_, at=BEGIN + at * HOUR, what=what, **_OWN, **about, **members))

        if isinstance(each, Else):
            act(each.what, each.at, to=who)
            continue
        id_ = f"{number:032x}"
        sent = {"to": who, "term": BEGIN + (each.sent + each.term) * HOUR, "action": "delete", "sequence": number + 1}
        act("recalled", each.sent, recall=id_, dataset="tax-arrears", records=("N-1@1",), **sent)
        if each.delivered is not None:
            act("delivered", each.sent + each.delivered, recall=id_)
        if each.told_late is not None:
            act("recall-overdue", each.sent + each.told_late, recall=id_, to=who)
        for at, outcome in each.answers:
            act("acknowledged", each.sent + at, recall=id_, to=who, outcome=outcome)
    return sorted(found, key=lambda told: told.at)


async def entered(store: Store, told: Sequence[entries.Acted], private: Ed25519PrivateKey = KEY) -> None:
    """Enter them in two shards, in turn."""
    async with opened(store, private=private) as one, opened(store, private=private) as other:

        async def enter(number: int, each: entries.Acted) -> None:
            parts = split(each)
            ledger = other if number % 3 == 0 else one
            await ledger.append(parts.told, parts.oversight, each.at, ("", "ledger"), (), parts.subjects)

        for first in range(0, len(told), 100):
            some = enumerate(told[first : first + 100], first)
            await asyncio.gather(*(enter(number, each) for number, each in some))


def reported(store: Store, wanted: Wanted) -> Report:
    with contextlib.closing(store.reader()) as reader:
        return made(reader, wanted)


def counted(history: History, wanted: Wanted) -> dict[Key, Figures]:
    """What the report has to say, from what was drawn and not from what was entered; rows without anything left out."""
    found: dict[Key, Figures] = {}
    took: dict[Key, list[int]] = {}
    now = max((told.at for told in acts(history)), default=BEGIN)

    def rows(each: Recalled | Else, at: int) -> Iterator[Key]:
        local = (BEGIN + at * HOUR).astimezone(wanted.zone)
        if (wanted.since or local.date()) <= local.date() <= (wanted.until or local.date()):
            name = {
                "month": f"{local.year}-{local.month:02}",
                "quarter": f"{local.year}-Q{math.ceil(local.month / 3)}",
                "year": str(local.year),
            }[wanted.by]
            yield from ((each.department, name), (each.department, None), (None, name), (None, None))

    for each in history:
        if isinstance(each, Else):
            for key in rows(each, each.at) if each.what != "reminded" else ():
                row = found.setdefault(key, Figures())
                row.suspensions += each.what == "suspended"
                row.suspensions_ended += each.what == "suspension-ended"
                row.late_objections += each.what == "objection-overdue"
            continue
        last = each.answers[-1][1] if each.answers else ""
        done = None if last == "refused" else next((at for at, said in each.answers if said != "refused"), None)
        ends = each.term * HOUR
        over = (now - BEGIN - each.sent * HOUR if done is None else done * HOUR) > ends
        for key in rows(each, each.sent):
            row = found.setdefault(key, Figures())
            row.sent += 1
            row.delivered += each.delivered is not None
            row.acknowledged += last in ("applied", "passed-on")
            row.passed_on += last == "passed-on"
            row.refused += last == "refused"
            row.unanswered += not each.answers
            row.overdue += over or each.told_late is not None
            if done is not None:
                took.setdefault(key, []).append(done * 3_600_000_000)
    for key, times in took.items():
        times.sort()
        found[key].p50 = times[math.ceil(len(times) * 0.5) - 1]
        found[key].p95 = times[math.ceil(len(times) * 95 / 100) - 1]
    return found
