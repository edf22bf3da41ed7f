"""`/console/activations` and `/console/ledger`: which rules decide, and whether the ledger is sound, for oversight."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.visiting import Parts, Visit, entered


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    every = (("/console/activations", activations), ("/console/ledger", ledger))
    return [Route(path, entered(parts, "oversight", room), methods=["GET"]) for path, room in every]


async def activations(visit: Visit) -> Response:
    """The active rule set, and what each process decides by; those before it stand in `/console/history`."""
    found = await visit.call("GET", "/rules/status")
    return await visit.page("watching/activations.html", "console.activations", rules=found)


async def ledger(visit: Visit) -> Response:
    """How the ledger stands."""
    found = await visit.call("GET", "/ledger/health")
    behind = max((each["behind"] for each in found["projections"]), default=0)
    return await visit.page(
        "watching/ledger.html", "console.ledger", found=found, behind=behind, age=_age(found), sound=_sound(found)
    )


def _age(found: Mapping[str, Any]) -> int | None:
    """Seconds since the newest checkpoint was published; None where there is none."""
    times = [each["publishedAt"] for each in found["shards"] if each["publishedAt"]]
    if not times:
        return None
    newest, now = map(datetime.datetime.fromisoformat, (max(times), found["at"]))
    return max(0, round((now - newest).total_seconds()))


def _sound(found: Mapping[str, Any]) -> bool:
    shards = found["shards"]
    return bool(found["taking"]) and all(each["signed"] for each in shards) and not found["sealed"]
