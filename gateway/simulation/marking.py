"""A simulation of a proposal as an act: from then on the proposal is `simulated`, and its entry records the result.

It is entered after the last inquiry was decided again, so that what broke off marks nothing; nor does a period without
any inquiry, where others have some. Whoever reads the entry
can hold a result to it: it has the digest of what `--json` prints.
"""

from __future__ import annotations

from gateway.ledger.acting.commanded import Commanded, done, said
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, Workplace
from gateway.simulation.marked import WHAT, change, outcome, says_nothing, simulated, waiting
from gateway.simulation.result import Result


def mark(place: Workplace, id_: str, by: str, reason: str, result: Result) -> str:
    """Mark a proposal as simulated; in words, where that was entered. Raises as `marked`. Blocks."""
    act = place.run(lambda ledger: marked(ledger, id_, by, reason, result))
    return f"proposal `{id_}` is marked as simulated, {operator.place_of(place, act.receipt)}"


async def marked(ledger: Ledger, id_: str, by: str, reason: str, result: Result) -> Commanded:
    """The act, made; raises `ActRefused` where the proposal no longer waits, and `LedgerUnavailable`."""

    def make(seen: Seen) -> Made:
        row = waiting(seen.connection, result.candidate, seen.now)
        if row is None or row.id != id_:
            raise ActRefused(f"proposal `{id_}` was settled meanwhile: it is not marked as simulated")
        if says_nothing(seen.connection, result):
            raise ActRefused(
                f"proposal `{id_}` is not marked as simulated: in that period nobody asked anything, but in others"
                " somebody did; choose one with inquiries"
            )
        told = entries.Acted(
            entries.VERSION, seen.id, seen.now, CLIENT, WHAT, proposal=id_, digest=row.digest, base=row.base,
            outcome=outcome(result), reason=reason.strip(), simulated=simulated(by, result),
        )  # fmt: skip
        return said(told, operator.account(), [change(id_)], id_, None)

    return await done(ledger, make)
