"""`/my/matters`: what somebody filed, with its clock and its answer; and the forms to file more."""

from __future__ import annotations

import datetime
from typing import Any

from starlette.responses import Response

from gateway.console.clock import is_day
from gateway.console.my.looked import LOOK
from gateway.console.visiting import Visit

_MATTERS = """
query Matters {
  me {
    matters {
      id kind state dataset record version access filed filedBy due provisional overdue reason
      papers { issuer number date } outcome decided because remedy correctBy
      look { at what department title fields outcome }
    }
  }
}
"""
_OBJECT = """
mutation Object($record: RecordInput, $access: ID, $dataset: ID, $reason: String!, $papers: [PaperInput!]) {
  fileObjection(record: $record, access: $access, dataset: $dataset, reason: $reason, papers: $papers) { id due }
}
"""
_RESTORE = """
mutation Restore($record: RecordInput!, $reason: String!, $papers: [PaperInput!]) {
  applyForRestoration(record: $record, reason: $reason, papers: $papers) { id due }
}
"""
_ACCESS = f"query Access($id: ID!) {{ me {{ accessHistory(id: $id) {{ items {{ {LOOK} }} }} }} }}"
_WITHDRAW = "mutation Withdraw($id: ID!) { withdrawMatter(id: $id) { id } }"
MOST = 4_000
"""Characters of a reason."""


async def matters(visit: Visit) -> Response:
    """All of them, those that wait first."""
    found = (await visit.ask(_MATTERS)).data["me"]["matters"]
    waiting = sorted((each for each in found if each["state"] in OPEN), key=lambda each: each["due"])
    done = sorted((each for each in found if each["state"] not in OPEN), key=lambda each: each["filed"], reverse=True)
    return await visit.page("my/matters.html", "my.matters", waiting=waiting, done=done)


OPEN = ("OPEN", "AWAITS_CONFIRMATION")


async def withdraw(visit: Visit) -> Response:
    """Take one back."""
    done = await visit.ask(_WITHDRAW, id=visit.request.path_params["id"])
    return await visit.go("/my/matters", "done.withdrawn", done)


async def objecting(visit: Visit) -> Response:
    """The form of an objection: to a record, to a look, or to what is missing in a kind of record."""
    return await objection(visit, []) if _about(visit, visit.typed) else await visit.missing("/my/")


async def object_(visit: Visit) -> Response:
    """File an objection."""
    about = _about(visit, visit.field)
    if about is None:
        return await visit.missing("/my/")
    wrong, papers = _checked(visit)
    if wrong:
        return await objection(visit, wrong)
    done = await visit.ask(_OBJECT, reason=visit.field("reason"), papers=papers, **about)
    due = done.data["fileObjection"]["due"]
    return await visit.go("/my/matters", "done.objected", done, day=str(visit.words.day(due)))


async def applying(visit: Visit) -> Response:
    """The form of an application to have a record removed."""
    about = _about(visit, visit.typed)
    return await application(visit, []) if about and "record" in about else await visit.missing("/my/")


async def apply(visit: Visit) -> Response:
    """Apply."""
    about = _about(visit, visit.field)
    if about is None or "record" not in about:
        return await visit.missing("/my/")
    wrong, papers = _checked(visit)
    if wrong:
        return await application(visit, wrong)
    done = await visit.ask(_RESTORE, reason=visit.field("reason"), papers=papers, **about)
    due = done.data["applyForRestoration"]["due"]
    return await visit.go("/my/matters", "done.applied", done, day=str(visit.words.day(due)))


def _about(visit: Visit, given: Any) -> dict[str, Any] | None:
    """What it is about, as the mutation takes it."""
    if given("access"):
        return {"access": given("access")}
    if not given("dataset"):
        return None
    if not given("record"):
        return {"dataset": given("dataset")}
    version = {"version": given("version")} if given("version") else {}
    return {"record": {"dataset": given("dataset"), "record": given("record"), **version}}


def _checked(visit: Visit) -> tuple[list[tuple[str, Any]], list[dict[str, str]]]:
    """What is wrong with a form, each at its field; and the paper that it names."""
    wrong: list[tuple[str, Any]] = []
    if not visit.field("reason"):
        wrong.append(("reason", visit.words("filing.no_reason")))
    elif len(visit.field("reason")) > MOST:
        wrong.append(("reason", visit.words("filing.too_long")))
    paper = {name: visit.field(name) for name in ("issuer", "number", "date") if visit.field(name)}
    if not paper:
        return wrong, []
    for name in ("issuer", "number"):
        if name not in paper:
            wrong.append((name, visit.words(f"filing.no_{name}")))
    if "date" in paper and not is_day(paper["date"]):
        wrong.append(("date", visit.words("filing.no_day")))
    elif "date" in paper and not _past(paper["date"], visit.today):
        wrong.append(("date", visit.words("filing.future")))
    return wrong, [paper]


def _past(day: str, today: datetime.date) -> bool:
    return datetime.date.fromisoformat(day) <= today


async def objection(visit: Visit, wrong: list[tuple[str, Any]]) -> Response:
    """The form of an objection, with what is wrong with it."""
    return await _form(visit, "object", wrong)


async def application(visit: Visit, wrong: list[tuple[str, Any]]) -> Response:
    """The form of an application, with what is wrong with it."""
    return await _form(visit, "restore", wrong)


async def _form(visit: Visit, kind: str, wrong: list[tuple[str, Any]]) -> Response:
    names = ("dataset", "record", "version", "access", "reason", "issuer", "number", "date")
    filled = {name: visit.typed(name) for name in names}
    looks = [None]
    if filled["access"]:
        looks = (await visit.ask(_ACCESS, id=filled["access"])).data["me"]["accessHistory"]["items"]
    if not looks:  # there is none of that number that they are shown
        return await visit.missing("/my/looked")
    return await visit.page(
        "my/filing.html", "my.matters", 422 if wrong else 200, kind=kind, filled=filled, wrong=wrong, access=looks[0]
    )
