"""What is due: one look at the store for all turns, so that none of them asks while there is nothing for it.

Invariant: where a turn that waits for one of these would find anything, its member is true. It may be true for nothing,
as for a recipient to whom nothing is sent; then the turn looks, and finds nothing.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from sqlalchemy import BigInteger, BindParameter, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.acts.office import Office
from gateway.errors import Refusal, StoreUnavailable
from gateway.recall.delivering.alerts import GLASS, untold
from gateway.storage.looking import Looking
from gateway.storage.recall.recalls import FOLLOWS, SELECTING, UNTOLD, recall, recall_job, work
from gateway.storage.rules.rulesets import activation
from gateway.storage.statement import Statement
from gateway.storage.tables import micros


class Due(NamedTuple):
    """What there is: recalls that are overdue, or whose grant is to be suspended; work that is due, and jobs that wait.

    `glass`: uses of break-glass without an alert. `active` is the digest of the active rule set, None if not known.
    """

    overdue: bool
    suspending: bool
    work: bool
    jobs: bool
    glass: bool
    active: str | None


_NOT_KNOWN = Due(True, True, True, True, True, None)

_now: BindParameter[int] = bindparam("now", type_=BigInteger())
_last = select(func.max(activation.c.epoch)).scalar_subquery()
_DUE = Statement(
    select(
        select(recall.c.id).where(UNTOLD, recall.c.due <= _now).exists(),
        select(recall.c.id).where(FOLLOWS, recall.c.later <= _now).exists(),
        select(work.c.id).where(work.c.due <= _now).exists(),
        select(recall_job.c.id).where(SELECTING).exists(),
        untold(GLASS).exists(),
        select(activation.c.digest).where(activation.c.epoch == _last).scalar_subquery(),
    ),
    *("now", "now", "now"),
)


class Looks:
    """Looks in one process; blocks, so it is for a thread."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._looking = Looking(office.store, _DUE)

    def due(self) -> Due:
        """What is due now; all may be where it is not known: then each turn finds out itself what is wrong."""
        try:
            now = micros(self._office.now())
            (found,) = self._looking.rows(now, now, now)
        except (Refusal, StoreUnavailable, SQLAlchemyError):
            return _NOT_KNOWN
        return Due._make(found)

    def close(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(StoreUnavailable, SQLAlchemyError):
            self._looking.close()
