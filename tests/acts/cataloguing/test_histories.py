"""Every history of a dataset's supplements, by stewards of two departments, equals a plain model of it, on both stores.

What each act comes to, how far each supplement is, and what a rule set may publish: all are told by the model, which
knows neither rows nor entries. The ledger verifies after each history. Faults that are planted are found.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import itertools
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.acts.cataloguing import steps as taken
from gateway.acts.cataloguing import supplements
from gateway.errors import Refusal
from gateway.ledger.acting.digests import same_human
from gateway.ledger.verify.store import verify_store
from gateway.rules.deadlines import deadline
from gateway.storage.rules import cataloguing as rows
from tests.acts.cataloguing.bureau import LONG, Bureau, bureau_on, definition, text
from tests.ledger.support import AT, VERIFIERS
from tests.storage.conftest import Place

STEWARDS = ("t.weber", "t.nowak", "m.petrov")
FIELD = "      {name}: {{type: String, title: Number of {name}}}\n"
VARIANTS = ("", FIELD.format(name="floor"), FIELD.format(name="room"))
OK = "OK"
_numbers = itertools.count(1)


class Step(NamedTuple):
    what: str
    by: str = STEWARDS[0]
    variant: int = 0
    days: int = 0


STEPS = st.builds(
    Step,
    what=st.sampled_from(["approve"] * 5 + ["consult", "publish", "wait"] * 3 + ["retire"]),
    by=st.sampled_from(STEWARDS[:2] * 4 + STEWARDS[2:]),
    variant=st.sampled_from((0, 0, 0, 1, 2)),
    days=st.sampled_from((1, 10, 40, 60)),
)


@dataclasses.dataclass
class Way:
    """A supplement in the model."""

    variant: int
    last: datetime.date
    state: str = "consultation"
    asked_by: str = ""


class Model:
    """What is to come of a step, said without a store."""

    def __init__(self, bureau: Bureau) -> None:
        self.calendar, self.now = bureau.desk.office.calendar, AT
        self.ways: list[Way] = []

    def does(self, step: Step) -> str:
        if step.what == "wait":
            self.now += datetime.timedelta(days=step.days)
            return OK
        if step.by == STEWARDS[2]:
            return "MATTER_NOT_FOUND"
        done: str = getattr(self, step.what)(step)
        return done

    def pending(self) -> list[Way]:
        return [each for each in self.ways if each.state in ("consultation", "awaits-confirmation", "approved")]

    def consult(self, step: Step) -> str:
        alive = [each for each in self.ways if each.state == "published"] + self.pending()
        if any(each.variant == step.variant for each in alive):
            return "STATE"
        for each in self.pending():
            each.state = "withdrawn"
        self.ways.append(Way(step.variant, deadline(self.calendar, self.now, LONG).due))
        return OK

    def meant(self, step: Step) -> Way | str:
        if not self.ways:
            return "MATTER_NOT_FOUND"
        own = [each for each in self.ways if each.variant == step.variant]
        return own[-1] if own else "STATE"

    def approve(self, step: Step) -> str:
        way = self.meant(step)
        if isinstance(way, str):
            return way
        if way.state == "consultation":
            if self.now.astimezone(self.calendar.zone).date() <= way.last:
                return "STATE"
            way.state, way.asked_by = "awaits-confirmation", step.by
            return OK
        if way.state != "awaits-confirmation":
            return "STATE"
        if way.asked_by == step.by:
            return "SECOND_PERSON"
        way.state = "approved"
        return OK

    def publish(self, step: Step) -> str:
        way = self.meant(step)
        if isinstance(way, str):
            return way
        if way.state != "approved":
            return "STATE"
        way.state = "published"
        return OK

    def retire(self, step: Step) -> str:
        if not self.ways:
            return "MATTER_NOT_FOUND"
        published = [each for each in self.ways if each.state == "published"]
        if not published and not self.pending():
            return "STATE"
        for each in self.pending():
            each.state = "withdrawn"
        for each in published:
            each.state = "retired"
        return OK

    def may_publish(self, variant: int) -> bool:
        """Each variant but the first has a field that no other has: it is within itself alone; the first within all."""
        there = {each.variant for each in self.ways if each.state == "published"}
        return variant in there or (variant == 0 and bool(there))


async def does(bureau: Bureau, step: Step, dataset: str) -> str:
    if step.what == "wait":
        bureau.later(step.days)
        return OK
    department = "market" if step.by == STEWARDS[2] else "tax"
    given: dict[str, Any] = {"dataset": dataset, "department": department}
    try:
        if step.what == "retire":
            await bureau.retire(step.by, **given)
        elif step.what == "consult":
            await bureau.consult(step.by, text(VARIANTS[step.variant], dataset=dataset), **given)
        else:
            await bureau.move(step.what, step.by, text(VARIANTS[step.variant], dataset=dataset), **given)
    except Refusal as refusal:
        return str(refusal.extensions.get("reason", refusal.code))
    return OK


def seen(bureau: Bureau, dataset: str) -> tuple[list[str], list[bool]]:
    """The states of a dataset's supplements, and which variants a rule set may publish."""
    with bureau.desk.store.engine.connect() as connection:
        states = [each.state for each in rows.supplements(rows.steps(connection, dataset))]
        published = taken.published(connection).get(dataset, ())
    several = [definition(bureau.desk, text(each, dataset=dataset), dataset) for each in VARIANTS]
    return states, [any(not supplements.definitions.beyond(new, old) for old in published) for new in several]


async def holds(bureau: Bureau, steps: list[Step]) -> None:
    bureau.desk.now, dataset = max(AT, bureau.desk.now), f"offices-{next(_numbers)}"
    model = Model(bureau)
    model.now = bureau.desk.now
    for step in steps:
        assert await does(bureau, step, dataset) == model.does(step), step
        expected = [each.state for each in model.ways], [model.may_publish(each) for each in range(len(VARIANTS))]
        assert seen(bureau, dataset) == expected, step


def run(place: Place, examples: int, database: Any = None) -> None:
    """Try so many histories, one after the other, on a store; then all of it verifies."""
    loop = asyncio.new_event_loop()
    try:
        stack = contextlib.AsyncExitStack()
        bureau = loop.run_until_complete(stack.enter_async_context(bureau_on(place.open())))

        @settings(
            max_examples=examples, deadline=None, database=database,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )  # fmt: skip
        @given(st.lists(STEPS, min_size=3, max_size=14))
        def tried(steps: list[Step]) -> None:
            loop.run_until_complete(holds(bureau, steps))

        try:
            tried()
            assert verify_store(bureau.desk.store, VERIFIERS)
        finally:
            loop.run_until_complete(stack.aclose())
    finally:
        loop.close()


def test_every_history_is_as_the_model_says(place: Place) -> None:
    run(place, 12 if place.kind == "sqlite" else 5)


WAY = [
    Step("consult"), Step("approve"), Step("wait", days=60), Step("approve", variant=1), Step("approve"),
    Step("approve"),
    Step("approve", STEWARDS[1]), Step("publish"), Step("consult", variant=1), Step("wait", days=60),
    Step("approve", variant=1), Step("approve", STEWARDS[1], 1), Step("publish", variant=1), Step("retire"),
    Step("publish"), Step("consult", variant=2), Step("consult"), Step("approve", variant=2),
]  # fmt: skip


async def test_a_long_way_is_as_the_model_says(bureau: Bureau) -> None:
    await holds(bureau, WAY)


@pytest.mark.parametrize("fault", ["one person is enough", "no term", "any definition", "retired is published"])
async def test_a_planted_fault_is_found(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    if fault == "one person is enough":
        monkeypatch.setattr(supplements, "same_human", lambda one, other: not same_human(one, other))
    elif fault == "no term":
        monkeypatch.setattr(supplements, "overdue", lambda calendar, last, now: True)
    elif fault == "any definition":
        own = supplements._own
        monkeypatch.setattr(supplements, "_moved", lambda seen, actor, dataset, _: own(seen, actor, dataset)[-1])
    else:
        honest = rows.supplements
        monkeypatch.setattr(
            rows, "supplements",
            lambda steps: [
                each._replace(state="published") if each.state == "retired" else each for each in honest(steps)
            ],
        )  # fmt: skip
    async with bureau_on(Place(f"sqlite:///{tmp_path}/store.db").open()) as bureau:
        with pytest.raises(AssertionError):
            await holds(bureau, WAY)
