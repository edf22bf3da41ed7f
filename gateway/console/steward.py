"""`/console/matters` and `/console/changes`: a department's stewards answer, report and confirm (Arts. 43 to 46).

A list is of the department's own matters; a matter is found on the page of the list that leads to it, so that opening
it leaves the same `view` entry as that page, and no more. What decides gets a page to check first.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.calling import ApiRefused
from gateway.console.returning import Wrong, returned, turned_down
from gateway.console.visiting import Parts, Visit, entered

STATES = ("OPEN", "AWAITS_CONFIRMATION", "DECIDED", "WITHDRAWN")
OUTCOMES = ("UPHELD", "PARTLY", "REFUSED")
EVENTS = ("CORRECTED", "WITHDRAWN", "REINSTATED")

_MATTER = """
  id kind state scheme value dataset record version access filed filedBy due provisional overdue reason
  papers { issuer number date } outcome decided because remedy correctBy
  look { at what department title fields outcome }
"""
_MATTERS = f"""
query Matters($state: MatterState, $after: String) {{
  matters(state: $state, after: $after, first: 20) {{ items {{ {_MATTER} }} next }}
}}
"""
_CHANGES = """
query Changes($after: String) {
  changes(after: $after, first: 20) {
    items { id state event scheme value dataset record version newVersion at reason because } next
  }
}
"""
_DECIDE = """
mutation Decide($id: ID!, $outcome: Outcome!, $reason: String!) {
  %s(id: $id, outcome: $outcome, reason: $reason) { id state }
}
"""
_CONFIRM = "mutation Confirm($id: ID!) { confirm(id: $id) { __typename } }"
_DECLINE = "mutation Decline($id: ID!, $reason: String!) { decline(id: $id, reason: $reason) { __typename } }"
_REPORT = """
mutation Report(
  $subject: IdentifierInput!, $record: RecordInput!, $event: ReportedEvent!, $version: String, $reason: String!
) {
  reportChange(subject: $subject, record: $record, event: $event, newVersion: $version, reason: $reason) { id state }
}
"""
_REPORTED = ("scheme", "value", "dataset", "record", "version", "event", "new_version", "reason")
_AWAITING = "/console/matters?state=AWAITS_CONFIRMATION"
_BY_KIND = {"OBJECTION": "decideObjection", "RESTORATION": "decideRestoration"}


def routes(parts: Parts) -> list[Route]:
    """The routes of stewards."""
    every = (
        ("GET", "/console/matters", matters),
        ("GET", "/console/matters/{id}", matter),
        ("POST", "/console/matters/{id}", returned(decide, deciding)),
        ("POST", "/console/matters/{id}/confirm", confirm_matter),
        ("GET", "/console/changes", changes),
        ("POST", "/console/changes/{id}/confirm", confirm_change),
        ("POST", "/console/matters/{id}/decline", returned(decline_matter, declining_matter)),
        ("POST", "/console/changes/{id}/decline", returned(decline_change, declining_change)),
        ("GET", "/console/report", reporting),
        ("POST", "/console/report", returned(report, form)),
    )
    return [Route(path, entered(parts, "steward", room), methods=[method]) for method, path, room in every]


async def matters(visit: Visit) -> Response:
    """The department's matters of a state, the soonest deadline first."""
    state = visit.query("state") if visit.query("state") in STATES else "OPEN"
    return await _listed(visit, state, [])


async def declining_matter(visit: Visit, wrong: Wrong) -> Response:
    """The list, with the form that turns one down as it was sent."""
    return await _listed(visit, "AWAITS_CONFIRMATION", wrong)


async def matter(visit: Visit) -> Response:
    """One of them, with the form that decides it."""
    return await deciding(visit, [])


async def deciding(visit: Visit, wrong: Wrong) -> Response:
    """The form that decides one, with what is wrong with it."""
    found = await _found(visit)
    if found is None:
        return await visit.missing("/console/matters", "refused.not_waiting")
    return await _shown(visit, found, wrong)


async def decide(visit: Visit) -> Response:
    """Decide one: first a page to check, then the act."""
    outcome, reason = visit.field("outcome"), visit.field("reason")
    wrong: Wrong = []
    if outcome not in OUTCOMES:
        wrong.append(("outcome", visit.words("deciding.no_outcome")))
    if not reason:
        wrong.append(("reason", visit.words("deciding.no_reason")))
    id_, kind = visit.request.path_params["id"], visit.field("kind")
    if not wrong and visit.field("checked") == "yes" and kind in _BY_KIND:
        done = await visit.ask(_DECIDE % _BY_KIND[kind], id=id_, outcome=outcome, reason=reason)
        state = done.data[_BY_KIND[kind]]["state"]
        said = "done.decided_awaits" if state == "AWAITS_CONFIRMATION" else "done.decided"
        return await visit.go("/console/matters", said, done)
    found = await _found(visit)
    if found is None:
        return await visit.missing("/console/matters", "refused.not_waiting")
    if wrong or visit.field("change") == "yes":
        return await _shown(visit, found, wrong)
    given = {"kind": found["kind"], "outcome": outcome, "reason": reason}
    where = {"state": visit.field("state"), "after": visit.field("after")}
    return await visit.page("console/check.html", "console.matters", matter=found, given=given, where=where)


async def confirm_matter(visit: Visit) -> Response:
    """Confirm what a colleague decided."""
    return await _confirm(visit, "/console/matters", _AWAITING)


async def changes(visit: Visit) -> Response:
    """What the department did with its records; those that wait for a second person come first."""
    return await declining_change(visit, [])


async def declining_change(visit: Visit, wrong: Wrong) -> Response:
    """The list, with the form that turns one down as it was sent."""
    page = (await visit.ask(_CHANGES, after=visit.query("after") or None)).data["changes"]
    return await turned_down(visit, "console/changes.html", "console.changes", wrong, page=page)


async def confirm_change(visit: Visit) -> Response:
    """Confirm what a colleague reported."""
    return await _confirm(visit, "/console/changes", "/console/changes")


async def decline_matter(visit: Visit) -> Response:
    """Turn down what a colleague decided."""
    return await _decline(visit, _AWAITING)


async def decline_change(visit: Visit) -> Response:
    """Turn down what a colleague reported."""
    return await _decline(visit, "/console/changes")


async def reporting(visit: Visit) -> Response:
    """The form by which a change of a record is reported."""
    return await form(visit, [])


async def report(visit: Visit) -> Response:
    """Report a change: first a page to check, then the act."""
    names = ("scheme", "value", "dataset", "record", "reason")
    wrong = [(name, visit.words(f"reporting.no_{name}")) for name in names if not visit.field(name)]
    if visit.field("event") not in EVENTS:
        wrong.append(("event", visit.words("reporting.no_event")))
    if visit.field("event") == "CORRECTED" and not visit.field("new_version"):
        wrong.append(("new_version", visit.words("reporting.no_new_version")))
    if wrong or visit.field("change") == "yes":
        return await form(visit, wrong)
    if visit.field("checked") != "yes":
        given = {name: visit.field(name) for name in _REPORTED}
        return await visit.page("console/report_check.html", "console.changes", given=given)
    version = {"version": visit.field("version")} if visit.field("version") else {}
    try:
        done = await visit.ask(
            _REPORT,
            subject={"scheme": visit.field("scheme"), "value": visit.field("value")},
            record={"dataset": visit.field("dataset"), "record": visit.field("record"), **version},
            event=visit.field("event"), version=visit.field("new_version") or None, reason=visit.field("reason"),
        )  # fmt: skip
    except ApiRefused as refused:
        if refused.code == "GRAPHQL_VARIABLES_INVALID":
            return await form(visit, [("scheme", visit.words("reporting.bad_scheme"))])
        if refused.reason == "ARGUMENT" and "`record.dataset`" in refused.message:
            return await form(visit, [("dataset", visit.words("reporting.bad_dataset"))])
        raise
    waits = done.data["reportChange"]["state"] == "AWAITS_CONFIRMATION"
    return await visit.go("/console/changes", "done.reported_awaits" if waits else "done.reported", done)


async def _confirm(visit: Visit, back: str, here: str) -> Response:
    """Confirm it and go `back`; `here` is the list with the button, for whoever has to sign in again first."""
    if not visit.fresh:
        return await visit.again(here)
    done = await visit.ask(_CONFIRM, id=visit.request.path_params["id"])
    return await visit.go(back, "done.confirmed", done)


async def _decline(visit: Visit, back: str) -> Response:
    done = await visit.ask(_DECLINE, id=visit.request.path_params["id"], reason=visit.field("reason"))
    return await visit.go(back, "done.turned_down", done)


async def _listed(visit: Visit, state: str, wrong: Wrong) -> Response:
    page = await _page(visit, state, visit.query("after"))
    here = urlencode({"state": state, "after": visit.query("after")})
    return await turned_down(
        visit, "console/matters.html", "console.matters", wrong, page=page, state=state, states=STATES, here=here
    )


async def _page(visit: Visit, state: str, after: str) -> Any:
    page = (await visit.ask(_MATTERS, state=state, after=after or None)).data["matters"]
    page["items"].sort(key=lambda each: each["due"])
    return page


async def _found(visit: Visit) -> Any:
    """The matter, on the page of the list that leads to it."""
    state = visit.typed("state") if visit.typed("state") in STATES else "OPEN"
    page = await _page(visit, state, visit.typed("after"))
    return next((each for each in page["items"] if each["id"] == visit.request.path_params["id"]), None)


async def _shown(visit: Visit, found: Any, wrong: Wrong) -> Response:
    filled = {name: visit.typed(name) for name in ("outcome", "reason", "state", "after")}
    return await visit.page(
        "console/matter.html", "console.matters", 422 if wrong else 200,
        matter=found, filled=filled, outcomes=OUTCOMES, wrong=wrong,
    )  # fmt: skip


async def form(visit: Visit, wrong: Wrong) -> Response:
    """The form by which a change is reported, with what is wrong with it."""
    filled = {name: visit.typed(name) for name in _REPORTED}
    own = visit.parts.pages.names.provided(visit.parts.department(visit.session.login))
    return await visit.page(
        "console/report.html", "console.changes", 422 if wrong else 200,
        filled=filled, events=EVENTS, datasets=own, wrong=wrong,
    )  # fmt: skip
