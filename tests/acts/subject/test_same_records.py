"""What a subject is shown of itself and what an authority is answered come from the same records.

Under every restraint: what an authority is given stands in `me` with the same values and the same version, and nothing
keeps it from others; what it is not given stands there too, and says by which restraints. Faults are found.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from gateway.acts.subject import held
from gateway.catalogue.model import Dataset
from gateway.inquiry import restrain
from tests.acts.looking import Looking
from tests.inquiry.documents import META
from tests.properties.checking import holds, is_found
from tests.properties.scenes import CATALOGUE, SPECS, Scene, datasets_of, scenes, stage, whole
from tests.world import NOON, Held, opened, rule_set

AUTHORITIES = (
    ("market-regulator", "TENDER_QUALIFICATION", "organisation"),
    ("market-regulator", "LICENCE_RENEWAL", "organisation"),
    ("environment-agency", "LICENCE_RENEWAL", "organisation"),
    ("labour-office", "SUBSIDY_ASSESSMENT", "person"),
    ("tax-service", "SUBSIDY_ASSESSMENT", "person"),
    ("civil-court", "COURT_ENFORCEMENT", "organisation"),
    ("civil-court", "COURT_ENFORCEMENT", "person"),
    ("open-record", "OPEN_RECORD", "organisation"),
)
MIDNIGHT = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
"""In the policies' time zone."""
MOMENTS = (NOON, MIDNIGHT, MIDNIGHT - datetime.timedelta(microseconds=1))
ASKED = f"""{{ me {{ datasets {{ dataset {{ id }} available records {{
  record {{ {" ".join(META)} }} values {{ field value }} withheldFromOthers }} }} }} }}"""
SCENES = st.tuples(scenes(askers=AUTHORITIES, specs=SPECS, plain=True), st.sampled_from(MOMENTS))


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    with opened() as world:
        yield Looking(world)


def restraints(dataset: Dataset, one: Held, marks: frozenset[str], opted: bool, today: datetime.date) -> set[str]:
    """By which restraints others are not shown a record, said without the gateway."""
    found = set[str]()
    if dataset.display is not None:
        longest = dataset.display.max
        last = longest.after(one.effective) if longest and one.effective else datetime.date.max
        if one.effective is None or not one.effective <= today <= last:
            found.add("display-ended")
    if dataset.nature == "adverse" and not one.document:
        found.add("no-source-document")
    if dataset.nature == "favourable" and opted:
        found.add("opted-out")
    named = {"withdrawal": "withdrawn", "restoration": "restored", "overdue": "objection-overdue"}
    return found | {named[each] for each in marks if each in named}


def as_text(value: Any) -> str | None:
    """A value of an answer, as a person reads it."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def check(looking: Looking, scene: Scene, at: datetime.datetime) -> None:
    """Ask as an authority, and as the subject."""
    world = looking.world
    scene = scene._replace(document=whole(scene.kind, scene.purpose, scene.purpose), at=at)
    staged = stage(world, scene)
    subject, today = staged.subjects[0], world.today()
    looking.counting_anew()
    reply = world.ask(staged.ask)
    assert reply.inquiry, reply.said
    own = looking.ask(subject, ASKED)
    assert own.errors == []
    mine = {each["dataset"]["id"]: each for each in own.data["me"]["datasets"]}
    given, open_ = _given(reply.data[scene.kind], scene), _open(reply.denials, scene)
    assert set(mine) == {each.id for each in datasets_of(scene.kind)}
    for name, told in mine.items():
        dataset, known = CATALOGUE.datasets[name], staged.records.get((subject, name), [])
        assert told["available"]
        assert [each["record"]["id"] for each in told["records"]] == [one.id for one in known]
        for one, each in zip(known, told["records"], strict=True):
            marks = staged.marks[subject, name, one.id]
            why = restraints(dataset, one, marks, name in scene.opted_out, today)
            assert set(each["withheldFromOthers"]) == {held.FROM_OTHERS[one] for one in why}, (name, one)
            disputed = bool(marks & {"objection", "due", "overdue"})
            assert (each["record"]["disputed"], each["record"]["mitigation"]) == (disputed, one.mitigation)
            if name in open_:
                assert (one.id in given[name]) == (not why), (name, one)
        for id_, (meta, values) in given.get(name, {}).items():
            (each,) = [each for each in told["records"] if each["record"]["id"] == id_]
            assert meta is None or meta == each["record"]
            shown = {value["field"]: value["value"] for value in each["values"]}
            assert {field: as_text(value) for field, value in values.items()}.items() <= shown.items()
    (entered,) = reply.entries
    for withheld in entered.oversight.withheld:
        name, _, id_ = withheld.record.partition("@")[0].partition("/")
        (each,) = [each for each in mine[name]["records"] if each["record"]["id"] == id_]
        assert held.FROM_OTHERS[withheld.restraint] in each["withheldFromOthers"]


Given = Mapping[str, Mapping[str, tuple[Mapping[str, Any] | None, Mapping[str, Any]]]]


def _given(data: Mapping[str, Any], scene: Scene) -> Given:
    """What an authority was given: of each dataset, what each record says of itself, and its values."""
    found: dict[str, dict[str, Any]] = {}
    for dataset in datasets_of(scene.kind):
        if dataset.shape == "subject":
            values = {name: data[name] for name in dataset.fields if data.get(name) is not None}
            held_there = scene.held[0].get(dataset.id)
            found[dataset.id] = {_only(dataset, data): (None, values)} if values and held_there else {}
        else:
            found[dataset.id] = {}
            for each in data.get(dataset.graphql_name) or []:
                values = {name: value for name, value in each.items() if name != "record" and value is not None}
                found[dataset.id][each["record"]["id"]] = (each["record"], values)
    return found


def _only(dataset: Dataset, data: Mapping[str, Any]) -> str:
    """The id of a dataset's one record, whose fields stand on the subject itself."""
    return f"{dataset.id}-{data['value'][-6:]}-0"


def _open(denials: list[dict[str, Any]], scene: Scene) -> set[str]:
    """The datasets all of whose fields an authority may see, so that it is given what nothing withholds."""
    purpose = rule_set().policies.purposes[scene.purpose]
    denied = {error["path"][1] for error in denials}
    covered = [each for each in datasets_of(scene.kind) if each.id in purpose.fields]
    return {each.id for each in covered if denied.isdisjoint({each.graphql_name, *purpose.fields[each.id].names})}


def test_both_come_from_the_same_records(looking: Looking) -> None:
    holds(lambda drawn: check(looking, *drawn), SCENES, examples=30)


def _telling(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, Any], Any]) -> None:
    """Have what a subject is told of itself changed: `change(dataset, what it would be told)`."""
    right = restrain.tell_oneself

    def told(dataset: Dataset, *given: Any, **more: Any) -> Any:
        return change(dataset, right(dataset, *given, **more))

    monkeypatch.setattr(restrain, "tell_oneself", told)


def _withdrawn_records_are_hidden_from_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    def hide(_: Dataset, told: Any) -> Any:
        released = told[0]
        kept = [at for at, names in enumerate(released.from_others) if "withdrawn" not in names]
        for each in ("records", "display_until", "disputed", "from_others"):
            setattr(released, each, [getattr(released, each)[at] for at in kept])
        return told

    _telling(monkeypatch, hide)


def _only_the_first_restraint_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(_: Dataset, told: Any) -> Any:
        told[0].from_others = [names[:1] for names in told[0].from_others]
        return told

    _telling(monkeypatch, first)


def _a_dispute_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def undisputed(_: Dataset, told: Any) -> Any:
        told[0].disputed = [False] * len(told[0].disputed)
        return told

    _telling(monkeypatch, undisputed)


def _numbers_are_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    right = held.as_text
    monkeypatch.setattr(held, "as_text", lambda value: right(value)[:-1] + "0" if type(value) is int else right(value))


def _the_version_is_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    right = held._records

    def records(*given: Any) -> Any:
        found = right(*given)
        for each in found:
            each["record"]["version"] = "0"
        return found

    monkeypatch.setattr(held, "_records", records)


def _others_are_given(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        kept = tuple(each for each in restrain.RESTRAINTS if each.name != name)
        monkeypatch.setattr(restrain.restrain, "__defaults__", (kept,))

    plant.__name__ = f"others_are_given_{name}"
    return plant


PLANTS = (
    _withdrawn_records_are_hidden_from_oneself, _only_the_first_restraint_is_told, _a_dispute_is_not_told,
    _numbers_are_rounded, _the_version_is_of_before, *(_others_are_given(each) for each in held.FROM_OTHERS),
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_is_found(
    looking: Looking, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    is_found(lambda drawn: check(looking, *drawn), SCENES)
