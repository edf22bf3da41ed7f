"""What the caller may ask for: the rows of the `permissions` query.

One row for every published dataset, subject kind and field, by the caller's own grants and token, and by what its
grants are suspended for. No subject is named, so the case is taken as verified, there is no consent and no break-glass;
`needs` says what else it would take. The same table and guards answer as at an inquiry. Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.catalogue.model import Dataset
from gateway.rules.decide import guards
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import Cell, Grant, Purpose
from gateway.rules.ruleset import RuleSet


class Narrowing(Protocol):
    """What one `authorization_details` entry narrows a token to; `None` leaves that part open."""

    @property
    def purpose(self) -> str | None: ...
    @property
    def datasets(self) -> frozenset[str] | None: ...


class Caller(Protocol):
    """What of the requester and its token permissions depend on."""

    @property
    def issuer(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def official(self) -> str | None: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def acr(self) -> str | None: ...
    @property
    def identifier(self) -> tuple[str, str] | None: ...
    @property
    def narrowing(self) -> Sequence[Narrowing]: ...


Suspended = Mapping[tuple[str, str], str]
"""The purposes and datasets that a requester is suspended for, and the recall that it has to answer first."""


def rows(
    rule_set: RuleSet, requester: Caller, purpose_name: str, today: datetime.date, suspended: Suspended
) -> list[dict[str, Any]]:
    """The rows, with the keys of the contract's `Permission`. `today` is a day of the policies' time zone.

    An unknown purpose, or one that the caller holds no grant for, is denied in every row.
    """
    policies = rule_set.policies
    entry = policies.requesters.get((requester.issuer, requester.client))
    purpose = policies.purposes.get(purpose_name)
    grant = guards.grant_for(entry, purpose_name, today)
    blocked = guards.no_grant(purpose_name) if grant is None or purpose is None else guards.inactive(grant, today)
    found = []
    for dataset in policies.catalogue.published.values():
        for kind in KINDS:
            for field in dataset.fields:
                if blocked is not None or grant is None or purpose is None:
                    cell = blocked or guards.no_grant(purpose_name)
                elif (recall := suspended.get((purpose_name, dataset.id))) is not None:
                    cell = guards.suspended(grant, dataset.id, recall)
                else:
                    flags = _flags(requester, purpose, dataset, kind)
                    cell = _narrowed(rule_set.cells(grant, kind, flags)[dataset.id, field], requester, grant, dataset)
                found.append(_row(kind, dataset, field, cell))
    return found


def _flags(requester: Caller, purpose: Purpose, dataset: Dataset, kind: str) -> Any:
    own = "self" in requester.scopes and requester.identifier is not None
    return guards.flags(
        scope=own if purpose.scope == "self" else guards.scope_covers(requester.scopes, dataset.id),
        consent=False,
        case=True,
        official=requester.official is not None,
        step_up=purpose.step_up is None or purpose.step_up == requester.acr,
    )


def _narrowed(cell: Cell, requester: Caller, grant: Grant, dataset: Dataset) -> Cell:
    fits = not requester.narrowing or any(
        narrowing.purpose in (None, grant.purpose) and (narrowing.datasets is None or dataset.id in narrowing.datasets)
        for narrowing in requester.narrowing
    )
    return cell if fits or not cell.permitted else guards.narrowed(dataset.id)


def _row(kind: str, dataset: Dataset, field: str, cell: Cell) -> dict[str, Any]:
    return {
        "subject": kind,
        "dataset": dataset.id,
        "field": field,
        "permitted": cell.permitted,
        "reason": str(cell.reason) if cell.reason is not None else None,
        "rule": cell.rules[0] if cell.permitted and cell.rules else cell.rule,
        "articles": list(cell.articles),
        "advice": cell.advice or None,
        "needs": list(cell.needs),
    }
