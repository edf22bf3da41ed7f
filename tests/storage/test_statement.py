"""A statement that holds its own values is compiled once for its shape, and each has the values that it holds."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Update, insert, or_, update
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement

from gateway.storage import statement
from gateway.storage.statement import SQLITE, asyncpg, filled, inserted
from gateway.storage.subjects.acts import act_count, matter

SHORT = st.text(st.characters(codec="ascii"), max_size=3) | st.none()
NUMBERS = st.none() | st.integers(-9, 9)


def _moved(id_: str, values: dict[str, Any]) -> Update:
    return update(matter).where(matter.c.id == id_).values(values)


VALUES = st.dictionaries(st.sampled_from(["state", "outcome", "filed_by", "decided_by"]), SHORT, min_size=1)
STATEMENTS: st.SearchStrategy[ClauseElement] = st.one_of(
    st.builds(_moved, SHORT, VALUES),
    st.builds(
        lambda ids, state: update(matter).where(matter.c.id.in_(ids)).values(state=state),
        st.lists(st.text(max_size=2), max_size=4),
        SHORT,
    ),
    st.builds(
        lambda left, right: update(act_count).where(or_(act_count.c.whose == left, act_count.c.acts > right))
        .values(acts=act_count.c.acts + 1),
        NUMBERS,
        st.integers(),
    ),
    st.builds(
        lambda whose, day, acts: inserted(act_count, {"whose": whose, "day": day, "acts": 1}, act_count.c.acts < acts),
        st.integers(),
        SHORT,
        st.integers(),
    ),
)  # fmt: skip


def _anew(asked: ClauseElement, dialect: Dialect) -> tuple[str, list[Any]]:
    """As `filled`, compiled for this one statement."""
    made: Any = asked.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(made), [made.params[name] for name in made.positiontup or ()]


def as_if_compiled_anew(one: Callable[[ClauseElement, Dialect], tuple[str, list[Any]]], dialect: Dialect) -> None:
    @given(st.lists(STATEMENTS, min_size=1, max_size=6))
    def holds(several: list[ClauseElement]) -> None:
        for each in several:
            assert one(each, dialect) == _anew(each, dialect)

    holds()


@pytest.mark.parametrize("dialect", [SQLITE, asyncpg()], ids=["sqlite", "asyncpg"])
def test_each_has_its_own_values(dialect: Dialect) -> None:
    as_if_compiled_anew(filled, dialect)


def test_the_values_of_another_would_be_found() -> None:
    first: dict[str, list[Any]] = {}

    def stale(asked: ClauseElement, dialect: Dialect) -> tuple[str, list[Any]]:
        text, values = filled(asked, dialect)
        return text, first.setdefault(text, values)

    with pytest.raises(AssertionError):
        as_if_compiled_anew(stale, SQLITE)


def test_nothing_is_kept_of_what_a_statement_says() -> None:
    said = [f"said of somebody {number}" for number in range(4)]
    for each in (
        _moved(said[0], {"state": said[1]}),
        update(matter).where(matter.c.id.in_(said[:2])).values(outcome=said[2]),
        inserted(act_count, {"whose": 1, "day": said[3], "acts": 1}, act_count.c.acts < 2),
    ):
        for _ in range(2):  # what was compiled, and what was found
            assert {*filled(each, SQLITE)[1]} & {*said}
    assert not held(statement._shapes) & {*said}
    assert held(_moved(said[0], {})) & {*said}


def held(kept: object) -> set[str]:
    """All texts that an object leads to, but for what is a module's or a type's."""
    seen, found, left = set[int](), set[str](), [kept]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            found.add(one)
        else:
            left += gc.get_referents(one)
    return found


def test_what_has_no_shape_is_compiled_alone() -> None:
    several = insert(act_count).values([{"whose": 1, "day": "a", "acts": 2}, {"whose": 3, "day": "b", "acts": 4}])
    assert several._generate_cache_key() is None
    assert filled(several, SQLITE) == _anew(several, SQLITE)


def test_one_shape_is_compiled_once() -> None:
    before = {*statement._shapes.keys()}
    for number in range(5):
        filled(_moved(f"m-{number}", {"state": "decided", "told": number}), SQLITE)
    assert len({*statement._shapes.keys()} - before) <= 1
