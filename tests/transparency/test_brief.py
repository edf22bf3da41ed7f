"""What is counted of an inquiry without reading all of it: the same as of the whole entry."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.entry import entries, parts
from gateway.ledger.proof.leaf import Part, Side
from gateway.transparency import brief
from tests.ledger import values

SALT = bytes(32)


def sides(made: parts.EntryParts, erased: set[int]) -> tuple[Side, Side]:
    told, oversight = (
        tuple(bytes(32) if at in erased else Part(SALT, body) for at, body in enumerate(bodies))
        for bodies in ([each.told for each in made.subjects], [each.oversight for each in made.subjects])
    )
    return Side(Part(SALT, made.told), told), Side(Part(SALT, made.oversight), oversight)


@given(data=st.data(), kind=st.sampled_from((entries.Inquiry, entries.Refused, *values.KINDS)))
def test_it_says_the_same_as_the_whole_entry_and_nothing_of_other_kinds(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind))
    subjects = getattr(told, "disclosed", None) or getattr(told, "subjects", None) or ()
    oversight = data.draw(values.oversight(len(subjects) if issubclass(kind, entries.Operation) else 0))
    made = parts.split(told, oversight)
    erased = data.draw(st.sets(st.integers(0, max(0, len(made.subjects) - 1)))) if made.subjects else set()
    of_told, of_oversight = sides(made, erased)
    whole = parts.read_told(of_told)
    wanted = brief.of(whole, parts.read_oversight(of_oversight)) if isinstance(whole, entries.Operation) else None
    assert brief.read(made.told, made.oversight, of_oversight.bodies or ()) == wanted


def test_what_is_no_entry_of_this_version_is_left_to_whoever_reads_it_whole() -> None:
    refused = entries.Refused(entries.VERSION, "1", values.AT, entries.Who("o", "c"), "digest", "CODE", "said")
    made = parts.split(refused, entries.NOTHING)
    assert brief.read(made.told, made.oversight, ()) is not None
    for changed in (made.told.replace(b'"v":2', b'"v":1'), made.told.replace(b'"v":2', b'"v":3'), b"{}", b"no JSON"):
        assert changed != made.told
        assert brief.read(changed, made.oversight, ()) is None
    assert brief.read(made.told, b'{"v":1}', ()) is None
    assert brief.read(made.told, made.oversight, [b"no JSON"]) is None
