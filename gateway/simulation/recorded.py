"""Decisions as entries of the ledger record them. Pure.

An entry of an inquiry has one for each subject that it names; one that cannot be made again is told with why. Equal
ones are found by their key, which is made of all that a comparison depends on: it names no subject, official or case.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple, cast

import msgspec

from connectors.base import SubjectKind
from gateway.inquiry.replay import Brought, basis_of
from gateway.ledger.entry import entries
from gateway.ledger.entry.entries import DecidedOn, DeniedField, Disclosed, Oversight
from gateway.simulation import compare
from gateway.simulation.compare import Comparison, Made

_encode = msgspec.json.Encoder(order="deterministic").encode


class Recorded(NamedTuple):
    """One decision of an entry."""

    told: entries.Operation
    oversight: Oversight
    on: DecidedOn
    declared: entries.Declared
    kind: str
    fetched: Disclosed | None
    denied: list[DeniedField]

    @property
    def brought(self) -> Brought:
        declared = self.declared
        return Brought(declared.case is not None, declared.recall is not None, self.oversight.by_subject)

    def key(self, days: tuple[datetime.date, ...]) -> bytes:
        """Equal for equal decisions of the same days."""
        who, on = self.told.requester, self.on
        fetched = None if self.fetched is None else [(each.dataset, each.fields) for each in self.fetched.datasets]
        rests = (on.flags, on.bare, on.selected, on.unscoped, on.narrowed, on.consented, on.suspended)
        asked = (who.issuer, who.client, self.declared.purpose, self.kind, self.brought, self.told.rule_set)
        return _encode((asked, days, rests, fetched, self.denied))

    def made(self, comparison: Comparison) -> Made:
        """It, as it is compared."""
        told, purpose = self.told, self.declared.purpose
        basis = basis_of(told, self.oversight, self.on)
        denied = {(each.dataset, each.field): (each.reason or "", each.rule or "") for each in self.denied}
        fetched = None if self.fetched is None else {each.dataset: each.fields for each in self.fetched.datasets}
        return Made(
            (told.requester.issuer, told.requester.client),
            purpose,
            cast(SubjectKind, self.kind),
            told.at,
            basis,
            self.brought,
            comparison.purpose(told.rule_set, purpose),
            compare.opened(basis, fetched, denied),
            denied,
        )


def decisions(told: entries.Operation, oversight: Oversight) -> Iterator[Recorded | str]:
    """Those of an entry, one for each of its subjects, or why there is none; one reason where it names no subject."""
    answered = isinstance(told, entries.Inquiry)
    subjects: list[Disclosed | entries.Named]
    subjects = [*told.disclosed] if isinstance(told, entries.Inquiry) else [*told.subjects]
    rests = {each.subject: each for each in oversight.decided}
    denied = {each.subject: each.fields for each in oversight.denied}
    for place, subject in enumerate(subjects):
        on = rests.get(place)
        if not subject.kind:
            yield compare.ERASED
        elif on is None or told.declaration is None:
            yield compare.WITHOUT_FLAGS if answered else compare.UNDECIDED
        else:
            fetched = subject if isinstance(subject, Disclosed) else None
            yield Recorded(told, oversight, on, told.declaration, subject.kind, fetched, denied.get(place, []))
    if not subjects:
        yield compare.WITHOUT_FLAGS if answered else compare.UNDECIDED
