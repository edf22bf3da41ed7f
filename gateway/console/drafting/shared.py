"""What the rooms of a draft have in common: where it is, its pages, and what the API finds wrong with a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.visiting import Visit

ROOM = "console.drafts"


def own(visit: Visit) -> str:
    """The page of the draft that the address names."""
    return f"/console/drafts/{quote(visit.request.path_params['id'], safe='')}"


def api(visit: Visit) -> str:
    """Where the API has it."""
    return own(visit).replace("/console", "/rules", 1)


async def page(visit: Visit, name: str, wrong: list[tuple[str, Any]] | None = None, **values: Any) -> Response:
    """A page of the draft; the others are named on it. `wrong` is what is wrong with its form."""
    id_, status = visit.request.path_params["id"], 422 if wrong else 200
    return await visit.page(f"drafting/{name}.html", ROOM, status, id=id_, place=name, wrong=wrong or [], **values)


async def go(visit: Visit, name: str, said: str) -> Response:
    """Lead to a page of the draft, which shows what was done: `said` names the text."""
    return await visit.go(f"{own(visit)}/{name}", said, Answered(None))


async def found(visit: Visit, name: str) -> Any:
    """The draft's `grants` or `purposes`; none where its file is none that they are found in, and `why`."""
    try:
        return await visit.call("POST", f"{api(visit)}/{name}", {})
    except ApiRefused as refused:
        if refused.code != "MATTER_INVALID":
            raise
        return {name: [], "why": refused.message}


async def put(visit: Visit, path: str, value: Mapping[str, Any], field: str) -> list[tuple[str, Any]]:
    """Change something of the draft; why that cannot be, as what is wrong with the field of the form that the refusal
    begins with, or else with `field`."""
    try:
        await visit.call("PUT", path, value)
    except ApiRefused as refused:
        if refused.code not in ("MATTER_INVALID", "CONFLICT"):
            raise
        named = refused.message.removeprefix("`").partition("`")[0]
        at = named if isinstance(value.get(named), str | list) else field
        return [(at, visit.words("editing.refused", why=refused.message))]
    return []
