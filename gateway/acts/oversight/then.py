"""The rule set by which a past inquiry was decided: the active one, or one that the store keeps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from gateway.activation.loading import Reading
from gateway.activation.stored import stored_as
from gateway.errors import ConfigurationError
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store

KEPT = 2
"""Rule sets that are kept, made ready: whoever looks at one inquiry looks at the next."""

Make = Callable[[bytes, str, Reading], RuleSet]
"""A rule set of an archive, made in another process (`gateway.activation.making`)."""


class Then:
    """Gives them; for threads, since all of it blocks. `now` is what is active."""

    def __init__(self, store: Store, now: Callable[[], RuleSet], make: Make, how: Reading) -> None:
        self._store, self._now, self._make, self._how = store, now, make, how
        self._lock, self._made = threading.Lock(), OrderedDict[str, RuleSet]()

    def of(self, digest: str) -> RuleSet | None:
        """The one of a digest; None where the store does not keep it, or this version cannot read it any more."""
        now = self._now()
        if digest == now.digest:
            return now
        with self._lock:
            if digest not in self._made:
                found = stored_as(self._store.engine, digest)
                if found is None:
                    return None
                try:
                    self._made[digest] = self._make(found.files, digest, self._how)
                except ConfigurationError:
                    return None
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(digest)
            return self._made[digest]
