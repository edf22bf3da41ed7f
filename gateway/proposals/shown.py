"""Proposals, activations and replicas as people are shown them: plain values by JSON names."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.ledger.entry import entries
from gateway.proposals.judging import Judged, lacks, opens_at
from gateway.proposals.statement import Statement
from gateway.storage.rules.proposals import ACTIVE, READY, REFUSED, Activation, Approval, Proposal
from gateway.storage.rules.rulesets import Active
from gateway.storage.tables import micros, moment

STATES = ("draft", "checked", "simulated", "approved", "active", "retired", "refused", "stale", "lapsed")
"""What a proposal can be, as people are told."""
WAITS = STATES[:4]
"""Those of one that can still come to something."""
LATE = datetime.timedelta(seconds=30)
"""A replica that said nothing for so long is not known to serve."""

Texts = Mapping[int | None, entries.Acted]
"""What entries say, by their places."""


def state_of(row: Proposal, found: Judged, now: Active, at: datetime.datetime) -> str:
    """What became of a proposal."""
    if row.state == ACTIVE:
        return "active" if row.epoch == now.epoch else "retired"
    if row.state == REFUSED:
        return "refused"
    if (row.base_epoch, row.base) != now:
        return "stale"
    if row.lapses <= micros(at):
        return "lapsed"
    return "approved" if row.state in READY and found.enough else row.state


def proposal(
    row: Proposal,
    given: Sequence[Approval],
    found: Judged,
    now: Active,
    at: datetime.datetime,
    said: Texts,
    origin: str,
) -> dict[str, Any]:
    """A proposal, with who approved it and what it lacks."""
    state, opens = state_of(row, found, now, at), opens_at(row)
    agreed = said[row.moved_in].approvers if row.state == ACTIVE else tuple(each.name for each in found.counted)
    waits = state in WAITS
    return {
        "id": row.id,
        "state": state,
        "digest": row.digest,
        "base": row.base,
        "baseEpoch": row.base_epoch,
        "ledger": origin,
        "proposed": moment(row.at),
        "lapses": moment(row.lapses),
        "author": row.officer or None,
        "reason": said[row.filed_in].reason,
        "widensFor": list(row.departments),
        "simulated": _simulated(said[row.simulated_in]),
        "oversightTold": None if row.noted is None else moment(row.noted),
        "activatableFrom": opens if waits and opens is not None else None,
        "lacks": lacks(row, found, at) if waits else [],
        "missing": missing(row, found, at) if waits else None,
        "approvals": [_approval(each, each.name in agreed, said[each.filed_in], origin) for each in given],
        "epoch": row.epoch,
        "refusedBecause": said[row.moved_in].reason if row.state == REFUSED else None,
    }


def missing(row: Proposal, found: Judged, at: datetime.datetime) -> dict[str, Any]:
    """What is missing, figure by figure. `notice`: oversight was not notified yet, or not long enough ago."""
    opens = opens_at(row)
    return {
        "officers": found.officers,
        "stewards": list(found.stewards),
        "simulation": found.unsimulated,
        "notice": opens is None or opens > at,
    }


def brief(row: Proposal, found: Judged, now: Active, at: datetime.datetime, said: Texts) -> dict[str, Any]:
    """A proposal in a list, with how many approvals count, or did when it became active."""
    agreed = len(said[row.moved_in].approvers) if row.state == ACTIVE else len(found.counted)
    state, opens = state_of(row, found, now, at), opens_at(row)
    waits = state in WAITS
    return {
        "id": row.id,
        "state": state,
        "digest": row.digest,
        "base": row.base,
        "proposed": moment(row.at),
        "author": row.officer or None,
        "reason": said[row.filed_in].reason,
        "widensFor": list(row.departments),
        "approvals": agreed,
        "missing": missing(row, found, at) if waits else None,
        "activatableFrom": opens if waits else None,
    }


def _simulated(said: entries.Acted) -> dict[str, Any] | None:
    """Its last simulation: who had it made, when and why, of which inquiries, and what came of it; None without one."""
    of = said.simulated
    if of is None:
        return None
    return {
        "at": said.at,
        "by": of.by,
        "reason": said.reason,
        "since": of.since,
        "until": of.until,
        "active": of.active,
        "inquiries": of.inquiries,
        "decisions": of.decisions,
        "changed": of.changed,
        "notReplayable": of.not_replayable,
        "result": of.result,
    }


def _approval(row: Approval, counts: bool, said: entries.Acted, origin: str) -> dict[str, Any]:
    until = moment(row.expires)
    signed = said.signature or None
    words = Statement(origin, said.digest, said.base, until, said.reason).text if signed else None
    return {
        "id": row.id,
        "by": row.name,
        "as": row.role,
        "at": moment(row.at),
        "until": until,
        "counts": counts,
        "reason": said.reason,
        "statement": words,
        "signature": signed,
    }


def told_activation(row: Activation, said: entries.Acted, proposed: entries.Acted) -> dict[str, Any]:
    """An activation in the history: who did it, who approved it, why (of a proposal, why it was proposed), and whose
    data of people it opened."""
    return {
        **activation(row),
        "by": said.officer or None,
        "approvedBy": list(said.approvers),
        "reason": said.reason or proposed.reason,
        "widensFor": list(said.widens),
    }


def activation(row: Activation) -> dict[str, Any]:
    """An activation, by its row."""
    return {
        "epoch": row.epoch,
        "digest": row.digest,
        "how": row.how,
        "proposal": row.proposal,
        "at": moment(row.at),
    }


def replica(row: Any, now: Active, at: datetime.datetime) -> dict[str, Any]:
    """What a process reported last of the rule set that it serves."""
    seen = moment(row.seen)
    return {
        "shard": row.shard,
        "epoch": row.epoch,
        "digest": row.digest,
        "since": moment(row.since),
        "seen": seen,
        "serves": row.epoch == now.epoch and row.hindrance is None and at - seen < LATE,
        "sources": row.sources,
        "hindrance": row.hindrance or ("it reported nothing for a while" if at - seen >= LATE else None),
    }
