"""The highest time of any entry that a process committed, or found in a shard that it took: no clock may give less.

Several ledgers of a process share one. Every step of every inquiry asks for it, so it is kept as it is asked for.
"""

from __future__ import annotations

from gateway.storage.tables import moment


class Floor:
    """It never falls. `micros` is in microseconds since the epoch, `at` the same as an aware datetime in UTC."""

    __slots__ = ("at", "micros")

    def __init__(self) -> None:
        self.micros = 0
        self.at = moment(0)

    def rise(self, micros: int) -> None:
        """An entry of that time is committed."""
        if micros > self.micros:
            self.micros, self.at = micros, moment(micros)
