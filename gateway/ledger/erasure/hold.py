"""Legal holds: what the ledger says of a subject is kept for some matter, so that nothing of it is erased meanwhile.

Invariants: a hold and its entry are one transaction, so is its end; a lifted hold names nobody here any more.
"""

from __future__ import annotations

import secrets
import uuid
from typing import NamedTuple

from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, check_said, enter, now
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.storage import erasure as kept
from gateway.storage.tables import micros


class Entered(NamedTuple):
    """What was entered: the number of the hold, or of the erasure, and the entry's receipt."""

    id: str
    receipt: Receipt


async def place(ledger: Ledger, subject: tuple[str, str], by: str, reason: str, account: str) -> Entered:
    """Place a hold on a subject, known to the ledger or not. Raises `ActRefused`, `LedgerUnavailable`."""
    check_said(by, reason, subject[1])
    id_, at = secrets.token_hex(4), now(ledger)
    told = entries.Hold(entries.VERSION, str(uuid.uuid4()), at, CLIENT, "placed", id_, by, reason, *subject)
    row = kept.Hold(id_, *subject, micros(at), by, reason, None, None)
    return Entered(id_, await enter(ledger, told, account, [kept.placing(row)]))


async def lift(ledger: Ledger, id_: str, by: str, reason: str, account: str) -> Entered:
    """Lift a hold. Raises `ActRefused` where there is none of that number, or it is lifted; `LedgerUnavailable`."""
    found = kept.one_hold(ledger.store.engine, id_)
    if found is None:
        raise ActRefused(f"there is no hold `{id_}`; see `dutybound ledger hold list`")
    if found.subject is None:
        raise ActRefused(f"hold `{id_}` was lifted by {found.lifted_by} already")
    check_said(by, reason, found.subject[1])
    at = now(ledger)
    told = entries.Hold(entries.VERSION, str(uuid.uuid4()), at, CLIENT, "lifted", id_, by, reason, *found.subject)
    return Entered(id_, await enter(ledger, told, account, [kept.lifting(id_, by, micros(at))]))
