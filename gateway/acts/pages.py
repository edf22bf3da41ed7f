"""Pages of rows: a cursor that stands behind the last row of a page, and shows nothing to whoever has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, tuple_

from gateway.acts.inputs import wrong
from gateway.errors import Refusal
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import Matter, matter

MOST, USUAL = 50, 20
"""Rows of a page of a JSON route."""
_CURSOR = re.compile("([0-9a-f]{1,16})-([0-9a-f]{32})")
WAITS = "awaits-confirmation"
_DONE = ("decided", "withdrawn", "declined")


def behind(after: object) -> list[ColumnElement[bool]]:
    """The matters behind a cursor, in the order of filing; raises `Refusal` for a cursor that is none."""
    return [] if after is None else [rows.after(*place_of(str(after)))]


def page(found: Sequence[Matter], first: int) -> tuple[Sequence[Matter], str | None]:
    """The first of these, and the cursor to continue from where there are more."""
    if len(found) <= first:
        return found, None
    return found[:first], cursor_of(found[first - 1].filed, found[first - 1].id)


class Sections(NamedTuple):
    """Rows of two sections: those that wait for a second person, oldest first, then the others, newest first.

    `place` is where to go on from in the section; None at its beginning. A row that is decided between two pages goes
    from the first section to the second: it may be shown in both, and is never left out.
    """

    waiting: bool
    place: tuple[int, str] | None

    @classmethod
    def after(cls, after: object) -> Sections:
        """Where a cursor stands; raises `Refusal` for one that is none."""
        if after is None:
            return cls(waiting=True, place=None)
        section, _, place = str(after).partition("-")
        if section not in ("w", "d"):
            raise _no_cursor()
        return cls(section == "w", place_of(place))

    def page(
        self, connection: Connection, conditions: Sequence[ColumnElement[bool]], state: str | None, first: int
    ) -> tuple[Sequence[Matter], str | None]:
        """The next rows of a state, or of any, and the cursor to continue from where there are more."""
        found: list[Matter] = []
        if self.waiting and state in (None, WAITS):
            behind_it = [] if self.place is None else [rows.after(*self.place)]
            found = rows.matters(connection, *conditions, matter.c.state == WAITS, *behind_it, first=first + 1)
        if len(found) <= first:
            place = None if self.waiting else self.place
            before = [] if place is None else [tuple_(matter.c.filed, matter.c.id) < place]
            done: list[Matter] = []
            for each in _DONE if state is None else {state} & {*_DONE}:  # each by itself, in the order of the index
                of = (*conditions, matter.c.state == each, *before)
                done += rows.matters(connection, *of, first=first + 1, last=True)
            found += sorted(done, key=lambda row: (row.filed, row.id), reverse=True)
        if len(found) <= first:
            return found, None
        last = found[first - 1]
        return found[:first], f"{'w' if last.state == WAITS else 'd'}-{cursor_of(last.filed, last.id)}"


def place_of(of: str) -> tuple[int, str]:
    """Behind which row a cursor stands; raises `Refusal` for one that is none."""
    found = _CURSOR.fullmatch(of)
    if found is None or (filed := int(found[1], 16)) >= 2**63:
        raise _no_cursor()
    return filed, found[2]


def first_of(query: Mapping[str, str]) -> int:
    """How many rows a page of a JSON route has, by its address; raises `Refusal`."""
    given = query.get("first", str(USUAL))
    if not (given.isascii() and given.isdigit() and len(given) < 4 and 0 < int(given) <= MOST):
        raise wrong(f"`first` must be a whole number from 1 to {MOST}")
    return int(given)


def after_of(query: Mapping[str, str]) -> tuple[int, str] | None:
    """Behind which row the page of a JSON route begins, by its address; raises `Refusal`."""
    given = query.get("after")
    return None if given is None else place_of(given)


def cursor_of(number: int, id_: str) -> str:
    """The cursor behind a row, by the number that orders it and its id."""
    return f"{number:x}-{id_}"


def _no_cursor() -> Refusal:
    return wrong("`after` is no cursor of this page; take the `next` of the page before")
