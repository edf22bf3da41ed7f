"""Put the region's facts into the gateway's store, before the gateway starts: what subjects and departments would have
entered in the months before. Written by the gateway's own functions, one change each.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from connectors.base import Subject
from deploy.demo.region import Fact
from gateway.storage import store
from gateway.storage.subjects import facts

_DUE = datetime.timedelta(days=11)
"""Seven working days with a weekend on either side; nearer would make the demo depend on public holidays."""

CONSENTED_TO = ("labour-office", "SUBSIDY_ASSESSMENT")
"""Which requester and purpose the region's consents are for."""


def seed(path: Path, known: Iterable[Fact], issuer: str) -> int:
    """Make the store at `path` and write `known` into it; gives how many there were. `issuer` is the requesters'."""
    opened = store.open_file(path)

    def connect() -> sqlite3.Connection:
        connection = opened.connect()
        connection.execute("PRAGMA synchronous = OFF")  # an interrupted start is begun anew
        return connection

    engine = create_engine("sqlite://", creator=connect)
    event.listen(engine, "begin", _begin)
    count = 0
    try:
        for count, one in enumerate(known, 1):  # noqa: B007 - counted, and used after the loop
            _write(engine, one, issuer)
    finally:
        engine.dispose()
        opened.close()
    return count


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


def _write(engine: Engine, one: Fact, issuer: str) -> None:
    subject = Subject("organisation" if one.scheme == "LEI" else "person", one.scheme, one.subject)
    at = datetime.datetime.combine(one.day, datetime.time(10), datetime.UTC)
    match one.kind, one.record, one.until:
        case "withdrawn", str(record), _:
            facts.withdraw(engine, subject, one.datasets[0], record, at, "entered by mistake")
        case "restored", str(record), _:
            facts.restore(engine, subject, one.datasets[0], record, at, "conduct corrected")
        case "objection", str(record), _:
            facts.open_objection(engine, subject, one.datasets[0], record, one.day + _DUE, at)
        case "opted-out", _, _:
            for dataset in one.datasets:
                facts.set_opt_out(engine, subject, dataset, True, at)
        case "consent", _, datetime.date() as until:
            client, purpose = CONSENTED_TO
            facts.grant_consent(
                engine,
                subject,
                issuer=issuer,
                client=client,
                purpose=purpose,
                datasets=dict.fromkeys(one.datasets),
                until=until,
                now=at,
            )
        case _:
            raise ValueError(f"a fact of an unknown kind: {one}")
