"""One statement that is asked again and again, on a reader that is kept.

A look that finds nothing is most of what a process does that waits. Through the engine it would cost ten times as much.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.storage.port import Reader, Store
from gateway.storage.statement import Statement


class Looking:
    """Looks into one store. Blocks, so it is for a thread, of which any may call."""

    def __init__(self, store: Store, statement: Statement) -> None:
        self._store, self._statement = store, statement
        self._reader: Reader | None = None
        self._lock = threading.RLock()

    def rows(self, *parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of the statement, from a snapshot that is taken after the call and not held.

        Raises `StoreUnavailable`, or SQLAlchemy's errors.
        """
        with self._lock:
            if self._reader is not None:
                with contextlib.suppress(StoreUnavailable):  # its session may have ended since, or its file is gone
                    return self._rows(parameters)
            return self._rows(parameters)

    def _rows(self, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            reader = self._reader = self._reader or self._store.reader()
            reader.renew()
            found = reader.rows(self._statement, *parameters)
            reader.renew()
        except BaseException:
            with contextlib.suppress(Exception):
                self.close()
            raise
        return found

    def close(self) -> None:
        """Give the reader back; a later look has another."""
        with self._lock:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()
