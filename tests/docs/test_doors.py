"""`gateway/DOORS.md` lists every door, and no other: what the code opens is found here, and held against the list."""

from __future__ import annotations

from tests.docs import doors_in_code
from tests.docs.doors_in_code import Found
from tests.docs.doors_listed import HARMLESS, NO_DOORS, OPENING, PAGE, gateway, in_code, named, problems, served, tree

__all__ = ["gateway", "in_code", "named", "served", "tree"]


def test_every_door_is_listed_with_what_bounds_it_and_no_other(
    in_code: set[Found], served: set[Found], named: set[str]
) -> None:
    told = problems(PAGE.read_text("utf-8"), in_code | served, named)
    assert not told, "\n" + "\n".join(told)


def test_what_is_no_door_is_still_there(in_code: set[Found]) -> None:
    assert NO_DOORS.keys() - in_code == set()


def test_every_module_was_looked_at(tree: dict[str, str]) -> None:
    assert doors_in_code.modules(tree) == OPENING | HARMLESS
