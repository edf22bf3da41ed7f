"""Numbers that look random and are the same on every machine and Python version.

A `Dice` is a counter-mode stream of BLAKE2b blocks under a label. `random` promises no stable sequence across versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Dice:
    """The stream of one label. Draws advance it; equal labels give equal streams."""

    __slots__ = ("_block", "_counter", "_label", "_offset")

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._counter = 0
        self._block = b""
        self._offset = 64

    def below(self, bound: int) -> int:
        """A number from 0 up to, not including, `bound` (at most 2**32; the bias is of no matter here)."""
        if self._offset >= 64:
            self._block = hashlib.blake2b(self._label + self._counter.to_bytes(4, "big")).digest()
            self._counter += 1
            self._offset = 0
        value = int.from_bytes(self._block[self._offset : self._offset + 4], "big")
        self._offset += 4
        return value * bound >> 32

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in `percent` of 100 draws."""
        return self.below(100) < percent

    def pick(self, options: Sequence[_T]) -> _T:
        """One of `options`."""
        return options[self.below(len(options))]
