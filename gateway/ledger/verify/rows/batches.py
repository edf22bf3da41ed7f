"""Rows asked for by what they have, so many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

AT_ONCE = 32
"""How many are asked for at once."""


def chunks(wanted: Iterable[Any]) -> Iterable[list[Any]]:
    """So many at a time, the last filled up."""
    every = sorted(wanted)
    for start in range(0, len(every), AT_ONCE):
        some = every[start : start + AT_ONCE]
        yield [*some, *([some[0]] * (AT_ONCE - len(some)))]
