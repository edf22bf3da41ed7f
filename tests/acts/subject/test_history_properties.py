"""Every history of looks reads as a plain model of it, and a planted fault is found."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import strategies as st

from gateway.ledger.projections import extract, visible
from tests.acts.looking import Looking, ids
from tests.acts.subject.pages import held, shown
from tests.properties.checking import holds, is_found
from tests.world import opened

SECOND = datetime.timedelta(seconds=1)


class Step(NamedTuple):
    """A look, after so many seconds: at which subjects, whether it is secret, and whether all is projected then."""

    after: int
    subjects: tuple[int, ...]
    secret: bool
    projected: bool


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 1, 40_000, 90_000, 200_000]),
        st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def follows(made: list[Step]) -> None:
    """What a subject is shown is what the looks were, each from its second on, at every moment and by any page."""
    with opened() as world:
        _follows(Looking(world), made)


def _follows(looking: Looking, made: list[Step]) -> None:
    world = looking.world
    subjects = [held(world) for _ in range(3)]
    model: list[tuple[datetime.datetime, int, str, tuple[int, ...]]] = []
    moments = {world.now}
    for number, step in enumerate(made):
        world.now += step.after * SECOND
        reply = looking.looked(*(subjects[each] for each in step.subjects), secret=step.secret)
        ends = reply.entries[-1].oversight.secret_until
        assert (ends is not None) is step.secret
        model.append((ends or world.now, number, reply.inquiry["id"], step.subjects))
        moments |= {ends, ends - SECOND / 10**6} if ends else {world.now}
        if step.projected:
            looking.project()
    latest = world.now
    for moment in sorted(each for each in moments if each >= latest):
        world.now = moment
        for number, subject in enumerate(subjects):
            expected = [id_ for at, _, id_, named in sorted(model) if at <= moment and number in named]
            for first in (1, 3, 50):
                found, after = list[str](), None
                while True:
                    page = shown(looking, subject, first, after)
                    found += ids(page["items"])
                    assert page["next"] is None or len(page["items"]) == first
                    if (after := page["next"]) is None:
                        break
                assert found == expected
            assert page["completeUntil"] == moment


def test_every_history_reads_as_the_model() -> None:
    holds(follows, steps, examples=15)


def _never_secret(told: Any, oversight: Any, at: int) -> int | None:
    real: int | None = _visible(told, oversight, at)
    return real if real == extract.NEVER else None


def _behind_its_time(_after: Any, several: Any, _now: int) -> visible.Cursor:
    return visible.Cursor(several[-1]._replace(entry=several[-1].entry + 1000))


_visible = extract.visible

FAULTS: dict[str, tuple[Any, str, Any]] = {
    "secrecy is forgotten": (extract, "visible", _never_secret),
    "a cursor passes over what has the same time": (visible, "_following", _behind_its_time),
    "the tail is left out": (visible, "named_in_tail", lambda *_: []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    where, name, other = FAULTS[fault]
    with mock.patch.object(where, name, other):
        is_found(follows, steps, examples=60)
