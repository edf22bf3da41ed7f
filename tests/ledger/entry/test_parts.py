"""Entries taken apart: nothing is lost, and nothing of a subject stands anywhere but in its own part."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger.entry import entries, parts
from gateway.ledger.entry.parts import OF_SUBJECT, EntryParts
from gateway.ledger.proof.leaf import Part, Side
from tests.ledger import values
from tests.ledger.values import KINDS, at, leaves

SALT = bytes(32)
NAMING = [kind for kind in KINDS if OF_SUBJECT[kind]]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_naming = pytest.mark.parametrize("kind", NAMING, ids=lambda kind: kind.__name__)


def sides(made: EntryParts, erased: frozenset[int] = frozenset()) -> tuple[Side, Side]:
    """Both sides as they are read; of the subjects at `erased` the digests are left."""
    told: list[Part | bytes] = [Part(SALT, each.told) for each in made.subjects]
    oversight: list[Part | bytes] = [Part(SALT, each.oversight) for each in made.subjects]
    for place in erased:
        told[place] = oversight[place] = bytes(32)
    return Side(Part(SALT, made.told), tuple(told)), Side(Part(SALT, made.oversight), tuple(oversight))


def subjects_of(told: Any) -> int:
    if isinstance(told, entries.Inquiry):
        return len(told.disclosed)
    return len(told.subjects) if isinstance(told, entries.Refused) else 0


def test_every_kind_has_a_row() -> None:
    assert set(OF_SUBJECT) == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in NAMING if not issubclass(kind, entries.Operation)])
def test_a_row_names_members_that_can_be_left_out(kind: type[Any]) -> None:
    for member in OF_SUBJECT[kind]:
        head, _, rest = member.partition(".")
        (field,) = [each for each in msgspec.structs.fields(kind) if each.name == head]
        if not rest:
            assert not field.required, f"an erased {member} needs a default"
    if "value" in OF_SUBJECT[kind]:
        assert kind.__struct_config__.omit_defaults


@every_kind
@settings(max_examples=25)
@given(data=st.data())
def test_what_was_taken_apart_is_put_together_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind))
    oversight = data.draw(values.oversight(subjects_of(told)))
    made = parts.split(told, oversight)
    assert len(made.subjects) <= max(subjects_of(told), 1)
    of_told, of_oversight = sides(made)
    assert parts.read_told(of_told) == told
    assert parts.read_oversight(of_oversight) == oversight
    assert parts.split(parts.read_told(of_told), parts.read_oversight(of_oversight)) == made


@every_naming
@settings(max_examples=25)
@given(data=st.data())
def test_nothing_of_a_subject_is_in_another_part(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind, named=True))
    oversight = data.draw(values.oversight(subjects_of(told)))
    made = parts.split(told, oversight)
    assert made.subjects
    general = made.told + made.oversight
    of_subjects = [leaf for member in OF_SUBJECT[kind] for leaf in leaves(at(told, member))]
    of_subjects += leaves([oversight.withheld, oversight.denied, oversight.consents, oversight.decided])
    assert of_subjects
    assert [leaf for leaf in of_subjects if leaf in general] == []
    everything = general + b"".join(each.told + each.oversight for each in made.subjects)
    assert [leaf for leaf in leaves([told, oversight]) if leaf not in everything] == []
    for one in made.subjects:
        for other in made.subjects:
            if one is not other:
                assert one.value.partition(">")[0].encode() + b">" not in other.told + other.oversight


@every_naming
@settings(max_examples=25)
@given(data=st.data())
def test_an_erased_subject_leaves_an_entry_that_reads(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind, named=True))
    made = parts.split(told, data.draw(values.oversight(subjects_of(told))))
    of_told, of_oversight = sides(made, frozenset(range(len(made.subjects))))
    left, seen = parts.read_told(of_told), parts.read_oversight(of_oversight)
    assert type(left) is kind
    assert (left.id, left.at, left.requester) == (told.id, told.at, told.requester)
    assert (seen.withheld, seen.denied, seen.consents, seen.decided) == ([], [], (), [])
    of_subjects = {leaf for member in OF_SUBJECT[kind] for leaf in leaves(at(told, member))}
    assert not of_subjects & set(leaves(left))


@every_naming
@settings(max_examples=25)
@given(data=st.data())
def test_members_that_a_later_version_adds_are_passed_over(kind: type[Any], data: st.DataObject) -> None:
    made = parts.split(data.draw(values.told(kind, named=True)))
    later = made._replace(
        told=made.told[:-1] + b',"later":[1]}',
        subjects=tuple(each._replace(told=each.told[:-1] + b',"later":{}}') for each in made.subjects),
    )
    assert parts.read_told(sides(later)[0]) == parts.read_told(sides(made)[0])


# What an inquiry says of several subjects


HOLD = entries.Hold(
    entries.VERSION, "h", values.AT, entries.Who("", "x"), "placed", "H-1", "A. Auditor", "court", "LEI", "ONE"
)


def notice(record: str, dataset: str = "d") -> entries.Notice:
    return entries.Notice(dataset, record, True, None)


def inquiry(*subjects: tuple[str, list[str]], cautions: list[entries.Notice]) -> entries.Inquiry:
    return entries.Inquiry(
        entries.VERSION,
        "i",
        values.AT,
        entries.Who("issuer", "client"),
        None,
        entries.Declared("P"),
        "rules",
        [],
        [entries.Disclosed("organisation", "LEI", value, [entries.Dataset("d", (), held)]) for value, held in subjects],
        cautions=cautions,
    )


@pytest.mark.parametrize(
    ("cautions", "of_one", "of_other"),
    [
        (["a", "c"], ["a"], ["c"]),
        (["c"], [], ["c"]),
        (["b", "both", "both"], ["b", "both"], ["both"]),
        (["a@1"], ["a@1"], []),
    ],
)
def test_a_caution_goes_with_the_subject_of_its_record(
    cautions: list[str], of_one: list[str], of_other: list[str]
) -> None:
    one, other = ["d/a@1", "d/b@1", "d/a@1@2", "d/both@1"], ["d/c@1", "d/both@1"]
    made = parts.split(inquiry(("ONE", one), ("OTHER", other), cautions=[notice(each) for each in cautions]))
    assert [
        [caution["record"] for caution in msgspec.json.decode(each.told).get("cautions", [])] for each in made.subjects
    ] == [of_one, of_other]
    told = parts.read_told(sides(made)[0])
    assert isinstance(told, entries.Inquiry)
    assert [caution.record for caution in told.cautions] == cautions
    left = parts.read_told(sides(made, frozenset([0]))[0])
    assert isinstance(left, entries.Inquiry)
    assert left.disclosed == [entries.ERASED, told.disclosed[1]]
    assert [caution.record for caution in left.cautions] == of_other


@pytest.mark.parametrize("body", [b"", b"[]", b'{"scheme":1}', b"\xff"])
@pytest.mark.parametrize("told", [inquiry(("ONE", []), cautions=[]), HOLD], ids=["inquiry", "hold"])
def test_a_part_that_does_not_read_is_one_sentence(told: entries.Told, body: bytes) -> None:
    made = parts.split(told)
    broken = made._replace(subjects=tuple(each._replace(told=body) for each in made.subjects))
    with pytest.raises(ValueError, match="its part about a subject is of a form that this version does not know"):
        parts.read_told(sides(broken)[0])


def test_a_consent_goes_with_its_subject_and_never_without_one() -> None:
    told = inquiry(("ONE", []), ("OTHER", []), cautions=[])
    seen = entries.Oversight(entries.VERSION, consents=("c-1", "c-2", "c-3"), consents_of=(1, 0, 1))
    made = parts.split(told, seen)
    assert [each.oversight for each in made.subjects] == [b'{"consents":["c-2"]}', b'{"consents":["c-1","c-3"]}']
    with pytest.raises(ValueError, match="whose consent"):
        parts.split(told, entries.Oversight(entries.VERSION, consents=("c-1",)))
