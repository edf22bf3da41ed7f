"""1. No value leaves without a permit for exactly this requester, purpose, case, subject and field, valid at release.

The permit is worked out by `oracle`, without `decide`; a list's length, `record` and `__typename` count as values.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from gateway.inquiry import answer, decide, fetch
from gateway.inquiry.document import projection
from gateway.inquiry.types import Decision, Permit
from tests.inquiry.executor import plain
from tests.properties import oracle
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, Scene, scenes, whole
from tests.world import World

CONSENTED = [asker for asker in ASKERS if asker[1] == "SUBSIDY_ASSESSMENT"]
MOODS = st.sampled_from(["well", "generous"])


def check(world: World, scene: Scene, mood: str = "well") -> None:
    """What leaves is no more, and where nothing fails no less, than the oracle lets through."""
    made = staged(world, scene)
    for department in world.departments.values():
        department.mood = mood
    reply = world.ask(made.ask)
    allowed = oracle.expected(world, made)
    if "data" in reply.said:
        oracle.never_more(plain(reply.data), allowed.data)
        assert plain(reply.data) == allowed.data
    else:
        assert not oracle.answers(world, made), reply.said
    _no_secret(world, made, allowed, reply.answer.body, [entry.told_bytes for entry in reply.entries])


def _no_secret(world: World, made: Any, allowed: oracle.Expected, body: bytes, told: list[bytes]) -> None:
    """No value that may not leave stands anywhere in the bytes, nor does a withheld record's name."""
    everything = body + b"".join(told)
    fetched = allowed.fetched()
    for (subject, name), records in made.records.items():
        for held in records:
            for field, value in held.fields.items():
                free = field in fetched.get((subject, name), ()) and held in allowed.shown[subject, name]
                if isinstance(value, str) and not (free and b"data" in body):
                    assert value.encode() not in everything, f"{name}.{field}"
            if (subject, name) not in fetched or held not in allowed.shown[subject, name]:
                assert held.id.encode() not in everything, f"{name} of {held.id}"


def test_no_value_leaves_without_a_permit(world: World) -> None:
    holds(lambda scene, mood: check(world, scene, mood), scenes(), MOODS, examples=50)


def _permits_a_denied_field(monkeypatch: pytest.MonkeyPatch) -> None:
    real = answer.decide

    def faulty(*given: Any) -> Decision:
        made = real(*given)
        subjects, permits = {}, []
        for subject, decided in made.subjects.items():
            denials = [at for at, cell in decided.cells.items() if not cell.permitted and decided.permitted[at[0]]]
            denied = denials[0] if denials else None
            if denied is not None:
                leave = {**decided.permitted, denied[0]: decided.permitted[denied[0]] | {denied[1]}}
                wanted = dict(decided.fetch)
                wanted[denied[0]] = tuple(sorted({*wanted.get(denied[0], ()), denied[1]}))
                decided = msgspec.structs.replace(decided, permitted=leave, fetch=tuple(wanted.items()))
            subjects[subject] = decided
            permits += [Permit(subject, name, fields) for name, fields in decided.fetch]
        return Decision(made.grant, _Same(subjects), tuple(permits))

    monkeypatch.setattr(answer, "decide", faulty)


class _Same(dict[Any, Any]):
    """Equal to any other decision, so that the second look at the decision does not hide the fault."""

    def __ne__(self, other: object) -> bool:
        return False


def _permits_by_the_purpose_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide.guards, "scope_covers", lambda scopes, dataset: True)


def _forgets_whose_consent_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    real = decide._coverage

    def faulty(consents: Any, requester: Any, declaration: Any, today: Any) -> Any:
        mine = [msgspec.structs.replace(c, client=requester.client, issuer=requester.issuer) for c in consents]
        return real(mine, requester, declaration, today)

    monkeypatch.setattr(decide, "_coverage", faulty)


def _forgets_the_last_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide.guards, "inactive", lambda grant, today: None)


def _forgets_what_the_token_narrows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "open_to", lambda requester, declaration, subject: None)


def _tells_a_denied_list_s_length(monkeypatch: pytest.MonkeyPatch) -> None:
    real = projection.Projection._dataset

    def faulty(self: Any, item: Any, decision: Any) -> Any:
        part = real(self, item, decision)
        return [] if part is None else part

    monkeypatch.setattr(projection.Projection, "_dataset", faulty)


FAULTS = [
    _permits_a_denied_field,
    _permits_by_the_purpose_alone,
    _forgets_whose_consent_it_is,
    _forgets_the_last_day,
    _forgets_what_the_token_narrows,
    _tells_a_denied_list_s_length,
]


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    decide._memo.clear()
    plant(monkeypatch)
    try:
        askers = CONSENTED if plant is _forgets_whose_consent_it_is else ASKERS
        is_found(lambda scene: check(world, scene), scenes(askers=askers))
    finally:
        decide._memo.clear()


ENDS = {
    "the token expires": lambda world: setattr(world, "now", world.now + datetime.timedelta(seconds=301)),
    "the grant ends": lambda world: setattr(world, "now", world.now + datetime.timedelta(seconds=2)),
}


def check_release(world: World, scene: Scene, end: str) -> None:
    """A permit that ends while departments work releases nothing."""
    at = datetime.datetime(2028, 12, 31, 21, 59, 59, tzinfo=datetime.UTC)
    made = staged(world, scene._replace(at=at))
    for department in world.departments.values():
        department.meanwhile = lambda: ENDS[end](world)
    reply = world.ask(made.ask)
    if reply.asked:
        assert "data" not in reply.said, reply.said
        assert reply.codes[0] in ("UNAUTHENTICATED", "DECISION_UNAVAILABLE")
        assert [entry.told.code for entry in reply.entries] == reply.codes


@pytest.mark.parametrize("end", ENDS)
def test_a_permit_that_ends_while_departments_work_releases_nothing(world: World, end: str) -> None:
    holds(lambda scene: check_release(world, scene, end), scenes(plain=True), examples=15)


def check_still_holds(world: World, scene: Scene) -> None:
    """A midnight, and a decision that is no longer remembered, end no permit that holds on both days."""
    made = staged(world, scene._replace(at=datetime.datetime(2026, 6, 30, 20, 59, 59, tzinfo=datetime.UTC)))

    def meanwhile() -> None:
        world.now = datetime.datetime(2026, 6, 30, 21, 0, 1, tzinfo=datetime.UTC)  # 1 July in Sofia
        decide._memo.clear()

    for department in world.departments.values():
        department.meanwhile = meanwhile
    reply = world.ask(made.ask)
    assert "data" in reply.said, reply.said
    oracle.never_more(plain(reply.data), oracle.expected(world, made).data)


def test_a_permit_that_still_holds_is_released(world: World) -> None:
    askers = [asker for asker in ASKERS if asker[2] == "organisation"]  # a consent may end at this midnight
    holds(lambda scene: check_still_holds(world, scene), scenes(askers=askers, plain=True), examples=12)


def test_the_release_property_fails_when_the_second_look_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Decision] = []
    real = answer.decide

    def faulty(*given: Any) -> Decision:
        first.append(real(*given))
        return first[-1] if len(first) % 2 else first[-2]

    monkeypatch.setattr(answer, "decide", faulty)
    is_found(lambda scene: check_release(world, scene, "the grant ends"), scenes(plain=True))


def test_scenes_have_much_to_leak(world: World) -> None:
    """The property would hold of nothing: most plain scenes release records, of every purpose."""
    released = dict.fromkeys([purpose for _, purpose, _ in ASKERS], 0)

    def count(scene: Scene) -> None:
        reply = world.ask(staged(world, scene).ask)
        for entry in reply.entries:
            for each in getattr(entry.told, "disclosed", ()):
                released[scene.purpose] += sum(len(dataset.records) for dataset in each.datasets)

    for asker in ASKERS:
        holds(count, scenes(askers=[asker], plain=True), examples=5)
    assert min(released.values()) > 0, released


def test_an_unregistered_field_list_is_what_departments_may_hand_over(world: World) -> None:
    """A department that hands over everything it has makes no difference to the answer."""
    scene = Scene("market-regulator", "LICENCE_RENEWAL", "organisation", whole("organisation", "LICENCE_RENEWAL"))
    check(world, scene, "generous")
    assert fetch.Fetcher is type(world.journey.fetcher)
