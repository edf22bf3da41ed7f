"""What is read of proposals and activations, for those who act on them. They name no subject, so no look is entered."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, desc, select

from gateway.acts.office import Office
from gateway.acts.words import acts_at
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.proposals import shown
from gateway.proposals.desk import nothing_active, one
from gateway.proposals.judging import judged
from gateway.rules.files.officers import NOBODY, Officers
from gateway.storage import proposals as rows
from gateway.storage import rulesets
from gateway.storage.proposals import Proposal, proposal
from gateway.storage.rulesets import Active, replica, rule_set

LISTED = 100
"""Proposals, activations and replicas that are listed, the newest."""
NEVER = Active(0, "")


class Looking:
    """Reads. `origin` is the ledger's. Everything blocks, and raises `Refusal`."""

    def __init__(self, office: Office, origin: str) -> None:
        self._office, self._origin = office, origin

    def proposal(self, id_: str) -> dict[str, Any]:
        """One proposal, with everything that is known of it."""
        office, at = self._office, self._office.now()
        with office.reading() as connection:
            row = one(connection, id_)
            given = rows.approvals(connection, id_)
            now = rulesets.active(connection) or NEVER
        found = judged(row, given, self._officers(row), at)
        places = [row.filed_in, row.moved_in, row.simulated_in, *(each.filed_in for each in given)]
        try:
            said = acts_at(office.store, places)
        except LedgerUnavailable as error:
            message = "the ledger cannot be read now; try again later"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"}) from error
        return shown.proposal(row, given, found, now, at, said, self._origin)

    def proposals(self) -> list[dict[str, Any]]:
        """The newest proposals."""
        at = self._office.now()
        with self._office.reading() as connection:
            now = rulesets.active(connection) or NEVER
            return list(self._listed(connection, now, at))

    def _listed(self, connection: Connection, now: Active, at: datetime.datetime) -> Iterator[dict[str, Any]]:
        for row in rows.several(connection, first=LISTED):
            found = judged(row, rows.approvals(connection, row.id), self._officers(row), at)
            yield shown.brief(row, found, now, at)

    def archives(self, id_: str) -> tuple[bytes, bytes]:
        """The archives of a proposal and of its base."""
        with self._office.reading() as connection:
            row = one(connection, id_)
            wanted = select(rule_set.c.digest, rule_set.c.files).where(rule_set.c.digest.in_([row.digest, row.base]))
            files = {row.digest: row.files for row in connection.execute(wanted)}
        return files[row.digest], files[row.base]

    def status(self) -> dict[str, Any]:
        """What is active, and which process serves it since when, or why not."""
        with self._office.reading() as connection:
            return status(connection, self._office.now())

    def active(self) -> Active:
        """What is active."""
        with self._office.reading() as connection:
            found = rulesets.active(connection)
        if found is None:
            raise nothing_active()
        return found

    def _officers(self, row: Proposal) -> Officers:
        """Those of the base, where it is in force; what was over another can get no approval any more."""
        rules = self._office.rules
        return rules.officers if rules.digest == row.base else NOBODY


def status(connection: Connection, at: datetime.datetime) -> dict[str, Any]:
    """What a store says of its rule sets: the active one, the last activations, and each process's own word."""
    now = rulesets.active(connection) or NEVER
    past = [shown.activation(each) for each in rows.activations(connection, first=LISTED)]
    served = connection.execute(select(replica).order_by(desc(replica.c.seen)).limit(LISTED))
    return {
        "active": past[0] if past else None,
        "replicas": [shown.replica(each, now, at) for each in served],
        "activations": past,
        "waiting": len(rows.several(connection, rows.WAITS, proposal.c.base_epoch == now.epoch, first=LISTED)),
    }
