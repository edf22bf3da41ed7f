"""An approval, as text that an officer can sign anywhere (`ssh-keygen -Y sign -n dutybound-rules`). Pure.

One form, so that whoever knows what was approved, until when and why has the same bytes: a line each, the reason last.
It names the ledger, so that it is worth nothing at another one.
"""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from connectors.composing import composed
from gateway.errors import VerificationFailed
from gateway.writing import unseen

VERSION = "dutybound rules approval, version 1"
NONE = "none"
"""What stands for the base where no rule set was active before."""
MOST_REASON = 1_000
SOONEST = datetime.timedelta(hours=1)
"""An approval counts so long at least."""
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"

_FORM = re.compile(
    re.escape(VERSION) + r"\nledger (?P<origin>\S+)\nrule set (?P<digest>[0-9a-f]{64})\n"
    r"base (?P<base>[0-9a-f]{64}|none)\nuntil (?P<until>\S+)\nreason (?P<reason>.+)\n"
)


class Statement(NamedTuple):
    """An approval's words: of which ledger, over which rule set and base (digests), until when it counts, and why."""

    origin: str
    digest: str
    base: str
    until: datetime.datetime
    reason: str

    @property
    def text(self) -> str:
        """The words, to the byte."""
        until = self.until.astimezone(datetime.UTC).strftime(_MOMENT)
        lines = (VERSION, f"ledger {self.origin}", f"rule set {self.digest}", f"base {self.base}", f"until {until}")
        return "\n".join([*lines, f"reason {self.reason}", ""])


def reason_of(given: str) -> str:
    """A reason as it is kept: one line, NFC, trimmed; raises `ValueError` with what is wrong with it."""
    try:
        said = composed(given.strip()).strip()
    except ValueError as error:
        raise ValueError(f"the reason is no text that one can read: {error}") from None
    if not said:
        raise ValueError("give a reason (`reason`)")
    if len(said) > MOST_REASON:
        raise ValueError(f"the reason has {len(said):,} characters; at most {MOST_REASON:,} are taken")
    if has := unseen(said):
        raise ValueError(f"the reason must be one line, without control characters: it has {has}")
    return said


def read(text: str) -> Statement:
    """The statement of a text; raises `VerificationFailed` where it is none, to the byte."""
    found = _FORM.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        until = moment(found["until"])
        statement = Statement(found["origin"], found["digest"], found["base"], until, reason_of(found["reason"]))
        if statement.text != text:
            raise ValueError
    except ValueError:
        raise VerificationFailed(
            f"this is no statement of an approval: it begins with `{VERSION}`, and nothing in it may be changed"
        ) from None
    return statement


def wrong_until(until: datetime.datetime, now: datetime.datetime, most: datetime.timedelta) -> str:
    """What is wrong with until when an approval is to count, in words; nothing where it may be."""
    if until < now + SOONEST:
        return "the approval would be over within an hour, or is; let it count longer (`until`)"
    latest = (now + most).astimezone(datetime.UTC).strftime(_MOMENT)
    return f"the approval would count too long (`until`): the latest is {latest}" if until > now + most else ""


def moment(text: str) -> datetime.datetime:
    """A moment in whole seconds, as `2026-12-10T00:00:00Z`; raises `ValueError`."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise ValueError("must be a moment, as `2026-12-10T00:00:00Z`")
    return datetime.datetime.strptime(text, _MOMENT).replace(tzinfo=datetime.UTC)
