"""What follows an overdue recall, checked against its entries: when a grant is suspended, and what that rests on.

From the entry that says that it is overdue, a recall leads to a suspension at a time of its own (`later`), until an
entry says that it did, that a law keeps it from that, that it was answered, or that two people of oversight ended the
suspension of the same. One that suspends names that matter from then on. Entries are of several shards, so the number
of an act says which was first.
"""

from __future__ import annotations

from sqlalchemy import or_, select, text

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.storage.port import Reader
from gateway.storage.recall.recalls import recall
from gateway.storage.statement import Statement

_COLUMNS = ("id", "issuer", "client", "purpose", "dataset", "at", "due", "later", "suspension")
_LATE = Statement(
    select(*(recall.c[name] for name in _COLUMNS)).where(
        or_(text("state = 'overdue'"), recall.c.later.is_not(None), recall.c.suspension.is_not(None))
    )
)
_SUSPENDS = ("suspended", "suspension-held")

_Held = tuple[str, str, str, str]


class Late:
    """Takes acts in; every call of `check` raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._overdue: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._rests: dict[str, tuple[int, str]] = {}
        self._ended: dict[_Held, int] = {}

    def note(self, number: int, told: entries.Acted) -> None:
        """Take in what an act records of recalls that are overdue."""
        if told.what == "recall-overdue":
            self._overdue[told.recall] = number
        elif told.what in _SUSPENDS:
            self._rests[told.recall] = max(self._rests.get(told.recall, (0, "")), (number, told.matter))
            self._settle(told.recall, number)
        elif told.what == "suspension-exempt" or (told.what == "acknowledged" and told.outcome != "refused"):
            self._settle(told.recall, number)
        elif told.what == "suspension-ended" and told.outcome == "oversight":
            to = told.to or entries.Who("", "")
            held = (to.issuer, to.client, told.purpose, told.dataset)
            self._ended[held] = max(self._ended.get(held, 0), number)

    def _settle(self, id_: str, number: int) -> None:
        self._settled[id_] = max(self._settled.get(id_, 0), number)

    def check(self, reader: Reader) -> None:
        """Check the rows, in a snapshot whose acts were all taken."""
        rests = {id_: matter for id_, (_, matter) in self._rests.items()}
        for id_, issuer, client, purpose, dataset, at, due, later, suspension in reader.rows(_LATE):
            if suspension != rests.pop(id_, None):
                raise _altered(id_, "rests on it")
            settled = max(self._settled.get(id_, 0), self._ended.get((issuer, client, purpose, dataset), 0))
            follows = self._overdue.get(id_, 0) > settled
            if follows != (later is not None) or (later is not None and not due < later <= 2 * due - at):
                raise _altered(id_, "follows from it")
        for id_ in rests:
            raise _altered(id_, "rests on it")


def _altered(id_: str, what: str) -> VerificationFailed:
    return VerificationFailed(f"recall `{id_}`: which suspension {what} is not what its entries record: it was altered")
