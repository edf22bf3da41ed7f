"""Approving a proposal: why and until when, then a page to check what is agreed to, and signed where it must be."""

from __future__ import annotations

import datetime
from typing import Any

from starlette.responses import Response

from gateway.console.calling import Answered, ApiRefused
from gateway.console.guarding import HEADERS
from gateway.console.officer.proposals import ROOM, agreed
from gateway.console.officer.shared import api, no_reason, own, proposal, reason
from gateway.console.returning import Wrong
from gateway.console.visiting import Visit, away

USUAL = datetime.timedelta(days=7)
"""How long an approval counts where nobody says anything else."""
_KEPT = ("until", "reason", "digest", "base", "read")


async def form(visit: Visit) -> Response:
    """The form by which somebody agrees; it takes a sign-in of just now, so that nobody writes in vain."""
    found = await proposal(visit)
    if not found["you"]["mayApprove"]:
        return away(visit.parts.pages.url(own(visit)))
    if not visit.fresh:
        return await visit.again(f"{own(visit)}/approve")
    if visit.has("until"):
        return await _form(visit, found, _given(visit), [])
    usual = datetime.datetime.fromtimestamp(visit.parts.now(), datetime.UTC) + USUAL
    until = visit.words.here(min(usual, _moment(found["you"]["until"])))
    return await _form(visit, found, {"until": until.date().isoformat(), "reason": "", "read": ""}, [])


async def approval(visit: Visit, wrong: Wrong) -> Response:
    """The form, or the page to check, as it was sent, with what is wrong."""
    found, given = await proposal(visit), _given(visit)
    until = _until(visit, found, given["until"])
    if until is None or visit.field("do") != "approve":
        return await _form(visit, found, given, wrong)
    try:
        statement = await _statement(visit, until, given["reason"])
    except ApiRefused:
        return await _form(visit, found, given, wrong)
    return await _check(visit, found, given, until, statement, wrong)


async def approve(visit: Visit) -> Response:
    """Agree: first a page to check, then the act."""
    found = await proposal(visit)
    given = _given(visit)
    wrong, until = no_reason(visit, given["reason"]), _until(visit, found, given["until"])
    if until is None:
        wrong.append(("until", _bad_until(visit, found)))
    if given["read"] != "yes":
        wrong.append(("read", visit.words("approving.unread")))
    if until is None or wrong or visit.field("do") == "change":
        return await _form(visit, found, given, wrong)
    try:
        statement = await _statement(visit, until, given["reason"])
    except ApiRefused as refused:
        if refused.reason != "ARGUMENT":
            raise
        late = "`until`" in refused.message
        told = ("until", _bad_until(visit, found)) if late else ("reason", visit.words("approving.bad_reason"))
        return await _form(visit, found, given, [told])
    if visit.field("do") == "save":
        headers = {**HEADERS, "Content-Disposition": 'attachment; filename="approval.txt"'}
        return Response(statement, headers=headers, media_type="text/plain")
    signature = visit.field("signature")
    if visit.field("do") != "approve":
        return await _check(visit, found, given, until, statement, [])
    if found["you"]["signed"] and not signature:
        unsigned = [("signature", visit.words("approving.no_signature"))]
        return await _check(visit, found, given, until, statement, unsigned)
    if not visit.fresh:
        return await visit.again(f"{own(visit)}/approve")
    body = {"digest": given["digest"], "base": given["base"], "until": until, "reason": given["reason"]}
    body["signature"] = signature
    try:
        told = await visit.call("POST", f"{api(visit)}/approve", body)
    except ApiRefused as refused:
        if refused.reason != "ARGUMENT" or not signature:
            raise
        unfit = [("signature", visit.words("approving.bad_signature"))]
        return await _check(visit, found, given, until, statement, unfit)
    return await visit.go(own(visit), "done.rules_approved", Answered(told, told["act"]))


def _given(visit: Visit) -> dict[str, str]:
    return {name: visit.field(name) for name in _KEPT} | {"reason": reason(visit)}


async def _statement(visit: Visit, until: str, why: str) -> str:
    """What is agreed to, word for word; raises `ApiRefused`."""
    return str((await visit.call("POST", f"{api(visit)}/statement", {"until": until, "reason": why}))["statement"])


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _until(visit: Visit, found: Any, day: str) -> str | None:
    """The end of a day as the API writes a moment, or the latest where that is on that day; None for no such day."""
    latest = _moment(found["you"]["until"])
    try:
        ends = visit.words.end_of(datetime.date.fromisoformat(day))
    except (ValueError, OverflowError):
        return None
    if ends > latest and ends - latest < datetime.timedelta(days=1):
        ends = latest
    return ends.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bad_until(visit: Visit, found: Any) -> Any:
    return visit.words("approving.bad_until", day=visit.words.day(found["you"]["until"]))


async def _form(visit: Visit, found: Any, filled: dict[str, str], wrong: list[tuple[str, Any]]) -> Response:
    return await visit.page(
        "console/officer/approve.html", ROOM, 422 if wrong else 200,
        it=found, agreed=agreed(found), filled=filled, wrong=wrong,
    )  # fmt: skip


async def _check(
    visit: Visit, found: Any, given: dict[str, str], until: str, statement: str, wrong: list[tuple[str, Any]]
) -> Response:
    return await visit.page(
        "console/officer/check.html", ROOM, 422 if wrong else 200,
        it=found, given=given, until=until, statement=statement, signature=visit.field("signature"), wrong=wrong,
    )  # fmt: skip
