"""`/console/suspensions`: grants that stand still until a recall is answered, and how two people of oversight end that.

A list by grant, never by subject. The first person gives a reason, checks it and asks for the end; another confirms it
or turns it down, with the reason in sight. Both show just before who they are.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.returning import Wrong, returned, turned_down
from gateway.console.visiting import Parts, Visit, entered

_ROOM, _PATH = "console.suspensions", "/console/suspensions"
_SUSPENSIONS = """
query Suspensions($after: String) {
  suspensions(after: $after, first: 20) {
    items { id requester { department client } purpose dataset since recall ended state because } next
  }
}
"""
_END = "mutation End($id: ID!, $reason: String!) { endSuspension(id: $id, reason: $reason) { id } }"
_CONFIRM = "mutation Confirm($id: ID!) { confirm(id: $id) { __typename } }"
_DECLINE = "mutation Decline($id: ID!, $reason: String!) { decline(id: $id, reason: $reason) { __typename } }"


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    every = (
        ("GET", _PATH, suspensions),
        ("GET", f"{_PATH}/{{id}}/end", ending),
        ("POST", f"{_PATH}/{{id}}/end", returned(end, form)),
        ("POST", f"{_PATH}/{{id}}/confirm", confirm),
        ("POST", f"{_PATH}/{{id}}/decline", returned(decline, declining)),
    )
    return [Route(path, entered(parts, "oversight", room), methods=[method]) for method, path, room in every]


async def suspensions(visit: Visit) -> Response:
    """Every grant that stands still or did, the newest first."""
    return await declining(visit, [])


async def declining(visit: Visit, wrong: Wrong) -> Response:
    """The list, with the form that turns one down as it was sent."""
    after = visit.query("after")
    page = await _page(visit, after)
    return await turned_down(visit, "watching/suspensions.html", _ROOM, wrong, page=page, after=after)


async def ending(visit: Visit) -> Response:
    """The form by which the end of one is asked for, once they showed that it is them."""
    if not visit.fresh:
        return await visit.again(_here(visit, visit.query("after")))
    return await form(visit, [])


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form by which the end of one is asked for, with what is wrong with it."""
    found = await _found(visit, visit.typed("after"))
    if found is None:
        return await visit.missing(_PATH, "refused.not_waiting")
    filled = {name: visit.typed(name) for name in ("reason", "after")}
    return await visit.page(
        "watching/suspension.html", _ROOM, 422 if wrong else 200, each=found, filled=filled, wrong=wrong
    )


async def end(visit: Visit) -> Response:
    """Ask for the end of one: first a page to check, then the act."""
    reason, after = visit.field("reason"), visit.field("after")
    if not visit.fresh:
        return await visit.again(_here(visit, after))
    if reason and visit.field("checked") == "yes":
        done = await visit.ask(_END, id=visit.request.path_params["id"], reason=reason)
        return await visit.go(_PATH, "done.end_asked", done)
    if not reason or visit.field("change") == "yes":
        return await form(visit, [] if reason else [("reason", visit.words("suspensions.no_reason"))])
    found = await _found(visit, after)
    if found is None:
        return await visit.missing(_PATH, "refused.not_waiting")
    return await visit.page("watching/suspension_check.html", _ROOM, each=found, reason=reason, after=after)


async def confirm(visit: Visit) -> Response:
    """Confirm what a colleague asked for: the grant counts again."""
    if not visit.fresh:
        return await visit.again(_PATH)
    done = await visit.ask(_CONFIRM, id=visit.request.path_params["id"])
    return await visit.go(_PATH, "done.suspension_ended", done)


async def decline(visit: Visit) -> Response:
    """Turn down what a colleague asked for, or withdraw one's own request: the grant stays suspended."""
    done = await visit.ask(_DECLINE, id=visit.request.path_params["id"], reason=visit.field("reason"))
    return await visit.go(_PATH, "done.turned_down", done)


async def _page(visit: Visit, after: str) -> Any:
    return (await visit.ask(_SUSPENSIONS, after=after or None)).data["suspensions"]


async def _found(visit: Visit, after: str) -> Any:
    """One that can be ended, on the page of the list that leads to it; None for every other."""
    page = await _page(visit, after)
    wanted = visit.request.path_params["id"]
    return next((each for each in page["items"] if each["id"] == wanted and each["state"] == "OPEN"), None)


def _here(visit: Visit, after: str) -> str:
    return f"{_PATH}/{quote(visit.request.path_params['id'])}/end{f'?after={quote(after)}' if after else ''}"
