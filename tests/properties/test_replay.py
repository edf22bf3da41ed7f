"""What an entry keeps of a decision is all that it rested on: the same rule set makes the same of it again.

And oversight alone sees it: no receipt opens any of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from gateway.errors import Code, Refusal
from gateway.inquiry import disclose
from gateway.inquiry.replay import replayed
from gateway.inquiry.types import Wanted
from gateway.ledger.entry import entries
from gateway.ledger.entry.inquiry_parts import OversightOf, ToldOf
from gateway.ledger.proof.leaf import Part, open_extra
from gateway.ledger.proof.tlog_proof import parse
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import CATALOGUE, Scene, Staged, scenes
from tests.world import World

OPENED = {name for each in (entries.Inquiry, entries.Refused, ToldOf) for name in each.__struct_fields__} | {"kind"}
CLOSED = set(OversightOf.__struct_fields__) | set(entries.Oversight.__struct_fields__)
EPOCH = datetime.date(1970, 1, 1)


def check(world: World, scene: Scene) -> None:
    """Every decision made again is the one that was made; every end of display is the one that was told."""
    made = staged(world, scene)
    reply = world.ask(made.ask)
    for entry in reply.entries:
        told, oversight = entry.told, entry.oversight
        assert isinstance(told, entries.Operation)
        again = {each.place: each.decision for each in replayed(told, oversight, world.rules)}
        denied = {each.subject: each.fields for each in oversight.denied}
        if isinstance(told, entries.Inquiry):
            assert set(again) == set(range(len(told.disclosed))), "each decision is kept"
            for place, subject in enumerate(told.disclosed):
                fetched = {each.dataset: each.fields for each in subject.datasets}
                assert dict(again[place].fetch) == fetched
                _check_until(made, subject)
        for place, decision in again.items():
            said = [
                (dataset, field, cell.reason.value if cell.reason else None, cell.rule)
                for dataset, field in decision.denied
                for cell in [decision.cells[dataset, field]]
            ]
            was = [(each.dataset, each.field, each.reason, each.rule) for each in denied.get(place, [])]
            assert sorted(said, key=str) == sorted(was, key=str)
    if receipt := reply.inquiry.get("receipt"):
        opening = open_extra(parse(receipt).extra)
        for part in (opening.told.general, *(opening.told.subjects or ())):
            assert isinstance(part, Part)
            assert set(msgspec.json.decode(part.body)) <= OPENED - (CLOSED - {"v"})


def _check_until(made: Staged, subject: entries.Disclosed) -> None:
    for one in subject.datasets:
        display = CATALOGUE.datasets[one.dataset].display
        held = {
            f"{one.dataset}/{each.id}@{each.version}": each
            for (who, dataset), several in made.records.items()
            if (who.value, dataset) == (subject.value, one.dataset)
            for each in several
        }
        expected = []
        if display is not None and display.max is not None:
            for record in one.records:
                effective = held[record].effective
                assert effective is not None
                expected.append((display.max.after(effective) - EPOCH).days)
        assert one.until == expected


def test_the_same_rules_decide_the_same_again(world: World) -> None:
    holds(lambda scene: check(world, scene), scenes(), examples=45)


def check_refused(world: World, scene: Scene) -> int:
    """A refusal after the decision keeps what the answer to the same would; gives how many of them there were."""
    made = staged(world, scene)
    refusals = world.ask(made.ask, fetcher=_Failing()).entries
    if not refusals:  # all that it names is left out, so that it is about nobody
        return 0
    [refusal, *_] = refusals
    if isinstance(refusal.told, entries.Refused) and refusal.oversight.decided:
        [answer] = world.ask(made.ask).entries
        assert isinstance(answer.told, entries.Inquiry)
        one, other = ([*replayed(each.told, each.oversight, world.rules)] for each in (refusal, answer))
        assert [each.basis.selected for each in one] == [each.basis.selected for each in other]
        assert [sorted(each.decision.fetch) for each in one] == [sorted(each.decision.fetch) for each in other]
        return 1
    return 0


def test_refusals_that_came_after_the_decision_keep_it_too(world: World) -> None:
    """As a quota does: nothing was told, so that all that was selected is kept by itself."""
    seen = []
    holds(lambda scene: seen.append(check_refused(world, scene)), scenes(plain=True), examples=15)
    assert sum(seen) > 2


BARE = """query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $id) { businessLicences { record { id } } wageArrears { period record { id } } } }"""


def test_what_was_selected_is_told_from_what_was_denied_with_it(world: World) -> None:
    """Of a dataset whose records were selected and that is wholly denied, every field is denied."""
    scene = Scene("environment-agency", "LICENCE_RENEWAL", "organisation", BARE)
    [entry] = world.ask(staged(world, scene).ask).entries
    assert isinstance(entry.told, entries.Inquiry)
    [each] = replayed(entry.told, entry.oversight, world.rules)
    assert each.basis.selected == {
        "business-licences": Wanted(frozenset(), True),
        "wage-arrears": Wanted(frozenset(["period"]), True),
    }
    assert {"period", "amount"} < {denied.field for denied in entry.oversight.denied[0].fields}


class _Failing:
    forwards: Mapping[str, Any] = {}

    async def fetch(self, permits: Any, deadline: float, about: Any) -> Any:
        raise Refusal(Code.QUOTA_EXCEEDED, "enough")


def _without(**members: Any) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        real = disclose._decided_on

        def faulty(*arguments: Any, **named: Any) -> Any:
            found = real(*arguments, **named)
            changed = {name: value(found) if callable(value) else value for name, value in members.items()}
            return None if found is None else msgspec.structs.replace(found, **changed)

        monkeypatch.setattr(disclose, "_decided_on", faulty)

    return plant


FAULTS = {
    "case": _without(flags=lambda found: found.flags & ~4),
    "official": _without(flags=lambda found: found.flags ^ 8),
    "bare": _without(bare=0),
    "selected": _without(selected={}),
    "unscoped": _without(unscoped=()),
    "narrowed": _without(narrowed=()),
    "consented": _without(consented={}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_kept_is_found(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    FAULTS[name](monkeypatch)
    found_by = check_refused if name == "selected" else check
    is_found(lambda scene: found_by(world, scene), scenes())


def test_an_end_of_display_that_is_not_kept_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclose, "_days", lambda until: [])
    is_found(lambda scene: check(world, scene), scenes())
