"""The transparency report as a page: a sentence, then every figure of one month."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.public import words
from gateway.public.tables import table
from gateway.transparency import counted
from gateway.web.frame import Frame
from gateway.web.page import escape

PATH = "/open/transparency"
PAGE = Frame("Transparency report", PATH.lstrip("/"), form=True)

WHAT: Mapping[str, str] = {
    counted.ANSWERED: "Inquiries answered",
    counted.REFUSED: "Inquiries refused",
    counted.DENIED: "Answered in part",
    counted.RECALLED: "Recalls sent to it",
    counted.DONE: "Recalls that it carried out",
    counted.OBJECTED: "Objections to its records",
    counted.LATE: "Objections whose term it missed",
}
REASONS: Mapping[str, str] = {
    "PURPOSE_NOT_PERMITTED": "the purpose does not cover it",
    "SCOPE_MISSING": "the token does not cover it",
    "CONSENT_REQUIRED": "the subject had not consented",
    "SUBJECT_KIND_NOT_PERMITTED": "the purpose is not for this kind of subject",
    "GRANT_INACTIVE": "the agreement was not in force",
    "TOKEN_NARROWED": "the token was narrowed",
    "OFFICIAL_REQUIRED": "no official stood behind it",
    "STEP_UP_REQUIRED": "a stronger sign-in was needed",
    "NO_RULE": "no rule permits it",
    "CASE_NOT_VERIFIED": "the case was not verified",
    "QUOTA_EXCEEDED": "too many were asked",
    "INQUIRY_REQUIRED": "no purpose was declared",
    "INQUIRY_INVALID": "the declaration contradicted itself",
    "IDENTIFIER_INVALID": "the identifier was not valid",
    "FORBIDDEN": "the token does not reach so far",
    "LIMIT_EXCEEDED": "too much was asked at once",
    "DECISION_UNAVAILABLE": "it could not be decided then",
    "LEDGER_UNAVAILABLE": "it could not be entered then",
    "INTERNAL": "the gateway failed",
}


def month(name: str) -> str:
    """`November 2026`."""
    return f"{datetime.date(int(name[:4]), int(name[5:]), 1):%B %Y}"


def body(told: Mapping[str, Any] | None, months: Sequence[str]) -> str:
    """The page's content; `told` is None where no month is closed yet."""
    if told is None:
        return _framed("<p>No month is closed yet. The first report is made an hour after a month's end.</p>")
    links = f'<a href="{PATH}.json?month={told["month"]}">JSON</a>, <a href="{PATH}.csv?month={told["month"]}">CSV</a>'
    return _framed(
        f'<p class="lead">{_sentence(told)}</p>{_choice(told["month"], months)}'
        f"<h2>By authority and purpose, {month(told['month'])}</h2>{_table(told)}"
        "<h2>How to read this</h2>"
        f"<p>Counts under {told['least']} are not shown, zero included; nor are those by which one of them could be"
        " worked out. An inquiry that its subject is told of later counts in the month in which that time ends. A month"
        " changes no more once it is shown.</p>"
        f"<h2>Made from the ledger</h2><p>Counted on {words.day(told['made'].date())} from the ledger's entries, up to"
        f" these checkpoints. The same figures: {links}.</p>{_checkpoints(told)}"
    )


def _sentence(told: Mapping[str, Any]) -> str:
    said = {each["what"]: each["count"] for each in told["totals"] if each["reason"] is None}
    when = month(told["month"])
    if counted.ANSWERED not in said:
        return f"In {when} authorities made so few inquiries, or so unevenly, that their total is not shown."
    return f"In {when} {said[counted.ANSWERED]:,} inquiries were answered."


def _choice(chosen: str, months: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{each}"{" selected" if each == chosen else ""}>{month(each)}</option>' for each in months
    )
    return (
        f'<form class="filters" method="get" action="{PATH}"><div><label for="month">Month</label>'
        f'<select id="month" name="month">{options}</select></div>'
        '<div><button class="button second">Show</button></div></form>'
    )


def _table(told: Mapping[str, Any]) -> str:
    if not told["figures"]:
        return '<p class="none">Every count of this month is hidden: each is too small to be shown.</p>'
    rows = []
    for each in told["figures"]:
        what = WHAT.get(each["what"], each["what"])
        if each["reason"]:
            what += f": {REASONS.get(each['reason'], each['reason'])}"
        if each["averageDays"] is not None:
            what += f", within {each['averageDays']} days on average"
        rows.append([each["department"], each["purpose"] or "no purpose", what, f"{each['count']:,}"])
    return table(
        f"Figures of {month(told['month'])}", ["Authority", "Purpose", "What", "How many"], rows, frozenset([3])
    )


def _checkpoints(told: Mapping[str, Any]) -> str:
    return "".join(
        f"<details><summary>Shard {escape(each['shard'])}, {each['counted']:,} entries</summary>"
        f"<pre>{escape(each['checkpoint'])}</pre></details>"
        for each in told["checkpoints"]
    )


def _framed(content: str) -> str:
    return f"<h1>How much is shared, and what was refused</h1>\n{content}"
