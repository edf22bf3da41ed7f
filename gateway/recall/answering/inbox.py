"""`recalls`: a recipient's inbox. It is the truth: a webhook only reports that there is something in it (Art. 47).

It has what is not done yet, oldest first: a recall that was refused stays, since its term goes on. Neither a
suspension, nor the end of a grant, nor how much was asked keeps anybody from it. Each page leaves a `view`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import ColumnElement, tuple_

from gateway.acts.called import Acted, Called
from gateway.acts.office import Office
from gateway.acts.pages import cursor_of, place_of
from gateway.inquiry.types import Requester
from gateway.recall import shown
from gateway.recall.own import answered_by, recipient
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import OPEN, recall


class Inbox:
    """Pages of what a recipient has to do."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, requester: Requester, called: Called) -> Acted:
        """`recalls`."""
        office, given = self._office, called.arguments
        recipient(office, requester)
        conditions: list[ColumnElement[bool]] = [OPEN, recall.c.value.is_not(None)]  # type: ignore[list-item]
        conditions.append(recalls.of_clients(answered_by(office.rules, requester.who)))
        if (after := given.get("after")) is not None:
            conditions.append(tuple_(recall.c.sequence, recall.c.id) > place_of(str(after)))
        await office.viewed(requester, "recalls", "what it may no longer use")
        return Acted(await asyncio.to_thread(self._page, conditions, given["first"]))

    def _page(self, conditions: list[ColumnElement[bool]], first: int) -> dict[str, Any]:
        with self._office.reading() as connection:
            found = recalls.several(connection, *conditions, first=first + 1)
        more = cursor_of(found[first - 1].sequence, found[first - 1].id) if len(found) > first else None
        return {"items": [shown.recall(row) for row in found[:first]], "next": more}
