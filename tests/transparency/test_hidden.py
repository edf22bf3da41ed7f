"""No figure that is hidden can be worked out from what is shown."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import strategies as st

from gateway.transparency import hidden
from gateway.transparency.hidden import LEAST, Shown, shown
from tests.properties.checking import holds, is_found

_figures = st.integers(0, 9) | st.integers(10, 14) | st.sampled_from([0, 1, 9, 10])
_cells = st.dictionaries(st.sampled_from("abcdef"), _figures, min_size=1, max_size=4)


def possible(cells: Mapping[str, int], told: Shown[str], *, zeros_known: bool) -> dict[str, set[int]]:
    """What each hidden figure could be, to one who knows how figures are hidden; tried out one by one."""
    names = [name for name in cells if name not in told.cells]
    most = min(told.cells.values(), default=sum(cells.values()))
    if told.total is None:
        most = max(most, max(cells.values()) + 1)
    spans = []
    for name in names:
        if cells[name] >= LEAST:
            spans.append(range(LEAST, most + 1))
        elif zeros_known and cells[name] == 0:
            spans.append(range(1))
        else:
            spans.append(range(int(zeros_known), LEAST))
    found: dict[str, set[int]] = {name: set() for name in names}
    for guess in itertools.product(*spans):
        if told.total is None or sum(guess) + sum(told.cells.values()) == told.total:
            for name, value in zip(names, guess, strict=True):
                found[name].add(value)
    return found


def check(cells: Mapping[str, int]) -> None:
    told = shown(cells)
    assert all(cells[name] == value >= LEAST for name, value in told.cells.items())
    assert told.total in (None, sum(cells.values()))
    for name, values in possible(cells, told, zeros_known=False).items():
        assert len(values) > 1 or cells[name] >= LEAST, (name, told)
    for name, values in possible(cells, told, zeros_known=True).items():
        assert len(values) > 1 or cells[name] == 0 or cells[name] >= LEAST, (name, told)


def test_no_hidden_figure_is_known() -> None:
    holds(check, _cells, examples=150)


def test_the_property_finds_a_total_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden, "_safe", lambda *_: True)
    is_found(check, _cells, examples=400)


@pytest.mark.parametrize(
    ("cells", "told", "total"),
    [
        ({"a": 40, "b": 12}, {"a": 40, "b": 12}, 52),
        ({"a": 40, "b": 9}, {"a": 40}, None),  # with a total, `b` would be known, or `a` be hidden for it
        ({"a": 40, "b": 0, "c": 20}, {"a": 40}, 60),  # the next smallest goes too
        ({"a": 3, "b": 0}, {}, None),
        ({"a": 40, "b": 10, "c": 0}, {"a": 40, "b": 10}, None),  # `b` and `c` would be known by their sum
    ],
)
def test_what_is_shown(cells: dict[str, int], told: dict[str, int], total: int | None) -> None:
    assert shown(cells) == Shown(told, total)
