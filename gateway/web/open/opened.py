"""What `/open/catalogue` is made from: the catalogue in force, and how each definition came to be there."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.catalogue.model import Catalogue, Dataset
from gateway.rules.model import Purpose

FIRST_SET, AS_APPROVED = "by the first rule set that was activated", "as it was approved"
"""The outcomes of what was published: without a consultation, and after one."""


class ToldStep(NamedTuple):
    """A step of a supplement: its time and words; of a consultation its term in working days and last day."""

    step: str
    at: datetime.datetime
    days: int
    until: str | None
    words: str
    outcome: str


class Told(NamedTuple):
    """A supplement as everybody may read it."""

    id: str
    dataset: str
    department: str
    definition: str
    state: str
    until: datetime.date | None
    proposed: Dataset
    steps: Sequence[ToldStep]


class History(NamedTuple):
    """All supplements; `number` is another where anything changed."""

    supplements: Sequence[Told]
    number: int


class Open(NamedTuple):
    """What is shown: the catalogue and the purposes in force, and the history of supplements."""

    catalogue: Catalogue
    purposes: Mapping[str, Purpose]
    history: History

    def same_as(self, other: Open) -> bool:
        """Whether both are of the same rule set, and of the same moment of the history."""
        one = self.catalogue is other.catalogue and self.purposes is other.purposes
        return one and self.history.number == other.history.number

    def published_on(self, dataset: str) -> Sequence[datetime.datetime]:
        """When definitions of a dataset were published, in order."""
        own = [each for each in self.history.supplements if each.dataset == dataset]
        return sorted(step.at for each in own for step in each.steps if step.step == "published")
