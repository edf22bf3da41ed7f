"""Values that were used last: the others leave, and no more are kept than asked for."""

from __future__ import annotations

from cachetools import LRUCache
from hypothesis import given
from hypothesis import strategies as st

from gateway.bounds.recent import Recent


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 9))))
def test_it_keeps_what_the_library_would_keep(most: int, steps: list[tuple[bool, int, int]]) -> None:
    recent, model = Recent[int, int](most), LRUCache[int, int](most)
    for keeps, name, value in steps:
        if keeps:
            model[name] = recent.keep(name, value)
        else:
            assert recent.get(name) == model.get(name)
        assert len(recent) == len(model)
