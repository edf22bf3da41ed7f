"""Whose recalls are whose: a client answers what it received itself, and what a client that is gone had received."""

from __future__ import annotations

from gateway.acts.office import Office
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Seen, not_found
from gateway.ledger.entry import entries
from gateway.rules.ruleset import RuleSet
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import Recall

SCOPE = "recalls"
"""The scope of recipients."""

Who = tuple[str, str]
"""A client: its issuer and id."""


def recipient(office: Office, requester: Requester) -> Actor:
    """The requester as a recipient; raises `Refusal`."""
    if SCOPE not in requester.scopes or requester.is_subject:
        raise Refusal(Code.FORBIDDEN, f"this is for recipients: a token with `{SCOPE}`, and not a subject's own")
    return office.actor(requester)


def answered_by(rules: RuleSet, who: Who) -> frozenset[Who]:
    """Those whose recalls a client answers: itself, and whom it follows."""
    entry = rules.policies.requesters.get(who)
    return frozenset([who]) if entry is None else entry.succeeds | {who}


def answers(rules: RuleSet, who: Who) -> Who:
    """Who answers a client's recalls now: itself, or where it is gone who follows it."""
    requesters = rules.policies.requesters
    if who in requesters:
        return who
    return next((each for each, entry in requesters.items() if who in entry.succeeds), who)


def own(seen: Seen, rules: RuleSet, actor: Actor, id_: str) -> Recall:
    """A recall that is this client's to answer; raises `Refusal`, the same for another's as for none."""
    row = recalls.one(seen.connection, id_)
    mine = answered_by(rules, (actor.issuer, actor.client))
    if row is None or row.value is None or (row.issuer, row.client) not in mine:
        raise not_found()
    return row


def named(rules: RuleSet, issuer: str, client: str) -> entries.Who:
    """A client as an entry names it."""
    entry = rules.policies.requesters.get((issuer, client))
    return entries.Who(issuer, client, entry.department if entry is not None else "")
