"""An officer's drafts: all of them, one, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.drafting.shared import ROOM, api
from gateway.console.returning import Wrong, about
from gateway.console.visiting import Visit, away

FOLDERS = ("rules", "catalogue", "tests")


async def listed(visit: Visit) -> Response:
    """All of one's own."""
    found = await visit.call("GET", "/rules/drafts")
    return await visit.page("drafting/drafts.html", ROOM, items=found["items"])


async def begin(visit: Visit) -> Response:
    """Begin one, and lead to it."""
    made = await visit.call("POST", "/rules/drafts", {})
    return away(visit.parts.pages.url(f"/console/drafts/{made['id']}"))


async def shown(visit: Visit) -> Response:
    """One, with its files and what can be done with it."""
    return await proposing(visit, [])


async def discard(visit: Visit) -> Response:
    """Delete one."""
    await visit.call("POST", f"{api(visit)}/discard", {})
    return await visit.go("/console/drafts", "done.draft_discarded", Answered(None))


async def propose(visit: Visit) -> Response:
    """Propose one, and lead to the proposal."""
    reason = visit.field("reason")
    if not reason:
        return await proposing(visit, [("reason", visit.words("drafting.no_reason"))])
    try:
        made = await visit.call("POST", f"{api(visit)}/propose", {"reason": reason})
    except ApiRefused as refused:
        if refused.code != "MATTER_INVALID" or about(visit, refused)[0]:
            raise
        return await proposing(visit, [("reason", told(visit, refused))])
    return await visit.go(f"/console/proposals/{made['proposal']}", "done.proposed", Answered(None, made["act"]))


async def proposing(visit: Visit, wrong: Wrong) -> Response:
    """The page of a draft, with what is wrong with the form that proposes it."""
    draft = await visit.call("GET", api(visit))
    return await visit.page(
        "drafting/draft.html", ROOM, 422 if wrong else 200,
        draft=draft, folders=folders(draft["files"]), reason=visit.field("reason"), wrong=wrong,
    )  # fmt: skip


def folders(files: list[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The files by their folder; those in none last."""
    by: dict[str, list[Mapping[str, Any]]] = {name: [] for name in (*FOLDERS, "")}
    for each in files:
        folder = each["name"].rpartition("/")[0]
        by.setdefault(folder, []).append(each)
    return list(by.items())


def told(visit: Visit, refused: ApiRefused) -> Any:
    """Why the API does not take it, in its own words, which are for whoever asked."""
    problems = list(refused.more.get("problems", ()))
    if problems:
        return visit.words.number("drafting.has_problems", len(problems))
    return visit.words("drafting.refused", why=refused.message)
