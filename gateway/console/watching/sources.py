"""`/console/sources`: what a watch found of departments' systems, for their stewards and for oversight.

The page has names, keys of `sources.yaml` and counts; neither a subject nor a record.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.visiting import Parts, Visit, entered

KINDS = ("wrong", "slow", "unbounded", "unstable", "ending", "refused", "vanished")


def routes(parts: Parts) -> list[Route]:
    """The route."""
    return [Route("/console/sources", entered(parts, ("steward", "oversight"), sources), methods=["GET"])]


async def sources(visit: Visit) -> Response:
    """What does not fit now, or what did not and is over too; the newest first."""
    over, after = visit.query("over") == "yes", visit.query("after")
    asked = {**({"over": "yes"} if over else {}), **({"after": after} if after else {})}
    page: Any = await visit.call("GET", f"/sources/findings?{urlencode(asked)}")
    return await visit.page("watching/sources.html", "console.sources", page=page, over=over, kinds=KINDS)
