"""Recalls whose term is over, as oversight sees them: whose, of what, since when, and what follows (Art. 47(2)).

    GET /recalls/overdue   {"items", "next"}: those that are due longest first

A row names a recall, its recipient and the kind of record; neither a subject nor a record. Each page is entered as a
view, before it is read (invariant 17). It goes on by `?after=`, `first` at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, tuple_
from starlette.routing import Route

from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.oversight.findings import overseer
from gateway.acts.pages import after_of, cursor_of, first_of
from gateway.acts.plain import Asked, Plain
from gateway.recall.shown import word
from gateway.storage.recall.recalls import OPEN, Recall, recall
from gateway.storage.subjects.acts import WAITING, matter
from gateway.storage.tables import moment


def routes(plain: Plain, office: Office) -> list[Route]:
    """The route, for oversight."""
    return [plain.route("GET", "/recalls/overdue", Late(office).page)]


class Late:
    """Pages of recalls that were not done in time."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, asked: Asked) -> Acted:
        """The recalls of all recipients that are overdue; raises `Refusal`."""
        overseer(self._office, asked.requester)
        first, after = first_of(asked.query), after_of(asked.query)
        await self._office.viewed(asked.requester, "recalls", "recalls that were not done in time")
        return Acted(await asyncio.to_thread(self._page, after, first))

    def _page(self, after: tuple[int, str] | None, first: int) -> dict[str, Any]:
        query = select(recall).where(OPEN, recall.c.state == "overdue").order_by(recall.c.due, recall.c.id)
        if after is not None:
            query = query.where(tuple_(recall.c.due, recall.c.id) > after)
        with self._office.reading() as connection:
            found = [Recall._make(row) for row in connection.execute(query.limit(first + 1))]
            ids = {row.suspension for row in found if row.suspension is not None}
            standing = select(matter.c.id, matter.c.filed).where(matter.c.id.in_(ids), matter.c.state.in_(WAITING))
            suspended = {row.id: row.filed for row in connection.execute(standing)}
        more = cursor_of(found[first - 1].due, found[first - 1].id) if len(found) > first else None
        return {"items": [self._shown(row, suspended) for row in found[:first]], "next": more}

    def _shown(self, row: Recall, suspended: Mapping[str, int]) -> dict[str, Any]:
        dataset = self._office.rules.policies.catalogue.datasets.get(row.dataset)
        return {
            "id": row.id,
            "requester": self._office.named(row.issuer, row.client),
            "from": dataset.department if dataset is not None else None,
            "dataset": row.dataset,
            "purpose": row.purpose,
            "action": word(row.action),
            "at": moment(row.at),
            "due": moment(row.due),
            "refused": row.outcome == "refused",
            "then": self._then(row, suspended),
        }

    def _then(self, row: Recall, suspended: Mapping[str, int]) -> dict[str, Any]:
        """What follows: a grant that stands still, or will; or what keeps it from that."""
        purpose = self._office.rules.policies.purposes.get(row.purpose)
        exempt = purpose.suspension_exempt if purpose is not None else None
        if row.suspension is not None and row.suspension in suspended:
            return _following("SUSPENDED", at=moment(suspended[row.suspension]), suspension=row.suspension)
        if exempt is not None:
            return _following("EXEMPT", law=exempt.law, article=exempt.article)
        if row.later is not None:
            return _following("SUSPENDS", at=moment(row.later))
        return _following("ENDED")


def _following(what: str, **more: Any) -> dict[str, Any]:
    return {"what": what, "at": None, "suspension": None, "law": None, "article": None, **more}
