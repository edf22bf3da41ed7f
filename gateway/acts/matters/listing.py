"""`matters`: what stewards have to answer, and for oversight whatever is overdue; each page by an entry of its own."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

from gateway.acts import shown
from gateway.acts.called import Acted, Called
from gateway.acts.matters.deciding import STEWARD
from gateway.acts.matters.filing import FILED
from gateway.acts.office import Office
from gateway.acts.pages import behind, page
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import UPHELD, WAITS, matter

OVERSIGHT = "oversight"
"""The scope of those who see to it that what is due is done."""


class Listing:
    """Pages of what was filed."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def matters(self, requester: Requester, called: Called) -> Acted:
        """`matters`: for a steward its own department's, for oversight the overdue of all."""
        office, given = self._office, called.arguments
        scopes = requester.scopes & {STEWARD, OVERSIGHT}
        if not scopes or requester.is_subject or requester.official is None:
            raise Refusal(Code.FORBIDDEN, "this is for officials: a token with `steward` or `oversight`")
        conditions, today = behind(given.get("after")), office.today()
        whose: list[ColumnElement[bool]] = [false()]
        if STEWARD in scopes:
            whose.append(matter.c.department == requester.department)
        if OVERSIGHT in scopes:
            whose.append(is_overdue(today))
        conditions += [or_(*whose), matter.c.kind.in_(FILED), matter.c.value.is_not(None)]
        if (state := given.get("state")) is not None:
            [word] = [word for word, name in shown.STATES.items() if name == str(state)]
            conditions.append(matter.c.state == word)
        await office.viewed(requester, "matters", "what is to be answered")
        return Acted(await asyncio.to_thread(self._page, conditions, given["first"], today))

    def _page(self, conditions: list[ColumnElement[bool]], first: int, today: datetime.date) -> dict[str, Any]:
        office = self._office
        with office.reading() as connection:
            found = rows.matters(connection, *conditions, first=first + 1)
        now, following = page(found, first)
        return {"items": shown.matters(office, now, today, inside=True), "next": following}


def is_overdue(today: datetime.date) -> ColumnElement[bool]:
    """Whether a matter fits `shown.overdue` of its row."""
    day = today.isoformat()
    return or_(and_(WAITS, matter.c.due < day), and_(UPHELD, matter.c.second_due < day))
