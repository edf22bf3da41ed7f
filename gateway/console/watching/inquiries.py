"""`/console/inquiries` and `/console/receipt`: one inquiry's life, for oversight, and for whoever asked it.

Oversight opens one by its number with the day, from a finding, or by its receipt; whoever asked gives the receipt, as
text or as the file that they saved. Each answer stands on the page that answers the form: opening is an act with a
reason or takes the receipt, so no address leads to an inquiry. What a requester's page is made of has nothing sealed in
it, so that there is nothing to leave out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from gateway.console.calling import ApiRefused
from gateway.console.returning import Wrong, about, returned
from gateway.console.visiting import Parts, Visit, entered

_OPENING = ("inquiry", "day", "finding", "receipt", "reason")


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    every = (
        ("GET", "/console/inquiries", "oversight", choosing),
        ("POST", "/console/inquiries", "oversight", returned(open_, choice)),
        ("GET", "/console/receipt", "receipts", asking),
        ("POST", "/console/receipt", "receipts", returned(read, asked)),
    )
    return [Route(path, entered(parts, role, room), methods=[method]) for method, path, role, room in every]


async def choosing(visit: Visit) -> Response:
    """The form in which oversight enters which inquiry it opens, and why."""
    return await choice(visit, [])


async def open_(visit: Visit) -> Response:
    """All of one inquiry."""
    given = {name: visit.field(name) for name in _OPENING} | {"receipt": _receipt(visit)}
    wrong = []
    if not given["receipt"] and not given["inquiry"]:
        wrong.append(("inquiry", visit.words("inquiry.no_inquiry")))
    elif not given["receipt"] and not given["finding"] and not given["day"]:
        wrong.append(("day", visit.words("inquiry.no_day")))
    if not given["reason"]:
        wrong.append(("reason", visit.words("inquiry.no_reason")))
    if wrong:
        return await choice(visit, wrong)
    try:
        found = await visit.call("POST", "/inquiries/open", given)
    except ApiRefused as refused:
        if (said := _said(visit, refused, given)) is None:
            raise
        return await choice(visit, [said])
    act = found.get("act") or {}
    told = {"text": "done.inquiry_opened", "receipt": str(act.get("receipt") or "")}
    return await _shown(visit, found, "console.inquiries", told=[told])


async def asking(visit: Visit) -> Response:
    """The form that takes a receipt."""
    return await asked(visit, [])


async def read(visit: Visit) -> Response:
    """What was disclosed to the requester."""
    receipt = _receipt(visit)
    if not receipt:
        return await asked(visit, [("receipt", visit.words("inquiry.no_receipt"))])
    try:
        found = await visit.call("POST", "/inquiries/read", {"receipt": receipt})
    except ApiRefused as refused:
        if (said := _said(visit, refused, {"receipt": receipt})) is None:
            raise
        return await asked(visit, [said])
    return await _shown(visit, found, "console.receipt")


def _receipt(visit: Visit) -> str:
    """The receipt that was chosen as a file or, where there is none, pasted. Browsers end lines in their own way."""
    given = visit.field("file") or visit.field("receipt")
    return given.replace("\r\n", "\n") + "\n" if given else ""


def _said(visit: Visit, refused: ApiRefused, given: Mapping[str, str]) -> tuple[str, Any] | None:
    """A refusal as what is wrong with the form; None where it is of another kind."""
    by_receipt = bool(given["receipt"])
    if refused.code == "MATTER_NOT_FOUND":
        text = "inquiry.not_of_receipt" if by_receipt else "inquiry.not_found"
        return ("receipt" if by_receipt else "inquiry", visit.words(text))
    if refused.reason == "LIMIT":
        return ("day", visit.words("inquiry.too_many"))
    if refused.reason == "ARGUMENT":
        field, text = about(visit, refused)
        if by_receipt and not field:
            return ("receipt", visit.words("inquiry.no_such_receipt"))
        return (field, text) if field else ("day", visit.words("inquiry.no_day"))
    return None


async def choice(visit: Visit, wrong: Wrong) -> Response:
    """The form in which oversight enters which inquiry, with what is wrong with it."""
    filled = {name: visit.typed(name) for name in _OPENING} | {"receipt": _receipt(visit)}
    return await visit.page(
        "watching/inquiries.html", "console.inquiries", 422 if wrong else 200, filled=filled, wrong=wrong
    )


async def asked(visit: Visit, wrong: Wrong) -> Response:
    """The form that takes a receipt, with what is wrong with it."""
    return await visit.page(
        "watching/receipt.html", "console.receipt", 422 if wrong else 200, receipt=_receipt(visit), wrong=wrong
    )


async def _shown(visit: Visit, found: Any, room: str, **more: Any) -> Response:
    fields = [each for about in found["subjects"] for each in about["fields"]]
    permitted = sum(each["permitted"] for each in fields)
    return await visit.page(
        "watching/inquiry.html", room, found=found, life=_life(found), rules=_rules(fields), permitted=permitted,
        denied=len(fields) - permitted, sealed=found.get("sealed"), own_receipt=found["receipt"], **more,
    )  # fmt: skip


def _rules(fields: list[Any]) -> list[dict[str, Any]]:
    """The rules behind an inquiry's fields, those that denied first: what each did and advised, and what it takes."""
    found: dict[str, dict[str, Any]] = {}
    for each in fields:
        for rule in each["rules"]:
            mine = found.setdefault(rule["id"], {**rule, "denied": [], "permitted": 0, "advice": [], "takes": []})
            if each["permitted"]:
                mine["permitted"] += 1
                continue
            mine["denied"].append((each["dataset"], each["field"]))
            if each["advice"] and each["advice"] not in mine["advice"]:
                mine["advice"].append(each["advice"])
            mine["takes"] += [way for way in each["takes"] if way not in mine["takes"]]
    return sorted(found.values(), key=lambda rule: (not rule["denied"], rule["id"]))


def _life(found: Any) -> list[dict[str, Any]]:
    """What happened, and what is still to come, in order."""
    asked = {"at": found["at"], "text": "refused" if found["refused"] else "asked", "kind": ""}
    if found["refused"]:
        asked["kind"] = "refused"
    events = [asked]
    for each in found["recalls"]:
        names = {"dataset": each["dataset"], "action": each["action"]}
        events.append({"at": each["at"], "text": "recalled", "kind": "", **names})
        if each["answered"]:
            events.append({"at": each["answered"], "text": f"answered.{each['outcome']}", "kind": "", **names})
        else:
            late = each["state"] == "OVERDUE"
            events.append(
                {"at": each["due"], "text": "late" if late else "due", "kind": "refused" if late else "next", **names}
            )
    return sorted(events, key=lambda each: str(each["at"]))
