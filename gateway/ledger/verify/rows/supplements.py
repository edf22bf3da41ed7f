"""The rows of the catalogue's supplements, checked against the entries of the acts that took their steps.

Each step has the row that its entry says, and there is no other; together they are steps that can follow each other,
and each definition is that of its digest. So nothing is published that nobody was consulted on, or approved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import bindparam as p
from sqlalchemy import func, select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.rows.acted import Standing
from gateway.ledger.verify.rows.batches import AT_ONCE, chunks
from gateway.storage.port import Reader
from gateway.storage.rules.cataloguing import Step, definition, supplement_step, supplements
from gateway.storage.statement import Statement
from gateway.storage.subjects.acts import act
from gateway.storage.tables import micros

_ABOUT = "catalogue-"
_MARKS = [f"mark{number}" for number in range(AT_ONCE)]
_ROWS = Statement(select(supplement_step).where(supplement_step.c.filed_in.in_([p(each) for each in _MARKS])), *_MARKS)
_COUNT = Statement(select(func.count()).select_from(supplement_step))
_ALL = Statement(select(supplement_step).join(act, act.c.entry == supplement_step.c.filed_in).order_by(act.c.number))
_DEFINITIONS = Statement(select(definition.c.digest, definition.c.dataset, definition.c.body))


class Supplements:
    """Takes acts in as they stand in a snapshot. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self, reader: Reader, standing: Sequence[Standing]) -> None:
        """Check the steps that these acts took."""
        about = [(each.place, each.told) for each in standing if isinstance(each.told, entries.Acted)]
        about = [(place, told) for place, told in about if told.what.startswith(_ABOUT)]
        places = {place for place, _ in about}
        rows = {row[0]: Step._make(row) for some in chunks(places) for row in reader.rows(_ROWS, *some)}
        for place, told in about:
            row = rows.get(place)
            if row is None:
                raise VerificationFailed(
                    f"supplement `{told.matter}`: act `{told.id}` took a step, and its row is gone"
                )
            if row != _expected(place, told, row.by):
                raise VerificationFailed(
                    f"supplement `{told.matter}`: the row of act `{told.id}` is not what its entry records: it was"
                    " altered"
                )
        self._taken += len(about)

    def check(self, reader: Reader) -> None:
        """Check the rest in a snapshot whose acts were all taken."""
        ((count,),) = reader.rows(_COUNT)
        if count != self._taken:
            raise VerificationFailed(
                f"supplements: {count} steps have rows, and {self._taken} have entries: rows were made up"
            )
        known = {}
        for digest, dataset, body in reader.rows(_DEFINITIONS):
            if hashlib.sha256(body).hexdigest() != digest:
                raise VerificationFailed(f"definition `{digest}`: it is not what its digest is of: it was altered")
            known[digest] = dataset
        steps = [Step._make(row) for row in reader.rows(_ALL)]
        for step in steps:
            if known.get(step.definition) != step.dataset:
                raise VerificationFailed(
                    f"supplement `{step.supplement}`: its definition is gone, or another dataset's"
                )
        try:
            supplements(steps)
        except ValueError as error:
            raise VerificationFailed(f"{error}: a step was removed, or made up") from error


def _expected(place: int, told: entries.Acted, by: bytes | None) -> Step:
    """The row of an act. Who asked for an approval stands in oversight's part: a digest is there, or it is not."""
    step = told.what.removeprefix(_ABOUT)
    return Step(
        place, told.matter, told.dataset, told.department or told.requester.department, told.digest, step,
        micros(told.at), told.days, told.due.isoformat() if told.due else None,
        (by or b"?") if step == "approval-asked" else None,
    )  # fmt: skip
