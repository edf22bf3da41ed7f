"""What these rooms have in common: a proposal as the API gives it, acts on it, and the answer where one cannot be
done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.returning import sentence
from gateway.console.visiting import Visit

MOST_REASON = 1_000
"""Characters that a reason may have, as the API takes it."""
LISTED = 20
"""Items of a list."""


def own(visit: Visit) -> str:
    """The page of the proposal that the address names."""
    return f"/console/proposals/{quote(visit.request.path_params['id'], safe='')}"


def api(visit: Visit) -> str:
    """Where the API has it."""
    return own(visit).replace("/console", "/rules", 1)


async def proposal(visit: Visit) -> Any:
    """The proposal that the address names, with what it changes; raises `ApiRefused`."""
    return await visit.call("GET", api(visit))


async def listed(visit: Visit, path: str) -> Any:
    """The newest of a list of the API, or those that come after, where the address asks for them."""
    after = {"after": visit.query("after")} if visit.query("after") else {}
    return await visit.call("GET", f"{path}?{urlencode({'first': str(LISTED), **after})}")


def reason(visit: Visit) -> str:
    """What was written as a reason, in one line: it is kept, and may be signed, as one."""
    return " ".join(visit.field("reason").split())


def no_reason(visit: Visit, given: str) -> list[tuple[str, Any]]:
    """What is wrong with a reason."""
    if not given:
        return [("reason", visit.words("proposal.no_reason"))]
    if len(given) > MOST_REASON:
        return [("reason", visit.words("proposal.long_reason"))]
    return []


async def act(visit: Visit, path: str, body: Mapping[str, Any], back: str, said: str) -> Response:
    """Do something, and lead to a page that shows it with its receipt; raises `ApiRefused`."""
    told = await visit.call("POST", path, body)
    return await visit.go(back, said, Answered(told, told["act"]))


async def cannot(visit: Visit, refused: ApiRefused, back: str) -> Response:
    """Why something cannot be done; raises what is no refusal of these acts again."""
    if refused.code != "MATTER_INVALID" or refused.reason == "SIGN_IN":
        raise refused
    text = sentence(refused)
    return await visit.page("refused.html", status=refused.status, why="api", text=text, quoted="", back=back)
