"""Put the region's facts into the gateway's store, before the gateway starts: what subjects and departments would have
entered in the months before. One change each, as acts write them, and one commit for all: thousands take a second.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy import insert, select, update

from deploy.demo.region import Fact
from gateway.storage import store
from gateway.storage.subjects import facts

_DUE = datetime.timedelta(days=11)
"""Seven working days with a weekend on either side; nearer would make the demo depend on public holidays."""

CONSENTED_TO = ("labour-office", "SUBSIDY_ASSESSMENT")
"""Which requester and purpose the region's consents are for."""

Begun = tuple[str, datetime.datetime, dict[str, str]]
"""A fact's kind, when it began, and the columns of its kind."""


def seed(path: Path, known: Iterable[Fact], issuer: str) -> int:
    """Make the store at `path` and write `known` into it; gives how many changes that were. `issuer` is the
    requesters'.

    Raises `ValueError` for a fact of an unknown kind, and writes nothing then.
    """
    with contextlib.closing(store.open_file(path)) as opened, opened.engine.begin() as connection:
        change = connection.execute(select(facts.fact_head.c.change)).scalar_one()
        rows = []
        for one in known:
            for kind, at, columns in _begun(one, issuer):
                change += 1
                rows.append(facts.row(kind, (one.scheme, one.subject), at, change, **columns))
        connection.execute(update(facts.fact_head).values(change=change))
        if rows:
            every = dict.fromkeys(facts.fact.c.keys())
            connection.execute(insert(facts.fact), [every | row for row in rows])
    return len(rows)


def _begun(one: Fact, issuer: str) -> Iterator[Begun]:
    at = datetime.datetime.combine(one.day, datetime.time(10), datetime.UTC)
    match one.kind, one.record, one.until:
        case "withdrawn", str(record), _:
            yield "withdrawal", at, {"dataset": one.datasets[0], "record": record, "reason": "entered by mistake"}
        case "restored", str(record), _:
            yield "restoration", at, {"dataset": one.datasets[0], "record": record, "reason": "conduct corrected"}
        case "objection", str(record), _:
            due = (one.day + _DUE).isoformat()
            yield "objection", at, {"dataset": one.datasets[0], "record": record, "until": due}
        case "opted-out", _, _:
            for dataset in one.datasets:
                yield "opt-out", at, {"dataset": dataset}
        case "consent", _, datetime.date() as until:
            client, purpose = CONSENTED_TO
            fields = msgspec.json.encode(dict.fromkeys(one.datasets), order="sorted").decode()
            asked = {"issuer": issuer, "client": client, "purpose": purpose, "until": until.isoformat()}
            yield "consent", at, asked | {"fields": fields}
        case _:
            raise ValueError(f"a fact of an unknown kind: {one}")
