"""What `make test` leaves to `make trials`: tests that are marked `long`, since others walk the same road.

Marked are cases that differ from one that stays in what has a test of its own: another store, another of many planted
faults, another way to serve. `@pytest.mark.long_cases("sqlite", ...)` marks those of a test whose id has one of the
words. What runs on SQLite and on PostgreSQL, and is not about stores, is marked on one of them.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

import pytest

BOTH = ("tests/storage/", "tests/ledger/", "tests/faults/")
"""What is about stores, or says itself what is left out."""
TURNS = (
    "tests/ledger/verify/rows/",
    "tests/storage/sealing/test_finishing.py",
    *(
        f"tests/storage/test_{name}.py"
        for name in ("doubting_commands", "erasing", "findings_held", "restored", "tampered")
    ),
)
"""But for these: they look at what commands and entries do, by the statements that others run on both."""


def left_out(names: Iterable[str]) -> set[str]:
    """Of tests by node id, those that are run on the other store: in each file one on this, the next on that."""
    among, turns, found = list(names), collections.Counter[str](), set[str]()
    known = set(among)
    for name in among:
        test, bracket, case = name.partition("[")
        twin = test + bracket + case.replace("sqlite", "postgresql")
        if twin != name and twin in known and (name.startswith(TURNS) or not name.startswith(BOTH)):
            file = test.partition("::")[0]
            found.add(twin if turns[file] % 2 == 0 else name)
            turns[file] += 1
    return found


@pytest.hookimpl(tryfirst=True)  # before those that are marked are chosen, or the others
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    found = left_out(item.nodeid for item in items)
    for item in items:
        case = item.name.partition("[")[2]
        named = [word for marker in item.iter_markers("long_cases") for word in marker.args]
        if item.nodeid in found or any(word in case for word in named):
            item.add_marker("long")
