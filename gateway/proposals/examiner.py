"""Has proposed rule sets examined (`examination`), one at a time in a process, and remembers the last results.

What is stored never changes, and the same files over the same base give the same: so a result is kept by the digests of
both archives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping

from cachetools import LRUCache

from gateway.bounds.children import OneAtATime, ran
from gateway.ledger.acting.planned import invalid
from gateway.proposals.examination import Asked, Examined

WITHIN = 180.0
"""Seconds that an examination may take."""
WAITING = 4
"""Examinations at once, the one that runs and those that wait for it."""

Examine = Callable[[Asked], Examined]


class Examiner:
    """Examines, with what of `gateway.yaml` names in files are read by; `examine` does so, and blocks."""

    def __init__(
        self, issuers: Mapping[str, str], registries: Collection[str] | None, examine: Examine | None = None
    ) -> None:
        self.issuers, self.registries = issuers, None if registries is None else tuple(registries)
        self._known: LRUCache[bytes, Examined] = LRUCache(32)
        self._process = OneAtATime(examine or examined, WAITING, "other rule sets are examined now; try again")

    async def of(self, candidate: bytes, base: bytes | None, since: tuple[bytes, ...] = ()) -> Examined:
        """What was found in a candidate; raises `Refusal`."""
        key = b"".join(hashlib.sha256(each).digest() for each in (candidate, base or b"", *since))
        if key not in self._known:
            asked = Asked(candidate, base, self.issuers, self.registries, since)
            self._known[key] = await self._process.ask(asked)
        return self._known[key]

    async def table(self, candidate: bytes, base: bytes) -> str:
        """All that differs between the two as CSV; raises `Refusal`. It is large, and is not remembered."""
        found = await self._process.ask(Asked(candidate, base, self.issuers, self.registries, table=True))
        if found.problems:
            raise invalid("LIMIT", found.problems[0])
        return found.table


def examined(asked: Asked) -> Examined:
    """What comes of an examination; raises `CommandRefused` where it takes too much, or fails. Blocks."""
    return ran("gateway.proposals.examination", asked, Examined, WITHIN, "the rule set cannot be examined")
