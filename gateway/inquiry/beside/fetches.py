"""How often the correction of one recall is fetched: `MOST` times within a day, which step 5 reserves.

It counts against no frequency, and each fetch makes an entry and an answer. The ledger is the count: what was entered
about the subject within the day and names the recall, whoever served it. Beside it counts what this process let go on
and may not be entered yet. So a start forgets nothing, and another process learns of a fetch by its entry.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
from collections import deque
from collections.abc import Callable

from gateway.errors import Code, Refusal, StoreUnavailable, VerificationFailed
from gateway.inquiry.admit import Counted, Reservation
from gateway.ledger.entry.entries import Inquiry
from gateway.ledger.stored import read
from gateway.rules.model import Purpose
from gateway.storage.port import Reader, Store
from gateway.storage.tables import micros

MOST = 10
DAY = datetime.timedelta(days=1)
_UNDER_WAY = datetime.timedelta(minutes=15)
"""After which an inquiry that went on is entered, or never will be."""
_MINUTE = 60


class Fetches:
    """The fetches of all recalls, as the ledger of `store` and this process know them.

    `named_since` gives the ids of the entries since a moment (microseconds) that name a subject (scheme and value),
    or None where one could be missing.
    """

    def __init__(self, store: Store, named_since: Callable[[Reader, str, str, int], list[int] | None]) -> None:
        self._store, self._named_since = store, named_since
        self._lately: deque[tuple[str, str, datetime.datetime]] = deque()  # recall, inquiry, when it went on

    async def reserve(self, _purpose: Purpose, asked: Counted) -> Reservation:
        """Let one fetch of `asked.recall` go on.

        Raises `Refusal`: `QUOTA_EXCEEDED` with `quota` and `resetsAt`; `DECISION_UNAVAILABLE`, where it cannot be
        found out.
        """
        assert asked.recall is not None, "the fetch of a correction"
        try:
            found = await asyncio.to_thread(self._entered, asked, asked.recall)
        except (VerificationFailed, StoreUnavailable, ValueError) as error:
            raise _unavailable() from error
        if found is None:
            raise _unavailable()
        while self._lately and self._lately[0][2] <= asked.time - _UNDER_WAY:
            self._lately.popleft()
        counting = {id_: at for recall, id_, at in self._lately if recall == asked.recall} | found
        if len(counting) >= MOST:
            raise _exceeded(sorted(counting.values())[-MOST] + DAY)
        self._lately.append((asked.recall, asked.id, asked.time))
        return Reservation(counted=True)

    def _entered(self, asked: Counted, recall: str) -> dict[str, datetime.datetime] | None:
        """When the ledger has it fetched within the day, by inquiry; None where its end cannot be looked at now."""
        (subject,), since = set(asked.subjects), asked.time - DAY
        with contextlib.closing(self._store.reader()) as reader:
            if (places := self._named_since(reader, *subject, micros(since))) is None:
                return None
            told = [each.read_told() for each in read.read_at(reader, places).values() if each.told is not None]
            mine = [each for each in told if isinstance(each, Inquiry) and each.declaration.recall == recall]
            return {each.id: each.at for each in mine if each.at > since}


def _exceeded(free: datetime.datetime) -> Refusal:
    resets = datetime.datetime.fromtimestamp(math.ceil(free.timestamp() / _MINUTE) * _MINUTE, datetime.UTC).isoformat()
    return Refusal(
        Code.QUOTA_EXCEEDED,
        f"the correction of one recall is fetched at most {MOST} times within a day; ask again from {resets}, or"
        " acknowledge the recall",
        quota="recall",
        resetsAt=resets,
    )


def _unavailable() -> Refusal:
    message = "how often this correction was fetched cannot be found out now, so nothing was disclosed; ask again"
    return Refusal(Code.DECISION_UNAVAILABLE, message, retryable=True)
