"""Legal holds: what the ledger has about a subject is kept for some matter, so that nothing of it is erased meanwhile.

Invariants: a hold and its entry are one act, so is its end; a lifted hold names nobody here any more.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, check_said
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.storage.subjects import erasure as kept
from gateway.storage.tables import micros


class Entered(NamedTuple):
    """What was entered: the number of the hold, or of the erasure, and the entry's receipt."""

    id: str
    receipt: Receipt


async def place(ledger: Ledger, subject: tuple[str, str], by: str, reason: str, account: str) -> Entered:
    """Place a hold on a subject, known to the ledger or not. Raises `ActRefused`, `LedgerUnavailable`."""
    check_said(by, reason, subject[1])

    def make(seen: Seen) -> Made:
        id_ = secrets.token_hex(4)
        told = entries.Hold(entries.VERSION, seen.id, seen.now, CLIENT, "placed", id_, by, reason, *subject)
        row = kept.Hold(id_, *subject, micros(seen.now), by, reason, None, None)
        return said(told, account, [kept.placing(row)], id_, id_)

    return Entered(*await done(ledger, make))


async def lift(ledger: Ledger, id_: str, by: str, reason: str, account: str) -> Entered:
    """Lift a hold. Raises `ActRefused` where there is none of that number, or it is lifted; `LedgerUnavailable`."""

    def make(seen: Seen) -> Made:
        found = kept.one_hold(seen.connection, id_)
        if found is None:
            raise ActRefused(f"there is no hold `{id_}`; see `dutybound ledger hold list`")
        if found.subject is None:
            raise ActRefused(f"hold `{id_}` was lifted by {found.lifted_by} already")
        check_said(by, reason, found.subject[1])
        told = entries.Hold(entries.VERSION, seen.id, seen.now, CLIENT, "lifted", id_, by, reason, *found.subject)
        return said(told, account, [kept.lifting(id_, by, micros(seen.now))], id_, id_)

    return Entered(*await done(ledger, make))
