"""`/console/findings` and `/console/emergencies`: patterns among inquiries for a person to look at (Arts. 22, 28).

A list is by finding, never by subject or official. Its inquiries are shown on the page that answers the form which
opens it: each opening is an act with a reason, so there is no address to see them by. A review ends with a sign-in of
the last minutes, which is asked for before anything is written.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.returning import Wrong, returned
from gateway.console.visiting import Parts, Visit, entered

STATES = ("OPEN", "DECIDED", "ALL")
VERDICTS = ("PROPER", "IMPROPER", "UNCLEAR")
EMERGENCY = "break-glass"
DETECTORS = (
    EMERGENCY, "sequential-identifiers", "many-officials", "changing-purposes", "out-of-hours", "far-above-own-history",
    "own-identifier", "retried-under-another-purpose", "after-case-closed",
)  # fmt: skip
"""What can be chosen from, as `gateway.watch.detectors` names them."""

_FINDING = "id detector words purpose article inquiries found due department state verdict decided by because"
_FINDINGS = f"""
query Findings($state: MatterState, $detector: String, $after: String) {{
  findings(state: $state, detector: $detector, after: $after, first: 20) {{ items {{ {_FINDING} }} next }}
}}
"""
_OPEN = f"""
mutation Open($id: ID!, $reason: String!) {{
  openFinding(id: $id, reason: $reason) {{
    finding {{ {_FINDING} }}
    inquiries {{ id at what department purpose title basis {{ law article }} forCase fields records outcome }}
  }}
}}
"""
_END = """
mutation End($id: ID!, $verdict: Verdict!, $reason: String!) {
  endReview(id: $id, verdict: $verdict, reason: $reason) { id }
}
"""


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    every = (
        ("GET", "/console/findings", findings),
        ("GET", "/console/emergencies", emergencies),
        ("GET", "/console/findings/{id}", finding),
        ("POST", "/console/findings/{id}", returned(open_, opening)),
        ("GET", "/console/findings/{id}/review", reviewing),
        ("POST", "/console/findings/{id}/review", returned(review, ending)),
    )
    return [Route(path, entered(parts, "oversight", room), methods=[method]) for method, path, room in every]


async def findings(visit: Visit) -> Response:
    """Those of a state, the oldest first."""
    detector = visit.query("detector") if visit.query("detector") in DETECTORS else ""
    return await _listed(visit, "console.findings", "/console/findings", detector)


async def emergencies(visit: Visit) -> Response:
    """Uses of emergency access: each has a review with a last day."""
    return await _listed(visit, "console.emergencies", "/console/emergencies", EMERGENCY)


async def finding(visit: Visit) -> Response:
    """One of them, with the form that opens it: found on the page of the list that leads to it."""
    return await opening(visit, [])


async def opening(visit: Visit, wrong: Wrong) -> Response:
    """The form that opens one, with what is wrong with it."""
    found = await _found(visit)
    if found is None:
        return await visit.missing("/console/findings")
    filled = {name: visit.typed(name) for name in ("reason", "state", "detector", "after")}
    return await visit.page(
        "watching/finding.html", _room(found), 422 if wrong else 200, finding=found, filled=filled, wrong=wrong
    )


async def open_(visit: Visit) -> Response:
    """Open it: the inquiries behind it, with the receipt of that look."""
    id_, reason = visit.request.path_params["id"], visit.field("reason")
    if not reason:
        return await opening(visit, [("reason", visit.words("findings.no_reason"))])
    done = await visit.ask(_OPEN, id=id_, reason=reason)
    opened = done.data["openFinding"]
    return await visit.page(
        "watching/opened.html", _room(opened["finding"]), finding=opened["finding"], inquiries=opened["inquiries"],
        reason=reason, told=[{"text": "done.opened", "receipt": str((done.act or {}).get("receipt") or "")}],
    )  # fmt: skip


async def reviewing(visit: Visit) -> Response:
    """The form by which a review ends, once they showed that it is them."""
    if not visit.fresh:
        return await visit.again(f"/console/findings/{visit.request.path_params['id']}/review")
    return await ending(visit, [])


async def review(visit: Visit) -> Response:
    """End the review."""
    id_, verdict, reason = visit.request.path_params["id"], visit.field("verdict"), visit.field("reason")
    wrong = [] if verdict in VERDICTS else [("verdict", visit.words("findings.no_verdict"))]
    if not reason:
        wrong.append(("reason", visit.words("findings.no_reasons")))
    if wrong:
        return await ending(visit, wrong)
    if not visit.fresh:
        return await visit.again(f"/console/findings/{id_}/review")
    done = await visit.ask(_END, id=id_, verdict=verdict, reason=reason)
    return await visit.go("/console/findings", "done.reviewed", done)


async def _listed(visit: Visit, room: str, path: str, detector: str) -> Response:
    state = visit.query("state") if visit.query("state") in STATES else "OPEN"
    page = await _page(visit, state, detector, visit.query("after"))
    here = urlencode({"state": state, "detector": detector})
    return await visit.page(
        "watching/findings.html", room, page=page, state=state, states=STATES, detector=detector, path=path,
        detectors=DETECTORS, here=here, after=visit.query("after"),
    )  # fmt: skip


async def _page(visit: Visit, state: str, detector: str, after: str) -> Any:
    given = {"state": None if state == "ALL" else state, "detector": detector or None, "after": after or None}
    return (await visit.ask(_FINDINGS, **given)).data["findings"]


async def _found(visit: Visit) -> Any:
    """The finding, on the page of the list that leads to it."""
    state = visit.typed("state") if visit.typed("state") in STATES else "OPEN"
    detector = visit.typed("detector") if visit.typed("detector") in DETECTORS else ""
    page = await _page(visit, state, detector, visit.typed("after"))
    return next((each for each in page["items"] if each["id"] == visit.request.path_params["id"]), None)


async def ending(visit: Visit, wrong: Wrong) -> Response:
    """The form that ends a review, with what is wrong with it."""
    filled = {name: visit.typed(name) for name in ("verdict", "reason")}
    return await visit.page(
        "watching/review.html", "console.findings", 422 if wrong else 200,
        id=visit.request.path_params["id"], filled=filled, verdicts=VERDICTS, wrong=wrong,
    )  # fmt: skip


def _room(found: Any) -> str:
    return "console.emergencies" if found["detector"] == EMERGENCY else "console.findings"
