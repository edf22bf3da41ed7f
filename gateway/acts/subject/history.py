"""Who looked at a subject, and what became of its records, as `me` shows it (Arts. 42, 47).

What is shown of which entry is a list of its own here: who, when, for which purpose, on which law, which fields and
records, and what the recipient has to do with them; and what a department's counter did for it, by the department's
name. Never which case, who the official was, or in which words somebody
said why they looked. Which entries there are, and from when, is for `gateway.ledger.projections.visible`.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping
from typing import Any

from gateway.acts.inputs import wrong
from gateway.errors import LedgerUnavailable, StoreUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.projections import visible
from gateway.ledger.projections.visible import BEGIN, Cursor, Look
from gateway.rules.model import Policies
from gateway.storage.port import Reader, Store
from gateway.storage.tables import micros, moment

NOTE = "Where a law lets an inquiry be disclosed later, it appears here by itself once that time is over."
"""Said on every page, whatever is on it."""
OPERATOR = "gateway"
"""The department of whoever runs the gateway's own commands."""

_DUTIES: Mapping[str, str] = {
    "purpose-only": "it may be used for {purpose} only",
    "no-onward-disclosure": "it may not be passed on",
    "delete-by": "it is to be deleted by {date}",
}

_AT_COUNTER: Mapping[str, str] = {
    "consent-granted": "gave a consent for you",
    "consent-revoked": "took a consent back for you",
    "consent-declined": "declined a consent for you",
    "objection-filed": "filed an objection for you",
    "restoration-filed": "filed an application for restoration for you",
    "matter-withdrawn": "took back for you what was filed",
    "opt-out-set": "had {dataset} kept back for you",
    "opt-out-lifted": "ended for you that {dataset} is kept back",
}

SHOWN = "whoever came showed: {kind}"

_ASKED: Mapping[str, str] = {
    "delete": "delete it, and use it no more",
    "update": "use what it was corrected to",
    "mark-disputed": "mark it as disputed",
    "clear-disputed": "take that mark away",
}
_ANSWERS: Mapping[str, str] = {
    "applied": "answered: done",
    "passed-on": "answered: done, and it had been passed on",
    "refused": "answered: refused; oversight is notified",
}

Subject = tuple[str, str]
"""Scheme and value."""


def cursor(after: object) -> Cursor:
    """Where a page begins; raises `Refusal` for a cursor that is none."""
    if after is None:
        return BEGIN
    try:
        return Cursor.read(str(after))
    except ValueError:
        raise wrong("`after` is no cursor of this page; take the `next` of the page before") from None


def page(
    reader: Reader, policies: Policies, subject: Subject, now: datetime.datetime, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """`AccessHistory`, as its arguments ask for it; raises `Refusal` for a cursor that is none."""
    if (id_ := asked.get("id")) is not None:
        look = visible.found_by(reader, *subject, id_, micros(now))
        found = visible.Page([] if look is None else [look], None, micros(now))
    else:
        after, first = cursor(asked.get("after")), asked.get("first", 50)
        found = visible.shown_to(reader, *subject, micros(now), after, first, newest=bool(asked.get("newest")))
    return {
        "items": [access(look, policies, subject) for look in found.looks],
        "next": None if found.next is None else found.next.text,
        "note": NOTE,
        "completeUntil": moment(found.until),
    }


def visible_access(store: Store, subject: Subject, id_: str, now: datetime.datetime) -> Look | None:
    """The look of that id, where its subject is shown it now; None where it is not, or there is none. Blocks.

    Raises `LedgerUnavailable`.
    """
    try:
        with contextlib.closing(store.reader()) as reader:
            return visible.found_by(reader, *subject, id_, micros(now))
    except (VerificationFailed, StoreUnavailable) as error:
        raise LedgerUnavailable(f"the store's entries cannot be read: {error}") from error


def department_of(store: Store, subject: Subject, id_: str, now: datetime.datetime) -> str | None:
    """The department that looked; None where it is no look of another department's that the subject is shown now."""
    look = visible_access(store, subject, id_, now)
    if look is None or look.own or isinstance(look.told, entries.Acted):
        return None
    return look.told.requester.department or None


def access(look: Look, policies: Policies, subject: Subject) -> dict[str, Any]:
    """`Access`."""
    told = look.told
    row: dict[str, Any] = {
        "id": told.id, "at": told.at, "what": _what(look), "department": told.requester.department or OPERATOR,
        "purpose": None, "title": None, "basis": [], "forCase": False, "fields": [], "records": [],
        "outcome": "", "told": [],
    }  # fmt: skip
    match told:
        case entries.Inquiry() | entries.Refused():
            row |= _declared(told.declaration, policies) | _inquiry(look, told, subject)
        case entries.View():
            row["outcome"] = "looked at what the ledger has about you"
        case entries.Acted() if look.at_counter:
            row |= _counted(told, policies)
        case entries.Acted() if look.of_recall:
            row |= _recalled(told, policies)
        case entries.Acted():
            row["records"] = [_record(told)]
            done = told.what.removeprefix("change-")
            row["outcome"] = f"{done}: {told.outcome}" if told.outcome else done
    return row


def _what(look: Look) -> str:
    if look.own or look.at_counter:
        return "OWN"
    if look.of_recall:
        return "RECALL"
    match look.told:
        case entries.Inquiry():
            return "INQUIRY"
        case entries.Refused():
            return "REFUSAL"
        case entries.View():
            return "VIEW"
        case _:
            return "CHANGE"


def _counted(told: entries.Acted, policies: Policies) -> dict[str, Any]:
    """What a counter did for the subject, and of which kind was the proof of who came; never its number, nor who the
    official was."""
    row: dict[str, Any] = {"outcome": "at its counter: " + _AT_COUNTER[told.what].format(dataset=told.dataset)}
    if told.record:
        row["records"] = [_record(told)]
    if told.matter and told.what not in ("opt-out-set", "opt-out-lifted"):
        row["told"] = [f"its id is {told.matter}"]
    if told.proof_kind:
        row.setdefault("told", []).append(SHOWN.format(kind=told.proof_kind))
    if told.purpose:
        row |= _purposed(told.purpose, policies)
    return row


def _recalled(told: entries.Acted, policies: Policies) -> dict[str, Any]:
    """Whom a recall tells to do what, or how its recipient answered; never why, nor who else it names."""
    who = told.to.department or told.to.client if told.to is not None else ""
    asked = _ASKED.get(told.action, told.action)
    answer = _ANSWERS.get(told.outcome, told.outcome) if told.what == "acknowledged" else ""
    return {
        **_purposed(told.purpose, policies),
        "fields": [f"{dataset}.{name}" for dataset, names in told.fields.items() for name in names],
        "records": [f"{told.dataset}/{each}" for each in told.records],
        "outcome": answer or f"recalled: {asked}",
        "told": [f"{who} is to {asked}"] if who else [],
    }


def _record(told: entries.Acted) -> str:
    return f"{told.dataset}/{told.record}" + (f"@{told.version}" if told.version else "")


def _declared(declared: entries.Declared | None, policies: Policies) -> dict[str, Any]:
    if declared is None:
        return {}
    return {**_purposed(declared.purpose, policies), "forCase": declared.case is not None}


def _purposed(purpose: str, policies: Policies) -> dict[str, Any]:
    known = policies.purposes.get(purpose)
    return {
        "purpose": purpose,
        "title": known.title if known else None,
        "basis": [{"law": each.law, "article": each.article} for each in known.basis] if known else [],
    }


def _inquiry(look: Look, told: entries.Operation, subject: Subject) -> dict[str, Any]:
    """What an answer said of this subject, and of no other that it named; or that there was none."""
    if isinstance(told, entries.Refused):
        return {"outcome": f"refused: {told.code}"}
    given = [each for one in told.disclosed if (one.scheme, one.value) == subject for each in one.datasets]
    answered = [each for each in given if each.failure is None]
    outcome = "answered" if len(answered) == len(given) else "answered in part: a department was out of reach"
    return {
        "fields": [f"{each.dataset}.{name}" for each in answered for name in each.fields],
        "records": [record for each in answered for record in each.records],
        "outcome": outcome if look.left else "not released: nobody received the answer",
        "told": [_duty(each) for each in told.obligations],
    }


def _duty(duty: entries.Duty) -> str:
    words = _DUTIES.get(duty.type)
    return duty.type if words is None else words.format_map({"purpose": "", "date": "", **duty.properties})
