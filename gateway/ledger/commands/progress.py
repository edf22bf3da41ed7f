"""Progress of long work, on standard error, every two seconds at most."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from gateway.nouns import counted

_TELL_EVERY = 2.0


def teller() -> Callable[[str, int, int], None]:
    """Prints `(what, done, of)` where the last time was long enough ago."""
    told = time.monotonic()

    def tell(what: str, done: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY:
            told = time.monotonic()
            print(f"`{what}`: {done} of {counted(of, 'entry')}", file=sys.stderr)

    return tell
