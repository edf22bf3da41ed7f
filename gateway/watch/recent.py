"""Memory of a detector: what happened lately, by key; bounded in time, in keys, and in items of a key. Pure."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_KEYS = 50_000
MOST_ITEMS = 512


class Slot(Generic[V]):
    """What is remembered under one key. `found` is the id of the finding that it is part of, as long as it lasts."""

    __slots__ = ("found", "items")

    def __init__(self) -> None:
        self.items: collections.deque[tuple[datetime.datetime, V]] = collections.deque(maxlen=MOST_ITEMS)
        self.found: str | None = None

    def __iter__(self) -> Iterator[V]:
        return (item for _, item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def span(self) -> datetime.timedelta:
        """The time from the first to the last."""
        return self.items[-1][0] - self.items[0][0] if self.items else datetime.timedelta()


class Recent(Generic[K, V]):
    """Slots by key. What is older than `within` is forgotten; of too many keys, the one not heard of longest."""

    def __init__(self, within: datetime.timedelta, most_keys: int = MOST_KEYS) -> None:
        self._within, self._most = within, most_keys
        self._slots: collections.OrderedDict[K, Slot[V]] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, key: K, at: datetime.datetime, item: V) -> Slot[V]:
        """Remember one more; the slot has all that is still recent, this included."""
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot()
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
        else:
            self._slots.move_to_end(key)
            self._forget(slot, at)
        slot.items.append((at, item))
        self._sweep(at)
        return slot

    def get(self, key: K, at: datetime.datetime) -> Slot[V] | None:
        """What is recent under a key at a moment; `None` for nothing."""
        slot = self._slots.get(key)
        if slot is not None:
            self._forget(slot, at)
        return slot if slot else None

    def drop(self, key: K) -> None:
        """Forget a key."""
        self._slots.pop(key, None)

    def _sweep(self, at: datetime.datetime) -> None:
        """Drop keys of which nothing is recent; they stand at the front, in the order in which they were last used."""
        oldest = at - self._within
        while self._slots:
            key, slot = next(iter(self._slots.items()))
            if slot.items and slot.items[-1][0] >= oldest:
                return
            del self._slots[key]

    def _forget(self, slot: Slot[V], at: datetime.datetime) -> None:
        oldest = at - self._within
        while slot.items and slot.items[0][0] < oldest:
            slot.items.popleft()
        if not slot.items:
            slot.found = None
