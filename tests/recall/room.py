"""A desk on which answers are disclosed and recalled: the projector and the turns are called in the process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from connectors.base import Subject
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections.projector import Projector
from gateway.recall.selecting.select import Selecting
from gateway.storage.port import Store
from gateway.storage.recall.recalls import Job, Recall, Work, recall, recall_job, work
from gateway.storage.subjects import facts
from tests.acts.desk import ISSUER, Desk, desk_on

ARREARS = "tax-arrears"
WAIT = datetime.timedelta(seconds=30)
_EPOCH = datetime.date(1970, 1, 1)


class Room:
    """A desk, its projector, and who selects. `ask` is the desk's."""

    def __init__(self, desk: Desk, selecting: Selecting | None = None) -> None:
        self.desk, self.store = desk, desk.store
        self.selecting = selecting or Selecting(desk.office)
        self._numbers = itertools.count(1)

    async def answer(
        self,
        subject: Subject,
        *records: str,
        client: str = "market-regulator",
        purpose: str = "TENDER_QUALIFICATION",
        dataset: str = ARREARS,
        fields: Sequence[str] = ("amount", "period"),
        known: int | None = None,
        until: Sequence[datetime.date | None] = (),
        since: Sequence[datetime.date | None] = (),
        **more: Any,
    ) -> str:
        """Disclose records (`id@version`) to a client; gives the inquiry's id.

        `known` is the change number of the facts that it was decided from, that of now where it is left out. `more` is
        `consents`, `own`, `disputed` (records), `secret_until`, `delete_by`, and `also`, another subject.
        """
        if known is None:
            with self.store.engine.connect() as connection:
                known = connection.execute(select(facts.fact_head.c.change)).scalar_one()
        id_ = f"inquiry-{next(self._numbers)}"
        own = bool(more.get("own"))
        duty = entries.Duty("d", "delete-by", {"date": str(more.get("delete_by", datetime.date(2028, 6, 1)))})
        days, first = ([None if day is None else (day - _EPOCH).days for day in each] for each in (until, since))
        named = [f"{dataset}/{each}" for each in records]
        given = entries.Dataset(dataset, tuple(fields), named, None, days, entries.began(days, first))
        told = entries.Inquiry(
            entries.VERSION, id_, self.desk.now, entries.Who(more.get("issuer", ISSUER), client, ""), None,
            entries.Declared(purpose), self.desk.rules.digest, [] if own else [duty],
            [entries.Disclosed(*each, [given]) for each in (subject, *([more["also"]] if "also" in more else []))],
            cautions=[entries.Notice(dataset, each, True, None) for each in more.get("disputed", ())],
        )  # fmt: skip
        consents = tuple(more.get("consents", ()))
        oversight = entries.Oversight(
            entries.VERSION, None if own else "m.ivanova", known, consents=consents, consents_of=(0,) * len(consents),
            by_subject=own, secret_until=more.get("secret_until"),
        )  # fmt: skip
        parts = split(told, oversight)
        by = (told.requester.issuer, client)
        await self.desk.ledger.append(parts.told, parts.oversight, self.desk.now, by, (), parts.subjects)
        return id_

    def project(self) -> None:
        """Have the projections as far as the ledger is."""
        projector = Projector(self.store)
        try:
            while projector.turn():
                """There is more."""
        finally:
            projector.close()

    async def select(self) -> list[Recall]:
        """Select until nothing is left; gives all recalls."""
        await asyncio.to_thread(self.project)
        self.selecting._races_at = self.selecting._lags_at = float("-inf")
        while await self.selecting.turn():
            """There may be more."""
        return self.recalls()

    def recalls(self) -> list[Recall]:
        """All recalls, in the order they were made."""
        with self.store.engine.connect() as connection:
            query = select(recall).order_by(recall.c.at, recall.c.issuer, recall.c.client, recall.c.sequence)
            return [Recall._make(row) for row in connection.execute(query)]

    def jobs(self) -> list[Job]:
        with self.store.engine.connect() as connection:
            query = select(recall_job).order_by(recall_job.c.at, recall_job.c.filed_in)
            return [Job._make(row) for row in connection.execute(query)]

    def works(self) -> list[Work]:
        with self.store.engine.connect() as connection:
            return [Work._make(row) for row in connection.execute(select(work))]


def records_of(row: Recall) -> list[Mapping[str, Any]]:
    """The records that a recall names."""
    found: list[Mapping[str, Any]] = msgspec.json.decode(row.records or "[]")
    return found


def named(rows: Sequence[Recall]) -> list[tuple[str, str, str, list[str]]]:
    """Of each recall: inquiry, client, action, and the records with their versions."""
    return [
        (row.inquiry, row.client, row.action, [f"{each['record']}@{each['version']}" for each in records_of(row)])
        for row in rows
    ]


@contextlib.asynccontextmanager
async def room_on(store: Store, rules: Any = None) -> AsyncIterator[Room]:
    """A room on an empty store."""
    async with desk_on(store, rules) as desk:
        yield Room(desk)
