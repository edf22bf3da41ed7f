"""What an officer's simulation does to a proposal of the same rule set: it is `simulated` from then on, by their act.

Follows `gateway.simulation.marking`, which does the same from the command line: entered once all of the period was
decided, and for no period without any inquiry where others have some.
"""

from __future__ import annotations

from gateway.acts.office import Office
from gateway.errors import LedgerUnavailable, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Made, Seen, invalid, not_found
from gateway.proposals.desk import EVERY, acting, never
from gateway.simulation.marked import WHAT, change, outcome, says_nothing, simulated, waiting
from gateway.simulation.result import Result


async def mark(office: Office, who: Requester, reason: str, result: Result) -> str:
    """Mark the proposal that waits; its id, or nothing where none does or the act cannot be made now."""

    def make(seen: Seen) -> Made:
        row = waiting(seen.connection, result.candidate, seen.now)
        if row is None:
            raise not_found()
        if says_nothing(seen.connection, result):
            raise invalid("STATE", "in that period nobody asked anything, but in others somebody did")
        told = office.told(
            seen, mine.actor, WHAT, proposal=row.id, digest=row.digest, base=row.base, officer=mine.name,
            outcome=outcome(result), reason=reason, simulated=simulated(mine.name or who.official or "", result),
        )  # fmt: skip
        marked.append(row.id)
        return Made(told, office.oversight(seen, mine.actor), [change(row.id)], row.id, None)

    marked: list[str] = []
    try:
        mine = acting(office, who)
        await office.writer.act(office.planned("markSimulated", mine.actor, None, {}, EVERY, make, never))
    except (Refusal, LedgerUnavailable):
        return ""
    return marked[-1]
