"""The room of what a watch found: a steward sees its own department's, oversight all, with what is to be done."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from sqlalchemy import create_engine, delete, insert

from gateway.console.watching.sources import KINDS
from gateway.storage.watch.source_findings import source_finding
from gateway.texts import words
from tests.conftest import World
from tests.console.visitor import Visitor

OVER = "This was mended."
_AT = 1_790_000_000_000_000
_NONE = 2**62


@contextlib.contextmanager
def found(told: Mapping[str, Any]) -> Iterator[None]:
    """A finding of each kind about each of two departments, and one that is over; they are gone again at the end."""
    rows = [
        {
            "filed_in": _NONE + number, "finding": f"{number:032x}", "department": department, "dataset": dataset,
            "kind": kind, "what": f"<b>{kind} of {department}</b>", "at": _AT + number,
            "ended": None, "ended_in": None,
        }
        for number, (kind, (department, dataset)) in enumerate(
            (kind, of) for kind in KINDS for of in (("tax", "tax-arrears"), ("labour", ""))
        )
    ]  # fmt: skip
    rows.append({**rows[0], "filed_in": _NONE - 1, "what": OVER, "ended": _AT + 99, "ended_in": _NONE - 2})
    engine = create_engine(told["store"])
    try:
        with engine.begin() as connection:
            connection.execute(insert(source_finding), rows)
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(delete(source_finding).where(source_finding.c.filed_in >= _NONE - 1))
        engine.dispose()


def plain(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)))


def test_who_has_it_put_right_sees_what_does_not_fit(world: World, visitor: Visitor) -> None:
    named, overseer = words.read(), Visitor(dict(world.told))
    visitor.sign_in("steward")
    overseer.sign_in("oversight")
    assert named["sources.none"] in plain(visitor.get("/console/sources").text)
    with found(world.told):
        page = visitor.get("/console/sources")
        text = plain(page.text)
        own = {department for department in ("tax", "labour") if f"wrong of {department}" in text}
        assert len(own) == 1
        for kind in KINDS:
            assert f"<b>{kind} of {min(own)}</b>" in text
            assert named[f"sources.kinds.{kind}"] in text
            assert named[f"sources.todo.{kind}"] in text
        assert "<b>wrong" not in page.text
        assert OVER not in text
        every = plain(overseer.get("/console/sources?over=yes").text)
        assert "<b>wrong of tax</b>" in every
        assert "<b>wrong of labour</b>" in every
        assert OVER in every


def test_nobody_else_has_the_room(visitor: Visitor) -> None:
    visitor.sign_in("officer")
    assert visitor.get("/console/sources").status_code == 403
