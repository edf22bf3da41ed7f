"""What a department's stewards must know of recalls (Art. 47): those of its records, and those to its own clients.

    GET /recalls/sent       {"items", "next", "waiting"}: each change of its records, and how its recipients answered
    GET /recalls/received   {"items", "next"}: what its own clients have not done yet, the soonest due first

Both go on by `?after=`, `first` at a time. A row names a change or a recall, the kind of record, and recipients by
their department and client; neither a subject nor a record. Each page is entered as a view, before it is read
(invariant 17).

Of what is kept from its subject (`secrecy`) a department learns nothing by its records: such a recall is in no row and
no count of `sent` until that ends. A change that there is only because somebody received a record is no row before one
of its recalls is. A recall that does not open any more counts as secret. `received` has all, for they are to be done.
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
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.types import Requester
from gateway.recall.enforcing import late
from gateway.recall.shown import hidden, word
from gateway.storage.recall.recalls import CAUSES, FOUND_BY_ANSWERS, OPEN, recall, recall_job
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
        of, shown = recall_job.c, list[tuple[Any, list[dict[str, Any]]]]()
        with self._office.reading() as connection:
            mine = (of.state == "waits", of.dataset.in_(datasets), of.cause.not_in(FOUND_BY_ANSWERS))
            waiting = connection.execute(select(func.count()).where(*mine)).scalar_one()
            while len(shown) <= first:
                found = self._changes(connection, datasets, after, first + 1)
                answers = self._answers(connection, [row.id for row in found])
                for row in found:
                    if row.id in answers or row.cause not in FOUND_BY_ANSWERS:
                        shown.append((row, answers.get(row.id, [])))
                if len(found) <= first:
                    break
                after = found[-1].selected, found[-1].id
        items = [
            {
                "id": row.id,
                "cause": row.cause,
                "action": word(CAUSES[row.cause]),
                "dataset": row.dataset,
                "at": moment(row.at),
                "recipients": recipients,
            }
            for row, recipients in shown[:first]
        ]
        last = shown[first - 1][0] if len(shown) > first else None
        return {"items": items, "next": None if last is None else cursor_of(last.selected, last.id), "waiting": waiting}

    def _changes(
        self, connection: Connection, datasets: Sequence[str], after: tuple[int, str] | None, first: int
    ) -> Sequence[Any]:
        """The changes behind a place, the newest first, with those that may not be shown."""
        of = recall_job.c
        query = (
            select(of.id, of.cause, of.dataset, of.at, of.selected)
            .where(of.dataset.in_(datasets), of.selected.is_not(None))
            .order_by(of.selected.desc(), of.id.desc())
        )
        if after is not None:
            query = query.where(tuple_(of.selected, of.id) < after)
        return connection.execute(query.limit(first)).all()

    def _answers(self, connection: Connection, jobs: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Of each change, how many recalls each recipient got, and how far it is with them; without what is secret."""
        of = recall.c
        query = select(of.job, of.issuer, of.client, of.state, of.outcome, of.due, of.filed_in)
        several = connection.execute(query.where(of.job.in_(jobs))).all()
        secret = self._hidden([row.filed_in for row in several])
        found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        for job, issuer, client, state, outcome, due, filed_in in several:
            if filed_in in secret:
                continue
            row = found.setdefault(job, {}).setdefault(
                (issuer, client),
                {
                    **self._office.named(issuer, client), "recalls": 0, "done": 0, "overdue": 0, "refused": 0,
                    "due": None,
                },
            )  # fmt: skip
            row["recalls"] += 1
            if outcome == "refused":
                row["refused"] += 1
            elif state == "acknowledged":
                row["done"] += 1
            if state == "overdue":
                row["overdue"] += 1
            if state != "acknowledged":
                row["due"] = min(filter(None, (row["due"], moment(due))))
        return {job: [each[who] for who in sorted(each)] for job, each in found.items()}

    def _hidden(self, places: Sequence[int]) -> set[int]:
        try:
            return hidden(self._office.store, places, self._office.now())
        except LedgerUnavailable as error:
            message, headers = "the ledger cannot be read now; try again later", {"Retry-After": "1"}
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers=headers) from error

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
