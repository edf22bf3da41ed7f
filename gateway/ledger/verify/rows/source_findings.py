"""The rows of findings about departments' systems, checked against the entries that began and ended them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam as p
from sqlalchemy import func, or_, select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.rows.acted import Standing
from gateway.ledger.verify.rows.batches import AT_ONCE, chunks
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.tables import micros
from gateway.storage.watch.source_findings import BEGAN, ENDED, SourceFinding, source_finding

_MARKS = [f"mark{number}" for number in range(AT_ONCE)]
_TWICE = [*_MARKS, *(f"other{number}" for number in range(AT_ONCE))]
_ROWS = Statement(
    select(source_finding).where(
        or_(
            source_finding.c.filed_in.in_([p(each) for each in _MARKS]),
            source_finding.c.ended_in.in_([p(each) for each in _TWICE[AT_ONCE:]]),
        )
    ),
    *_TWICE,
)
_COUNTS = Statement(select(func.count(), func.count(source_finding.c.ended_in)).select_from(source_finding))


class SourceFindings:
    """Takes acts in as they stand in a snapshot. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._begun, self._ended = 0, 0

    def take(self, reader: Reader, standing: Sequence[Standing]) -> None:
        """Check the findings that these acts began and ended."""
        about = {
            each.place: each.told
            for each in standing
            if isinstance(each.told, entries.Acted) and each.told.what in (BEGAN, ENDED)
        }
        rows = [SourceFinding._make(row) for some in chunks({*about}) for row in reader.rows(_ROWS, *some, *some)]
        begun, ended = {row.filed_in: row for row in rows}, {row.ended_in: row for row in rows}
        for place, told in about.items():
            found = told.what == BEGAN
            row = (begun if found else ended).get(place)
            if row is None:
                raise VerificationFailed(f"finding `{told.matter}`: the row of act `{told.id}` is gone")
            said = (told.matter, told.department, told.dataset, told.outcome, told.words, micros(told.at))
            if said != (*row[1:6], row.at if found else row.ended):
                raise VerificationFailed(
                    f"finding `{told.matter}`: its row is not what the entry of act `{told.id}` records: it was altered"
                )
            self._begun, self._ended = self._begun + found, self._ended + (not found)

    def check(self, reader: Reader) -> None:
        """Check that there are no other rows, in a snapshot whose acts were all taken."""
        ((begun, ended),) = reader.rows(_COUNTS)
        if (begun, ended) != (self._begun, self._ended):
            raise VerificationFailed(
                f"findings about sources: {begun} have rows and {ended} of them are over; entries record"
                f" {self._begun} and {self._ended}: rows were made up"
            )
