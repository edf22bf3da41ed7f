"""Pages of rows: a cursor that stands behind the last row of a page, and shows nothing to whoever has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, tuple_

from gateway.acts.inputs import wrong
from gateway.storage.acts import Matter, matter

_T = TypeVar("_T")
_CURSOR = re.compile("([0-9a-f]{1,16})-([0-9a-f]{32})")


def behind(after: object) -> list[ColumnElement[bool]]:
    """The matters behind a cursor, in the order of filing; raises `Refusal` for a cursor that is none."""
    if after is None:
        return []
    found = _CURSOR.fullmatch(str(after))
    if found is None or (filed := int(found[1], 16)) >= 2**63:
        raise wrong("`after` is no cursor of this page; take the `next` of the page before")
    return [tuple_(matter.c.filed, matter.c.id) > (filed, found[2])]


def page(found: Sequence[Matter], first: int) -> tuple[Sequence[Matter], str | None]:
    """The first of these, and the cursor to go on from where there are more."""
    if len(found) <= first:
        return found, None
    last = found[first - 1]
    return found[:first], f"{last.filed:x}-{last.id}"
