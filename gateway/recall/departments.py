"""What a department's stewards must know of recalls (Art. 47): those of its records, and those to its own clients.

    GET /recalls/sent       {"items", "next", "waiting"}: each change of its records, and how its recipients answered
    GET /recalls/received   {"items", "next"}: what its own clients have not done yet, the soonest due first

Both go on by `?after=`, `first` at a time. A row names a change or a recall, the kind of record, and recipients by
their department and client; neither a subject nor a record. Each page is entered as a view, before it is read
(invariant 17).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, tuple_
from starlette.routing import Route

from gateway.acts.called import Acted
from gateway.acts.matters.deciding import STEWARD
from gateway.acts.office import Office
from gateway.acts.pages import after_of, cursor_of, first_of
from gateway.acts.plain import Asked, Plain
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.recall.enforcing import late
from gateway.recall.shown import word
from gateway.storage.recall.recalls import CAUSES, OPEN, recall, recall_job
from gateway.storage.tables import moment


def routes(plain: Plain, office: Office) -> list[Route]:
    """The routes: for stewards, of their own department, and for oversight what is late of all."""
    rooms = Departments(office)
    return [
        plain.route("GET", "/recalls/sent", rooms.sent),
        plain.route("GET", "/recalls/received", rooms.received),
        *late.routes(plain, office),
    ]


class Departments:
    """Pages of recalls, for stewards."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def sent(self, asked: Asked) -> Acted:
        """The changes of the department's records that were recalled, the newest first."""
        department, first = self._steward(asked.requester), first_of(asked.query)
        after = after_of(asked.query)
        catalogue = self._office.rules.policies.catalogue
        datasets = [each.id for each in catalogue.datasets.values() if each.department == department]
        await self._office.viewed(asked.requester, "recalls", "recalls of its department's records")
        return Acted(await asyncio.to_thread(self._sent, datasets, after, first))

    async def received(self, asked: Asked) -> Acted:
        """The recalls that the department's clients received, and have not done."""
        department, first = self._steward(asked.requester), first_of(asked.query)
        after = after_of(asked.query)
        requesters = self._office.rules.policies.requesters
        clients = [who for who, entry in requesters.items() if entry.department == department]
        await self._office.viewed(asked.requester, "recalls", "recalls that its department's clients received")
        return Acted(await asyncio.to_thread(self._received, clients, after, first))

    def _steward(self, requester: Requester) -> str:
        """The department of a steward; raises `Refusal`."""
        official = not requester.is_subject and requester.official is not None
        if STEWARD not in requester.scopes or not official or not requester.department:
            raise Refusal(Code.FORBIDDEN, "this is for data stewards: an official's token with `steward`")
        self._office.actor(requester)
        return requester.department

    def _sent(self, datasets: Sequence[str], after: tuple[int, str] | None, first: int) -> dict[str, Any]:
        of = recall_job.c
        query = (
            select(of.id, of.cause, of.dataset, of.at, of.selected)
            .where(of.dataset.in_(datasets), of.selected.is_not(None))
            .order_by(of.selected.desc(), of.id.desc())
        )
        if after is not None:
            query = query.where(tuple_(of.selected, of.id) < after)
        with self._office.reading() as connection:
            found = connection.execute(query.limit(first + 1)).all()
            answers = self._answers(connection, [row.id for row in found[:first]])
            waits = select(func.count()).where(of.state == "waits", of.dataset.in_(datasets))
            waiting = connection.execute(waits).scalar_one()
        items = [
            {
                "id": row.id,
                "cause": row.cause,
                "action": word(CAUSES[row.cause]),
                "dataset": row.dataset,
                "at": moment(row.at),
                "recipients": answers.get(row.id, []),
            }
            for row in found[:first]
        ]
        more = cursor_of(found[first - 1].selected, found[first - 1].id) if len(found) > first else None
        return {"items": items, "next": more, "waiting": waiting}

    def _answers(self, connection: Connection, jobs: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Of each change, how many recalls each recipient got, and how far it is with them."""
        of = recall.c
        query = select(of.job, of.issuer, of.client, of.state, of.outcome, func.count(), func.min(of.due))
        query = query.where(of.job.in_(jobs)).group_by(of.job, of.issuer, of.client, of.state, of.outcome)
        found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        for job, issuer, client, state, outcome, count, due in connection.execute(query):
            row = found.setdefault(job, {}).setdefault(
                (issuer, client),
                {
                    **self._office.named(issuer, client), "recalls": 0, "done": 0, "overdue": 0, "refused": 0,
                    "due": None,
                },
            )  # fmt: skip
            row["recalls"] += count
            if outcome == "refused":
                row["refused"] += count
            elif state == "acknowledged":
                row["done"] += count
            if state == "overdue":
                row["overdue"] += count
            if state != "acknowledged":
                row["due"] = min(filter(None, (row["due"], moment(due))))
        return {job: [each[who] for who in sorted(each)] for job, each in found.items()}

    def _received(
        self, clients: Sequence[tuple[str, str]], after: tuple[int, str] | None, first: int
    ) -> dict[str, Any]:
        of = recall.c
        catalogue = self._office.rules.policies.catalogue
        whose = or_(*(and_(of.issuer == issuer, of.client == client) for issuer, client in clients))
        query = select(recall).where(OPEN, whose).order_by(of.due, of.id).limit(first + 1)
        if after is not None:
            query = query.where(tuple_(of.due, of.id) > after)
        with self._office.reading() as connection:
            found = connection.execute(query).all()
        items = []
        for row in found[:first]:
            dataset = catalogue.datasets.get(row.dataset)
            items.append(
                {
                    "id": row.id,
                    "client": row.client,
                    "from": dataset.department if dataset is not None else None,
                    "dataset": row.dataset,
                    "purpose": row.purpose,
                    "action": word(row.action),
                    "at": moment(row.at),
                    "due": moment(row.due),
                    "state": "OVERDUE" if row.state == "overdue" else "REFUSED" if row.outcome else "OPEN",
                    "suspended": row.suspension is not None,
                }
            )
        more = cursor_of(found[first - 1].due, found[first - 1].id) if len(found) > first else None
        return {"items": items, "next": more}
