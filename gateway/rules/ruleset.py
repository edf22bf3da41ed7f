"""A rule set: all rules, purposes, requesters, calendar and catalogue as one content-addressed version, and its table.

The table answers (grant, subject kind, dataset, field, flags) with a `Cell`. Cedar sees a small finite key only, so a
cell is decided once, on first need, together with all others of its grant, kind and flags, and kept. Only existing
grants are in it: its size is bounded by the files, whatever is asked. It holds nothing about a subject.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Catalogue
from gateway.rules.decide import base
from gateway.rules.decide.engine import Engine, Holding, Question
from gateway.rules.files.calendar import Calendar
from gateway.rules.files.officers import NOBODY, Officers
from gateway.rules.files.requesters import Requesters
from gateway.rules.files.rule import Rule
from gateway.rules.model import Cell, Flag, Grant, Policies, Purpose, RequesterEntry


class RuleSet:
    """One version of all rules. `digest` is the SHA-256, in hexadecimal, of the canonical form of all of it."""

    def __init__(
        self,
        catalogue: Catalogue,
        purposes: Mapping[str, Purpose],
        requesters: Requesters,
        rules: Sequence[Rule],
        calendar: Calendar,
        officers: Officers = NOBODY,
    ) -> None:
        self.digest = _digest(catalogue, purposes, requesters, rules, calendar, officers)
        self.policies = Policies(catalogue, purposes, requesters.entries, calendar.time_zone, self.digest)
        self.calendar = calendar
        self.officers = officers
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in sorted(rules, key=lambda rule: rule.id)}
        self.requesters = requesters
        self._holders = {grant.id: (entry, grant) for entry in requesters.entries.values() for grant in entry.grants}
        self._published = catalogue.published
        self._engine: Engine | None = None
        self._table: dict[tuple[str, SubjectKind, int], Mapping[tuple[str, str], Cell]] = {}

    def holder(self, grant: Grant) -> RequesterEntry:
        """Whose grant it is; raises `LookupError` for a grant that this rule set does not have."""
        entry, known = self._holders.get(grant.id, (None, None))
        if entry is None or (known is not grant and known != grant):
            raise LookupError(f"grant `{grant.id}` is not in rule set {self.digest[:12]}")
        return entry

    def cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        """The cell of every field of every published dataset, by (dataset, field); what no rule permits is denied.

        Raises `LookupError` for a grant that this rule set does not have. Two callers at once may both decide; they
        get equal answers, and one is kept.
        """
        self.holder(grant)
        key = (grant.id, kind, int(flags))
        found = self._table.get(key)
        if found is None:
            found = self._table.setdefault(key, self._decide(grant, kind, flags))
        return found

    def holding(self, asked: Question) -> Holding:
        """Which rules hold of one question, whatever the others say: not only those that determine its answer."""
        return self._asked().holding(asked)

    def _asked(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(
                self.policies.catalogue, self.policies.purposes, self.requesters, list(self.rules.values())
            )
        return self._engine

    def _decide(self, grant: Grant, kind: SubjectKind, flags: Flag) -> Mapping[tuple[str, str], Cell]:
        purpose = self.policies.purposes[grant.purpose]
        questions = [
            Question(grant, purpose, kind, dataset, field, flags)
            for dataset in self._published.values()
            for field in dataset.fields
        ]
        cells = self._asked().cells(questions)
        return {
            (asked.dataset.id, asked.field): base.held(asked, cell)
            for asked, cell in zip(questions, cells, strict=True)
        }


def _digest(
    catalogue: Catalogue,
    purposes: Mapping[str, Purpose],
    requesters: Requesters,
    rules: Sequence[Rule],
    calendar: Calendar,
    officers: Officers,
) -> str:
    texts = {rule.id: rule.text for rule in rules}
    parts = [catalogue.digest, purposes, requesters.digest, texts, calendar.digest, officers.digest]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()
