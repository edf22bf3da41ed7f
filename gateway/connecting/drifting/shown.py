"""What was found of departments' systems, for those who have it put right (`dutybound source watch` finds it).

    GET /sources/findings    {"items", "next"}: a steward's own department's, or all for oversight, the newest first

It goes on by `?after=`, `first` at a time; those that are over are there too with `?over=yes`. Each page is entered as
a view before it is read. A row has names, keys of `sources.yaml` and counts; neither a subject nor a record.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.routing import Route

from gateway.acts.called import Acted
from gateway.acts.matters.deciding import steward
from gateway.acts.matters.listing import OVERSIGHT
from gateway.acts.office import Office
from gateway.acts.oversight.findings import overseer
from gateway.acts.pages import after_of, cursor_of, first_of
from gateway.acts.plain import Asked, Plain
from gateway.inquiry.types import Requester
from gateway.storage.tables import moment
from gateway.storage.watch.source_findings import SourceFinding, findings


def routes(plain: Plain, office: Office) -> list[Route]:
    """The route."""
    return [plain.route("GET", "/sources/findings", SourceFindings(office).page)]


class SourceFindings:
    """Pages of them."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, asked: Asked) -> Acted:
        """Those of the caller's department, or all."""
        departments = self._departments(asked.requester)
        first, after, over = first_of(asked.query), after_of(asked.query), asked.query.get("over") == "yes"
        await self._office.viewed(asked.requester, "source-findings", "what was found of departments' systems")

        def look() -> list[SourceFinding]:
            with self._office.reading() as connection:
                return findings(connection, departments, over=over, after=after, first=first + 1)

        found = await asyncio.to_thread(look)
        more = cursor_of(found[first - 1].at, found[first - 1].finding) if len(found) > first else None
        return Acted({"items": [_shown(each) for each in found[:first]], "next": more})

    def _departments(self, requester: Requester) -> frozenset[str] | None:
        """Whose are shown; None: everybody's. Raises `Refusal`."""
        if OVERSIGHT in requester.scopes:
            overseer(self._office, requester)
            return None
        return frozenset([steward(self._office, requester).department])


def _shown(row: SourceFinding) -> dict[str, Any]:
    return {
        "id": row.finding,
        "department": row.department,
        "dataset": row.dataset or None,
        "kind": row.kind,
        "what": row.what,
        "since": moment(row.at),
        "until": None if row.ended is None else moment(row.ended),
    }
