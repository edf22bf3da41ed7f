"""Values by name, as many as were used last. For one thread: a look-up is two calls of C."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """At most `most` values; the one that was used longest ago leaves first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[_K, _V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, name: _K) -> _V | None:
        """The value of that name, which is used now; None where there is none."""
        value = self._found.get(name)
        if value is not None:
            self._found.move_to_end(name)
        return value

    def keep(self, name: _K, value: _V) -> _V:
        """Keep a value, in the place of any other of that name; gives it back."""
        self._found[name] = value
        self._found.move_to_end(name)
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return value
