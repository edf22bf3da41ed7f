"""A rule set: all policies, as one content-addressed version, and its table.

Rules, purposes, requesters, calendar, catalogue with its identifiers, and thresholds: the digest covers all of them.

The table answers (grant, subject kind, dataset, field, flags) with a `Cell`. Cedar sees a small finite key only, so a
cell is decided once, on first need, together with its dataset's others of its grant, kind and flags, and kept; or it is
taken from a process that decided it before (`used`, `take`). Only existing grants are in it: its size is bounded by the
files, whatever is asked. It holds nothing about a subject.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Catalogue, Dataset
from gateway.rules.decide import base
from gateway.rules.decide.engine import Engine, Holding, Question
from gateway.rules.files.calendar import Calendar
from gateway.rules.files.officers import NOBODY, Officers
from gateway.rules.files.requesters import Requesters
from gateway.rules.files.rule import Rule
from gateway.rules.files.thresholds import NOT_WATCHING, Watching
from gateway.rules.model import Cell, Flag, Grant, Policies, Purpose, RequesterEntry


class Part(NamedTuple):
    """A part of the table: a dataset's cells for a grant (by its id), a kind of subject, and flags."""

    grant: str
    kind: SubjectKind
    flags: int
    dataset: str


Coordinate = tuple[str, str]
"""A dataset and a field."""


class _Cells(Mapping[Coordinate, Cell]):
    """The cells of a grant, kind and flags by (dataset, field); those of a dataset are decided when one is needed."""

    __slots__ = ("_decide", "_published", "found")

    def __init__(self, published: Mapping[str, Dataset], decide: Callable[[Iterable[str]], Mapping[Coordinate, Cell]]):
        self._published, self._decide = published, decide
        self.found: dict[str, Mapping[Coordinate, Cell]] = {}

    def __getitem__(self, key: Coordinate) -> Cell:
        of = self.found.get(key[0])
        if of is None:
            if key[0] not in self._published:
                raise KeyError(key)
            of = self.found.setdefault(key[0], self._decide([key[0]]))
        return of[key]

    def __iter__(self) -> Iterator[Coordinate]:
        if lacking := [name for name in self._published if name not in self.found]:
            decided = self._decide(lacking)
            for name in lacking:
                mine = {key: cell for key, cell in decided.items() if key[0] == name}
                self.found.setdefault(name, mine)
        return ((name, field) for name, dataset in self._published.items() for field in dataset.fields)

    def __len__(self) -> int:
        return sum(len(dataset.fields) for dataset in self._published.values())


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
        watch: Watching = NOT_WATCHING,
    ) -> None:
        self.digest = _digest(catalogue, purposes, requesters, rules, calendar, officers, watch)
        self.policies = Policies(catalogue, purposes, requesters.entries, calendar.time_zone, self.digest)
        self.calendar, self.officers, self.watch = calendar, officers, watch
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in sorted(rules, key=lambda rule: rule.id)}
        self.requesters = requesters
        self._holders = {grant.id: (entry, grant) for entry in requesters.entries.values() for grant in entry.grants}
        self._published = catalogue.published
        self._engine: Engine | None = None
        self._table: dict[tuple[str, SubjectKind, int], _Cells] = {}

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
        return self._cells(grant, kind, flags)

    def used(self) -> list[Part]:
        """The parts of the table that were needed so far."""
        return [Part(*key, dataset) for key, cells in list(self._table.items()) for dataset in list(cells.found)]

    def known(self, part: Part) -> bool:
        """Whether the rule set has such a part."""
        return part.grant in self._holders and part.dataset in self._published

    def part(self, part: Part) -> Mapping[Coordinate, Cell]:
        """The cells of a part that is known."""
        cells = self._cells(self._holders[part.grant][1], part.kind, Flag(part.flags))
        return {(part.dataset, field): cells[part.dataset, field] for field in self._published[part.dataset].fields}

    def take(self, part: Part, cells: Mapping[Coordinate, Cell]) -> None:
        """Have a part as the same rule set decided it elsewhere."""
        if self.known(part):
            self._cells(self._holders[part.grant][1], part.kind, Flag(part.flags)).found.setdefault(part.dataset, cells)

    def ready(self) -> None:
        """Keep ready what decides further cells."""
        self._asked()

    def _cells(self, grant: Grant, kind: SubjectKind, flags: Flag) -> _Cells:
        key = (grant.id, kind, int(flags))
        found = self._table.get(key)
        if found is None:
            decide = functools.partial(self._decide, grant, kind, flags)
            found = self._table.setdefault(key, _Cells(self._published, decide))
        return found

    def holding(self, asked: Question) -> Holding:
        """Which rules hold of one question, whatever the others decide: not only those that determine its answer."""
        return self._asked().holding(asked)

    def permitting(self, questions: Sequence[Question]) -> list[frozenset[str]]:
        """The rules that permit each question, in order; none where it is denied. Nothing is kept."""
        answers = self._asked().permitting(questions)
        return [
            frozenset() if base.forbidding(asked) else rules for asked, rules in zip(questions, answers, strict=True)
        ]

    def _asked(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(
                self.policies.catalogue, self.policies.purposes, self.requesters, list(self.rules.values())
            )
        return self._engine

    def _decide(
        self, grant: Grant, kind: SubjectKind, flags: Flag, datasets: Iterable[str]
    ) -> Mapping[Coordinate, Cell]:
        purpose = self.policies.purposes[grant.purpose]
        questions = [
            Question(grant, purpose, kind, self._published[name], field, flags)
            for name in datasets
            for field in self._published[name].fields
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
    watch: Watching,
) -> str:
    texts = {rule.id: rule.text for rule in rules}
    told = [calendar.digest, officers.digest, watch.digest]
    said = msgspec.to_builtins(purposes, order="sorted")
    for each in said.values():
        if not each["forward"]:
            del each["forward"]  # a set that forwards nothing has the digest that it always had
    parts = [catalogue.digest, said, requesters.digest, texts, *told]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()
