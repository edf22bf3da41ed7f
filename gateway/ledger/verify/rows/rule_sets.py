"""The rows of rule sets, checked against the entries of the acts that proposed, approved and activated them.

Each activation, proposal and approval has the row that its entries say, and each row its entries: so no set was made
active, and nobody made an officer who agreed, by the database alone. A human stands in a row as a keyed digest, which
has to be that of the official whom the entry names for oversight. They are made by people, so all fit in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.acting.digests import Keyed, same_human
from gateway.ledger.entry import entries
from gateway.storage.port import Reader
from gateway.storage.projections.counted import counting
from gateway.storage.rules.proposals import (
    ACTIVE,
    CHECKED,
    DRAFT,
    REFUSED,
    SIMULATED,
    Activation,
    Approval,
    Proposal,
    approval,
    proposal,
)
from gateway.storage.rules.rulesets import activation
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact_head
from gateway.storage.tables import micros

PROPOSED, CHECKING, NOTICED = "rules-proposed", "rules-checked", "rules-noticed"
SIMULATING = "rules-simulated"
APPROVED, REFUSING, ACTIVATED = "rules-approved", "rules-refused", "rules-activated"

_ACTIVATIONS = Statement(select(*(activation.c[name] for name in Activation._fields)))
_PROPOSALS, _APPROVALS = Statement(select(proposal)), Statement(select(approval))
_SECRET, _EPOCH = Statement(select(counting.c.secret)), Statement(select(fact_head.c.epoch))

_T = TypeVar("_T", Activation, Proposal, Approval)


class RuleSets:
    """Takes entries in, in any order; `check` then looks at the rows. It raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._activations: dict[int, Activation] = {}
        self._proposals: dict[object, dict[str, Any]] = {}
        self._approvals: dict[object, Approval] = {}
        self._officials: dict[object, tuple[str, str | None]] = {}

    def note(self, place: int, told: entries.Told, oversight: entries.Oversight) -> None:
        """Take an entry in."""
        if not isinstance(told, entries.Acted):
            return
        at, of = micros(told.at), self._proposals.setdefault(told.proposal, {}) if told.proposal else {}
        term = micros(told.term) if told.term is not None else 0
        official = (told.requester.issuer, oversight.official)
        if told.what == PROPOSED:
            of |= {
                "digest": told.digest, "base": told.base, "base_epoch": told.epoch, "officer": told.officer,
                "at": at, "lapses": term, "filed_in": place,
            }  # fmt: skip
            self._officials[told.proposal] = official
        elif told.what == CHECKING:
            of |= {"checked_in": place, "widens": msgspec.json.encode(told.widens).decode()}
        elif told.what == SIMULATING:
            of["simulated_in"] = max((at, place), of.get("simulated_in", (0, 0)))
        elif told.what == NOTICED:
            of |= {"noted": at, "noted_in": place}
        elif told.what == APPROVED:
            self._approvals[told.id] = Approval(told.id, told.proposal, told.how, told.officer, b"", at, term, place)
            self._officials[told.id] = official
        elif told.what == REFUSING:
            of |= {"state": REFUSED, "moved_in": place}
        elif told.what == ACTIVATED:
            row = Activation(told.epoch, told.rule_set, told.how, told.proposal or None, at, place)
            self._activations[told.epoch] = row
            of |= {"state": ACTIVE, "epoch": told.epoch, "moved_in": place}

    def check(self, reader: Reader) -> None:
        """Check all rows of a snapshot, whose entries were all taken in."""
        _check("activation of epoch", self._activations, _rows(reader, _ACTIVATIONS, Activation))
        ((epoch,),) = reader.rows(_EPOCH)
        if epoch != max(self._activations, default=0):
            raise VerificationFailed(
                f"rule sets: the active epoch is given as {epoch}, but no entry records it: altered"
            )
        given = _rows(reader, _APPROVALS, Approval)
        proposed = _rows(reader, _PROPOSALS, Proposal)
        ((secret,),) = reader.rows(_SECRET)
        keyed = Keyed(secret)
        for id_, people in [*((id_, row.people) for id_, row in given.items()),
                            *((id_, row.author) for id_, row in proposed.items())]:  # fmt: skip
            issuer, official = self._officials.get(id_, ("", None))
            if official is None or not same_human(people, keyed.people([(issuer, official)])):
                raise VerificationFailed(
                    f"`{id_}`: its row is of another human than its entry: it was altered, or made up"
                )
        _check("approval", self._approvals, {id_: row._replace(people=b"") for id_, row in given.items()})
        expected = {id_: self._proposal(id_, proposed.get(id_), said) for id_, said in self._proposals.items()}
        _check("proposal", expected, proposed)

    def _proposal(self, id_: object, row: Proposal | None, said: Mapping[str, Any]) -> Proposal:
        """The row that a proposal should have; its author was looked at already."""
        simulated = said.get("simulated_in", (0, None))[1]  # the last one: a proposal may be simulated again
        passed = SIMULATED if simulated is not None else CHECKED
        state = said.get("state") or (passed if "checked_in" in said else DRAFT)
        author = row.author if row is not None else b""
        own = {"id": id_, "state": state, "author": author, "simulated_in": simulated}
        return Proposal._make([{**said, **own}.get(name) for name in Proposal._fields])


def _rows(reader: Reader, statement: Statement, kind: type[_T]) -> dict[object, _T]:
    return {row[0]: kind._make(row) for row in reader.rows(statement)}


def _check(what: str, expected: Mapping[Any, _T], rows: Mapping[Any, _T]) -> None:
    for id_, wanted in expected.items():
        if id_ not in rows:
            raise VerificationFailed(f"{what} `{id_}`: entries record it, but its row was removed")
        if rows[id_] != wanted:
            raise VerificationFailed(f"{what} `{id_}`: its row is not what its entries record: it was altered")
    for id_ in rows:
        if id_ not in expected:
            raise VerificationFailed(f"{what} `{id_}`: it has a row, but no entry records it: it was made up")
