"""Step 4 in the fewest words: who asks, under the shipped rules or under tables of its own."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.base import Subject, SubjectKind
from gateway.inquiry.decide import decide
from gateway.inquiry.types import Decision, Declaration, Facts, Requester, Selected, Wanted
from gateway.rules.model import Cell, Flag, Grant, Reason
from gateway.storage.subjects.kinds import Consent, SubjectFacts
from tests.rules.policies import NOW, TODAY, shipped

ORGANISATION = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
PERSON = Subject("person", "PIN", "1234567890")
FAR = NOW.timestamp() + 3600
DAY = datetime.timedelta(days=1)


def whole(*datasets: str) -> Selected:
    """All fields of some datasets (of all, where none is named), on every kind of subject that they cover."""
    kinds: dict[SubjectKind, dict[str, Wanted]] = {"organisation": {}, "person": {}}
    for name, dataset in shipped().policies.catalogue.published.items():
        if not datasets or name in datasets:
            for kind in dataset.subjects:
                kinds[kind][name] = Wanted(frozenset(dataset.fields), False)
    return Selected(kinds)


EVERYTHING = whole()


def requester(client: str, *scopes: str, official: str | None = "o.fficial", **more: Any) -> Requester:
    issuer = "public" if client == "open-record" else "login"
    return Requester(issuer, client, official, frozenset(scopes), more.pop("expires", FAR), **more)


def ask(
    who: Requester,
    purpose: str,
    subject: Subject = ORGANISATION,
    selected: Selected = EVERYTHING,
    known: SubjectFacts | None = None,
    now: datetime.datetime = NOW,
    **declared: Any,
) -> Decision:
    known = SubjectFacts(case_verified=True) if known is None else known
    return decide(
        selected, who, Declaration(purpose, **declared), shipped(), Facts(1, {subject: known}), [subject], now
    )


def reasons(decision: Decision, subject: Subject, dataset: str) -> set[Reason | None]:
    return {cell.reason for (name, _), cell in decision.subjects[subject].cells.items() if name == dataset}


MARKET = requester("market-regulator", "inquire")
LABOUR = requester("labour-office", "inquire")


def consent(**changes: Any) -> Consent:
    parts: dict[str, Any] = {
        "id": "c-1",
        "issuer": "login",
        "client": "labour-office",
        "purpose": "SUBSIDY_ASSESSMENT",
        "datasets": {"income-statements": None},
        "until": TODAY,
    }
    return Consent(**(parts | changes))


class Table:
    """A rule set that permits all it is asked about where the given flags hold, so that only the guards deny."""

    def __init__(self, needed: Flag, *, digest: str, requesters: Any = None, cells: Any = None) -> None:
        self.digest, self._needed, self._cells = digest, needed, cells
        policies = shipped().policies
        self.policies = msgspec.structs.replace(policies, requesters=requesters or policies.requesters)

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        if self._cells is not None:
            return self._cells  # type: ignore[no-any-return]
        answer = Cell(flags & self._needed == self._needed, Reason.NO_RULE, advice="x")
        published = self.policies.catalogue.published.values()
        return {(dataset.id, field): answer for dataset in published for field in dataset.fields}


class Broken(Table):
    """A rule set that fails."""

    def __init__(self) -> None:
        super().__init__(Flag(0), digest="broken")

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        raise RuntimeError("broken")
