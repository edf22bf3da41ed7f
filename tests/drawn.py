"""How many examples a property is tried with: few in a run of all tests, all of them in `make properties`."""

from __future__ import annotations

import os

RANDOM = bool(os.environ.get("DUTYBOUND_RANDOM"))
"""Whether other examples are drawn at each run, as in `make properties`; else they are the same each time."""


def examples(usual: int, drawn: int) -> int:
    """The first where examples are the same each time, the second where others are drawn."""
    return drawn if RANDOM else usual
