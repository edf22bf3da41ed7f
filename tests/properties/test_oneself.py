"""A subject's `me` and the answer to an authority come from the same records, under every restraint (Art. 42).

What an authority was given, the subject is shown as shown to others; what was held back from it, the subject is shown
with the reason; and the subject is shown all that its departments hold, with nothing added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from gateway.acts.subject import held
from gateway.inquiry import restrain
from gateway.ledger.entry import entries
from tests.acts.looking import Looking
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import ASKERS, Scene, scenes
from tests.world import opened

AUTHORITIES = tuple(each for each in ASKERS if each[0] not in ("citizen-portal", "open-record"))
NAMES = {words: name for name, words in held.FROM_OTHERS.items()}


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    with opened() as world:
        yield Looking(world)


def same(looking: Looking, scene: Scene) -> None:
    """Ask as the authority, then as each subject."""
    world = looking.world
    made = staged(world, scene)
    looking.counting_anew()
    reply = world.ask(made.ask)
    told = next((each for each in reply.entries if isinstance(each.told, entries.Inquiry)), None)
    flagged = world.policies.purposes[scene.purpose].overdue_objection == "flag"
    for subject in made.subjects:
        mine = looking.held(subject)
        for name, dataset in mine.items():
            there = made.records.get((subject, name), [])
            assert dataset["available"] is not any(each.faulty for each in there)
            if dataset["available"]:
                assert [(each["record"]["id"], each["record"]["version"]) for each in dataset["records"]] == [
                    (each.id, each.version) for each in there
                ]
                values = [{one["field"]: one["value"] for one in each["values"]} for each in dataset["records"]]
                assert values == [
                    {field: held.as_text(value) for field, value in each.fields.items()} for each in there
                ]
        if told is not None and isinstance(told.told, entries.Inquiry):
            _as_told(told.told, told.oversight, subject, mine, flagged=flagged)


def _as_told(
    told: entries.Inquiry, oversight: entries.Oversight, subject: Any, mine: dict[str, Any], *, flagged: bool
) -> None:
    places = [(each.scheme, each.value) for each in told.disclosed]
    if subject[1:] not in places:
        return
    at = places.index(subject[1:])
    withheld = {each.record: each.restraint for each in oversight.withheld if each.subject == at}
    for given in told.disclosed[at].datasets:
        own = mine[given.dataset]
        if given.failure is not None:
            assert not own["available"]
            continue
        if not own["available"]:
            continue  # a faulty record that is withheld from others
        reasons: dict[str, list[str]] = {}
        for each in own["records"]:
            names = [NAMES[words] for words in each["withheldFromOthers"]]
            if flagged:
                names = [name for name in names if name != "objection-overdue"]
            reasons[f"{given.dataset}/{each['record']['id']}@{each['record']['version']}"] = names
        assert [record for record, names in reasons.items() if not names] == given.records
        held_back = {record: restraint for record, restraint in withheld.items() if record in reasons}
        assert {record: names[0] for record, names in reasons.items() if names} == held_back


def test_it_comes_from_the_same_records(looking: Looking) -> None:
    holds(lambda scene: same(looking, scene), scenes(askers=AUTHORITIES, plain=True), examples=30)


def _without(held_back: Callable[[tuple[str, ...]], bool]) -> Any:
    """As the step, but some records are left out, by what keeps them from others."""

    def tell(*arguments: Any) -> Any:
        released, withheld, cautions = _tell(*arguments)
        if not isinstance(released, restrain.Released):
            return released, withheld, cautions
        kept = [at for at, names in enumerate(released.from_others) if not held_back(names)]
        of = (released.records, released.display_until, released.disputed, released.from_others)
        return restrain.Released(*([each[at] for at in kept] for each in of)), withheld, cautions

    return tell


def _by_its_own_purpose(dataset: Any, purpose: Any, *others: Any) -> Any:
    with mock.patch.object(restrain.msgspec.structs, "replace", lambda struct, **_: struct):
        return _tell(dataset, purpose, *others)


_tell = restrain.tell_oneself
FAULTS: dict[str, Any] = {
    "what others are not shown is withheld from the subject too": _without(bool),
    "a withdrawn record is left out": _without(lambda names: "withdrawn" in names),
    "an overdue objection is judged by the subject's own purpose": _by_its_own_purpose,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(looking: Looking, fault: str) -> None:
    with mock.patch.object(restrain, "tell_oneself", FAULTS[fault]):
        is_found(lambda scene: same(looking, scene), scenes(askers=AUTHORITIES, plain=True), examples=120)
