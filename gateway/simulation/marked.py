"""Which proposal a simulation marks, and what its entry records of it, whoever had it made."""

from __future__ import annotations

import datetime
import hashlib

from sqlalchemy import Connection, select, update

from gateway.ledger.acting.planned import AtEntry
from gateway.ledger.entry.acts import Simulated
from gateway.simulation import forms
from gateway.simulation.result import Result
from gateway.storage.port import Guarded
from gateway.storage.projections.tables import looked
from gateway.storage.rules import proposals as rows
from gateway.storage.rules import rulesets
from gateway.storage.rules.proposals import READY, SIMULATED, Proposal, proposal
from gateway.storage.tables import micros

WHAT = "rules-simulated"


def waiting(connection: Connection, digest: str, now: datetime.datetime) -> Proposal | None:
    """The proposal of a rule set that waits, over the active one, with its tests passed; None where there is none."""
    active = rulesets.active(connection)
    if active is None:
        return None
    over = (proposal.c.base_epoch == active.epoch, proposal.c.base == active.digest)
    fit = (rows.WAITS, proposal.c.state.in_(READY), proposal.c.digest == digest, *over)
    return next(iter(rows.several(connection, *fit, proposal.c.lapses > micros(now), first=1)), None)


def says_nothing(connection: Connection, result: Result) -> bool:
    """Whether nobody asked anything in its period, while in others somebody did."""
    return not result.inquiries and connection.execute(select(looked.c.entry).limit(1)).first() is not None


def outcome(result: Result) -> str:
    """What came of it, in a word."""
    return f"{result.changed}-of-{result.decisions}-decided-otherwise"


def simulated(by: str, result: Result) -> Simulated:
    """What the entry records: the digest of what `--json` prints, and the counts."""
    return Simulated(
        by.strip(), result.since, result.until, result.active, result.inquiries, result.decisions, result.changed,
        sum(result.not_replayable.values()), hashlib.sha256("".join(forms.as_json(result)).encode()).hexdigest(),
    )  # fmt: skip


def change(id_: str) -> AtEntry:
    """The proposal's row, from then on."""
    mark = update(proposal).where(proposal.c.id == id_, proposal.c.state.in_(READY))
    return AtEntry(lambda entry: Guarded(mark.values(state=SIMULATED, simulated_in=entry)))
