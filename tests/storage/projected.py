"""Entries to project, and turns of a projector."""

from __future__ import annotations

from connectors.base import Subject
from gateway.ledger.projections.projector import Projector
from tests.ledger.projecting import (
    SUBJECTS,
    Asked,
)

LOG = [
    Asked(),
    Asked(1, 1, (1, 2), (0, 1), ((1, 1), (2, 3)), official=1),
    Asked(2, 0, (2, 0, 3), (1,), official=2),
    Asked(0, 1, (1,), refused=True, official=1),
    Asked(0, 0, (3,), (0,), (), own=True),
    Asked(1, 0, (0, 1), (1, 0), ((2, 1),)),
    Asked(2, 1, (0,), (0,), ((1, 2),)),
]
ISSUER, OFFICIAL = "https://login.example", "m.ivanova"
ORGANISATION = Subject("organisation", *SUBJECTS[0])


def turns(projector: Projector, most: int = 10_000) -> int:
    return next(count for count in range(most) if not projector.turn())
