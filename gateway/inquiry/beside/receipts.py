"""The root field `receipts`: past inquiries of a requester, as far as its token reaches.

Invariants: a token shows what its own official asked, and one without an official what was asked without; all of the
client's only by the scope `receipts`, and then the look itself is entered first, durably (17). Nothing is shown that
the token could not ask for now: narrowed by `authorization_details` to purposes, cases, subjects and datasets, by its
scopes to datasets. What a subject asked with its own token is shown to nobody (Art. 43): its receipt would prove to
others what is held about it. Nor is what was entered and did not leave.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from gateway.errors import VerificationFailed
from gateway.inquiry.beside import past
from gateway.inquiry.decide import canonical, open_to
from gateway.inquiry.disclose import LedgerPort
from gateway.inquiry.types import Declaration, Requester
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.stored.history import Own, Places
from gateway.ledger.stored.read import StoredEntry
from gateway.rules.decide.guards import scope_covers
from gateway.rules.ruleset import RuleSet

EVERYBODYS = "receipts"
"""The scope that shows all that a client asked, whoever of it asked."""
_NOBODY = ("", "")


class PastPort(LedgerPort, Protocol):
    """A ledger that also gives what was entered before, as `gateway.ledger.log.ledger` does."""

    def own(
        self,
        issuer: str,
        client: str,
        after: str | None = None,
        first: int = 20,
        *,
        places: Places | None = None,
        shown: Callable[[StoredEntry], bool] = ...,
    ) -> list[Own]: ...


class PlacesOf(Protocol):
    """As `gateway.ledger.projections.lookups.places_of`."""

    def __call__(self, issuer: str, client: str, official: str | None, *, everybodys: bool) -> Places: ...


class Receipts:
    """Past inquiries, under one rule set.

    `places_of` gives those of what an official of a client asked, or nobody named, and was told; `now` never falls.
    """

    def __init__(
        self,
        rules: RuleSet,
        ledger: PastPort,
        places_of: PlacesOf,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._rules, self._ledger, self._places_of, self._now = rules, ledger, places_of, now

    async def opened(self, requester: Requester) -> Callable[[str | None, int], list[dict[str, Any]]]:
        """The pages of what one operation of this requester asks for; a look at everybody's is entered, once.

        Raises `LedgerUnavailable`. A page blocks; it raises `ValueError` for a cursor that is none, and that too.
        """
        by = (requester.issuer, requester.client)
        everybodys = EVERYBODYS in requester.scopes
        if everybodys:
            await self._enter(requester)
        places = self._places_of(*by, requester.official, everybodys=everybodys)
        shown = within(self._rules, requester)

        def page(after: str | None, first: int) -> list[dict[str, Any]]:
            return [past.receipt(own) for own in self._ledger.own(*by, after, first, places=places, shown=shown)]

        return page

    async def _enter(self, requester: Requester) -> None:
        """Enter that somebody looks at all of a client's inquiries."""
        told = entries.View(
            v=entries.VERSION,
            id=str(uuid.uuid4()),
            at=self._now(),
            requester=entries.Who(requester.issuer, requester.client, requester.department),
            by=requester.official or requester.client,
            reason="its own past inquiries, by the scope `receipts`",
            looked=entries.Looked(),
            parts=("told",),
            format="receipts",
            rule_set=self._rules.digest,
        )
        who = entries.Oversight(entries.VERSION, requester.official, actors=requester.actors)
        parts = split(told, who)
        by = (requester.issuer, requester.client)
        await self._ledger.append(parts.told, parts.oversight, told.at, by, (), parts.subjects)


def within(rules: RuleSet, requester: Requester) -> Callable[[StoredEntry], bool]:
    """Whether an entry of the requester's client is within what its token opens; raises `VerificationFailed`."""
    policies = rules.policies
    everybodys = EVERYBODYS in requester.scopes
    own = {purpose.name for purpose in policies.purposes.values() if purpose.scope == "self"}
    narrowing = [(part, canonical(part.identifier, policies.catalogue.schemes)) for part in requester.narrowing]

    def shown(entry: StoredEntry) -> bool:
        try:
            told, oversight = entry.read_told(), entry.read_oversight()
        except ValueError as error:
            raise VerificationFailed(f"entry {entry.index}: {error}") from error
        if not isinstance(told, entries.Operation) or oversight.by_subject:
            return False
        said = told.declaration
        declared = Declaration("") if said is None else Declaration(said.purpose, said.case)
        if declared.purpose in own or not (everybodys or oversight.official == requester.official):
            return False
        for subject, datasets in _disclosed(told):
            open_ = open_to(narrowing, declared, subject) if narrowing else None
            if open_ is not None and not (open_ and datasets <= open_):
                return False
            if not everybodys and not all(scope_covers(requester.scopes, dataset) for dataset in datasets):
                return False
        return True

    return shown


def _disclosed(told: entries.Operation) -> list[tuple[tuple[str, str], frozenset[str]]]:
    """The subjects that an entry names, and the datasets that it disclosed of each; at least one subject."""
    if isinstance(told, entries.Inquiry):
        found = [
            ((each.scheme, each.value), frozenset(one.dataset for one in each.datasets)) for each in told.disclosed
        ]
    else:
        found = [((each.scheme, each.value), frozenset[str]()) for each in told.subjects]
    return found or [(_NOBODY, frozenset())]
