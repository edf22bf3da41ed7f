"""Who acts on proposals, and what every such act looks at first."""

from __future__ import annotations

import datetime
import re
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway.activation.stored import Stored, stored
from gateway.acts import inputs
from gateway.acts.office import SIGNED_IN_WITHIN, Office
from gateway.errors import Code, Refusal, StoreUnavailable
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.acting.planned import Actor, Seen, invalid, not_found
from gateway.proposals.judging import OFFICER, STEWARD
from gateway.proposals.statement import reason_of
from gateway.rules.files.officers import Officer
from gateway.storage.rules import proposals as rows
from gateway.storage.rules import rulesets
from gateway.storage.rules.proposals import WAITING, Proposal
from gateway.storage.rules.rulesets import Active
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros

_ID = re.compile(r"[0-9a-f]{32}")
EVERY = frozenset([("rules",)])
"""What each of these acts touches: they are few, and happen one after the other."""


class Acting(NamedTuple):
    """Who acts: `officer` where the active rule set knows them as one; `steward` is the department they are for."""

    actor: Actor
    officer: Officer | None
    steward: str

    @property
    def name(self) -> str:
        return self.officer.name if self.officer is not None else ""

    def people(self, keyed: Keyed) -> bytes:
        """What stands for the human, by all names that are known of them."""
        return keyed.people(self.actor.people | (self.officer.people if self.officer else frozenset()))

    def role(self, row: Proposal) -> tuple[str, str]:
        """As what they approve or refuse it, and by which name; raises `Refusal`."""
        if self.officer is not None:
            return OFFICER, self.officer.name
        if self.steward and self.steward in row.departments:
            return STEWARD, self.steward
        if self.steward:
            raise Refusal(Code.FORBIDDEN, f"it opens no data of people, or not public, of `{self.steward}`")
        raise Refusal(Code.FORBIDDEN, "you are no officer in `officers.yaml` of the rule set in force")


def acting(office: Office, who: Requester, *, fresh: bool = False) -> Acting:
    """Who acts, by their token; `fresh`: only within minutes of a sign-in. Raises `Refusal`."""
    actor, officer = office.actor(who), None
    if "officer" in who.scopes:
        officer = office.rules.officers.of(who.issuer, who.official)
    if officer is not None and officer.person and who.person not in (None, officer.person):
        raise Refusal(Code.FORBIDDEN, "the token is of another person than `officers.yaml` has for this account")
    if fresh and not who.signed_in(office.now().timestamp() - SIGNED_IN_WITHIN):
        raise invalid("SIGN_IN", "this takes a sign-in of the last 10 minutes; sign in again, then repeat it")
    return Acting(actor, officer, who.department if "steward" in who.scopes else "")


def current(office: Office, seen: Seen) -> Active:
    """The active rule set, which this process must be serving; raises `Refusal`."""
    found = rulesets.active(seen.connection)
    if found is None:
        raise nothing_active()
    if found.digest != office.rules.digest:
        late = "this process does not serve the active rule set yet; try again"
        raise Refusal(Code.DECISION_UNAVAILABLE, late, headers={"Retry-After": "1"}, retryable=True)
    return found


def in_force(office: Office, epoch: int | None = None) -> Stored:
    """The active rule set with its archive, or the one since an `epoch`; raises `Refusal`. Blocks."""
    try:
        found = stored(office.store.engine, epoch)
    except StoreUnavailable as error:
        raise unreadable() from error
    if found is None:
        raise nothing_active() if epoch is None else not_found()
    return found


def unreadable() -> Refusal:
    """The store is out of reach."""
    return Refusal(
        Code.LEDGER_UNAVAILABLE, "the store cannot be read now; try again later", headers={"Retry-After": "1"}
    )


def nothing_active() -> Refusal:
    """There is no rule set that a proposal could be over."""
    return invalid("STATE", "no rule set is active yet; the first one takes `dutybound rules bootstrap`")


def reason(given: str) -> str:
    """A reason as it is kept; raises `Refusal`."""
    try:
        return reason_of(given)
    except ValueError as error:
        raise inputs.wrong(str(error)) from None


def one(connection: Connection, id_: str) -> Proposal:
    """The proposal of that id; raises `Refusal`."""
    row = rows.one(connection, id_) if _ID.fullmatch(id_) else None
    if row is None:
        raise not_found()
    return row


def still_open(row: Proposal, now: Active, at: datetime.datetime) -> None:
    """Raises `Refusal` unless a proposal can still come to something."""
    if row.state not in WAITING:
        raise invalid("STATE", f"this proposal is {row.state} already")
    if (row.base_epoch, row.base) != now:
        raise invalid(
            "STATE", "this proposal is stale: another rule set became active since; propose it again over that"
        )
    if row.lapses <= micros(at):
        raise invalid("STATE", "this proposal lapsed; propose it again")


def never(seen: Seen, past: Act) -> Any:
    raise AssertionError("these acts have no reference")
