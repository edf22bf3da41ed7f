"""10. A new objection, opt-out, withdrawal, restoration, expiry or revocation never releases more than before.

One question is asked, one or more such changes happen, and it is asked again: what is released then is a part of what
was released before. Time passing is one of the changes: by days, and to the end of what is displayed.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from gateway.inquiry import facts, restrain
from gateway.storage.subjects import facts as stored
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, DAY, SPECS, Scene, Staged, put, scenes
from tests.world import Reply, World

EFFECTIVE = tuple(spec for spec in SPECS if spec.effective != "tomorrow")
"""A record that is not in effect yet is released later: time alone may release it, and that is no change of these."""

CHANGES = (
    "objection",
    "due",
    "overdue",
    "withdrawal",
    "restoration",
    "opt-out",
    "revocation",
    "a day passes",
    "a year passes",
    "the token is narrowed",
)


def change(world: World, made: Staged, what: str, which: int) -> Staged:
    """Make one change, to one of the scene's records where it is about a record."""
    records = [(subject, name, held.id) for (subject, name), holdings in made.records.items() for held in holdings]
    if what in ("objection", "due", "overdue", "withdrawal", "restoration") and records:
        put(world, what, *records[which % len(records)])
    elif what == "opt-out":
        for subject in made.subjects:
            for name in ("tax-awards", "volunteering"):
                stored.set_opt_out(world.store.engine, subject, name, True, world.now)
    elif what == "revocation" and made.consents:
        consent = sorted(made.consents)[which % len(made.consents)]
        subject, _ = made.consents[consent]
        try:
            stored.revoke_consent(world.store.engine, subject, consent, world.now)
        except LookupError:
            return made  # revoked already
    elif what in ("a day passes", "a year passes"):
        world.now += DAY if what == "a day passes" else 366 * DAY
        requester = msgspec.structs.replace(made.ask.requester, expires=world.now.timestamp() + 300)
        return made._replace(ask=made.ask._replace(requester=requester))
    elif what == "the token is narrowed":
        scopes = frozenset(sorted(made.ask.requester.scopes)[: which % 2])
        requester = msgspec.structs.replace(made.ask.requester, scopes=scopes)
        return made._replace(ask=made.ask._replace(requester=requester))
    return made


def released(reply: Reply) -> set[tuple[str, str, str, str]]:
    """(subject, dataset, field, record) of everything that the entry says was disclosed; `-` where no record was."""
    found = set()
    for entry in reply.entries:
        for each in getattr(entry.told, "disclosed", ()):
            for dataset in each.datasets:
                for record in dataset.records or ["-"]:
                    found |= {(each.value, dataset.dataset, field, record) for field in dataset.fields or ["-"]}
    return found


def part_of(less: Any, more: Any, path: str = "data") -> None:
    """Fail where `less` has anything that `more` has not; a list may lack elements, and a record be disputed now."""
    if less is None or path.endswith("disputed"):
        return
    assert more is not None, path
    if isinstance(less, dict):
        for key, value in less.items():
            part_of(value, more[key], f"{path}.{key}")
    elif isinstance(less, list):
        rest = list(more)
        for value in less:
            while rest and not _is_part(value, rest[0], path):
                rest.pop(0)
            assert rest, f"{path} has a record that it had not"
            rest.pop(0)
    else:
        assert less == more, path


def _is_part(less: Any, more: Any, path: str) -> bool:
    try:
        part_of(less, more, path)
    except AssertionError:
        return False
    return True


def check(world: World, scene: Scene, changes: list[tuple[str, int]]) -> None:
    """Ask, change, ask again, change, ask again."""
    made = staged(world, scene)
    before = world.ask(made.ask)
    for what, which in changes:
        made = change(world, made, what, which)
        after = world.ask(made.ask)
        names = {(subject, dataset, "-", "-") for subject, dataset, _, _ in released(before)}
        fields = {(subject, dataset, field, "-") for subject, dataset, field, _ in released(before)}
        more = released(after) - released(before) - names - fields
        assert not more, f"after {what}, more is released: {more}"
        if before.data is not None:  # what was refused before may now be answered, with denials alone
            part_of(after.data, before.data)
        before = after


def changes_of(kinds: Sequence[str]) -> st.SearchStrategy[list[tuple[str, int]]]:
    """One to three changes of these kinds."""
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 50)), min_size=1, max_size=3)


SOME = (scenes(askers=ASKERS, specs=EFFECTIVE), changes_of(CHANGES))
PLAIN = (scenes(specs=EFFECTIVE, plain=True), SOME[1])


def test_no_change_of_these_releases_more(world: World) -> None:
    holds(lambda scene, changes: check(world, _settled(scene), changes), *SOME, examples=40)
    holds(lambda scene, changes: check(world, scene, changes), *PLAIN, examples=40)


def _settled(scene: Scene) -> Scene:
    """The scene after its grant began: the first day of a grant releases more, and is no change of these."""
    return scene._replace(at=max(scene.at, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)))


def _restraint_that(monkeypatch: pytest.MonkeyPatch, eases: Callable[[Any, Any], bool]) -> None:
    real = restrain.restrain

    def faulty(dataset: Any, purpose: Any, subject: Any, records: Any, known: Any, today: Any) -> Any:
        restraints = () if eases(known, today) else restrain.RESTRAINTS
        return real(dataset, purpose, subject, records, known, today, restraints)

    monkeypatch.setattr(restrain, "restrain", faulty)


def _an_objection_lifts_a_restraint(monkeypatch: pytest.MonkeyPatch) -> None:
    _restraint_that(monkeypatch, lambda known, today: bool(known.disputed))


def _an_opt_out_is_taken_for_an_opt_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _restraint_that(monkeypatch, lambda known, today: bool(known.opted_out))


def _what_is_over_is_shown_again_after_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    _restraint_that(monkeypatch, lambda known, today: today.year > 2026)


def _the_later_fact_replaces_the_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    real = facts._folded
    monkeypatch.setattr(facts, "_folded", lambda rows, today: real(list(rows)[-1:], today))


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        pytest.param(_an_objection_lifts_a_restraint, ["withdrawal", "objection"], id="an objection lifts a restraint"),
        pytest.param(_an_opt_out_is_taken_for_an_opt_in, ["opt-out"], id="an opt-out is taken for an opt-in"),
        pytest.param(_what_is_over_is_shown_again_after_a_year, ["a year passes"], id="shown again after a year"),
        pytest.param(
            _the_later_fact_replaces_the_earlier,
            ["objection", "withdrawal", "restoration"],
            id="the later fact replaces the earlier",
        ),
    ],
)
def test_the_property_fails_when_a_fault_is_planted(
    world: World, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], kinds: Sequence[str]
) -> None:
    """The kinds of change by which it shows: among all ten, hundreds of scenes have none that finds it."""
    plant(monkeypatch)
    is_found(lambda scene, changes: check(world, scene, changes), PLAIN[0], changes_of(kinds))
