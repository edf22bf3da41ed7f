"""A simulation of a proposal as an act: from then on the proposal is `simulated`, and its entry says what came of it.

It is entered after the last inquiry was decided again, so that what broke off marks nothing; nor does a period without
any inquiry, where others have some. Whoever reads the entry
can hold a result to it: it has the digest of what `--json` prints.
"""

from __future__ import annotations

import datetime
import hashlib

from sqlalchemy import Connection, select, update

from gateway.ledger.acting.commanded import Commanded, done, said
from gateway.ledger.acting.planned import AtEntry, Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.entry.acts import Simulated
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, Workplace
from gateway.simulation import forms
from gateway.simulation.result import Result
from gateway.storage import proposals as rows
from gateway.storage import rulesets
from gateway.storage.port import Guarded
from gateway.storage.projections import looked
from gateway.storage.proposals import READY, SIMULATED, Proposal, proposal
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


def mark(place: Workplace, id_: str, by: str, reason: str, result: Result) -> str:
    """Mark a proposal as simulated; in words, where that was entered. Raises as `marked`. Blocks."""
    act = place.run(lambda ledger: marked(ledger, id_, by, reason, result))
    return f"proposal `{id_}` is marked as simulated, {operator.place_of(place, act.receipt)}"


async def marked(ledger: Ledger, id_: str, by: str, reason: str, result: Result) -> Commanded:
    """The act, made; raises `ActRefused` where the proposal waits no more, and `LedgerUnavailable`."""

    def make(seen: Seen) -> Made:
        row = waiting(seen.connection, result.candidate, seen.now)
        if row is None or row.id != id_:
            raise ActRefused(f"proposal `{id_}` was settled meanwhile: it is not marked as simulated")
        if not result.inquiries and seen.connection.execute(select(looked.c.entry).limit(1)).first() is not None:
            raise ActRefused(
                f"proposal `{id_}` is not marked as simulated: in that period nobody asked anything, but in others"
                " somebody did; choose one with inquiries"
            )
        told = entries.Acted(
            entries.VERSION, seen.id, seen.now, CLIENT, WHAT, proposal=id_, digest=row.digest, base=row.base,
            outcome=f"{result.changed}-of-{result.decisions}-decided-otherwise", reason=reason.strip(),
            simulated=_told(by, result),
        )  # fmt: skip
        mark = update(proposal).where(proposal.c.id == id_, proposal.c.state.in_(READY))
        change = AtEntry(lambda entry: Guarded(mark.values(state=SIMULATED, simulated_in=entry)))
        return said(told, operator.account(), [change], id_, None)

    return await done(ledger, make)


def _told(by: str, result: Result) -> Simulated:
    return Simulated(
        by.strip(), result.since, result.until, result.active, result.inquiries, result.decisions, result.changed,
        sum(result.not_replayable.values()), hashlib.sha256("".join(forms.as_json(result)).encode()).hexdigest(),
    )  # fmt: skip
