"""An answered inquiry is read quickly or whole, and gives the same; all else is read whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries, parts
from gateway.ledger.entry.parts import OF_SUBJECT, EntryParts, SubjectParts
from gateway.ledger.projections import seen as reading
from gateway.ledger.projections.quick import Quick, Seen
from gateway.ledger.stored import read
from gateway.ledger.stored.encryption import OVERSIGHT, TOLD, seal, seal_subject
from gateway.storage.tables import SHARD_BITS
from tests.ledger import values
from tests.ledger.values import KINDS

SALT, NONCE, SECRET = bytes(32), bytes(12), bytes(range(32))
ID, SHARD = (3 << SHARD_BITS) + 7, 3
CIPHER = AESGCM(SECRET)


def row_of(made: EntryParts) -> tuple[Any, ...]:
    """As the store has it; the key of the subject at each place has its number."""
    laid = [
        seal_subject((place, CIPHER), NONCE, (SALT, each.told), (SALT, each.oversight), ID, place)[2]
        for place, each in enumerate(made.subjects)
    ]
    sealed = [
        seal(CIPHER, NONCE, (SALT, part), which, ID) for part, which in ((made.told, TOLD), (made.oversight, OVERSIGHT))
    ]
    return (ID, 5, bytes(32), 1, *sealed, b"".join(laid), "2026-11-28", SECRET, SHARD)


def both(row: tuple[Any, ...], erased: frozenset[int] = frozenset()) -> tuple[Seen | None, Seen | None]:
    """What is taken from an entry read quickly, and whole; None where that is nothing, and where it does not open."""
    (laid,) = read.laid_in([row])
    keys = {each.key: (CIPHER, (SHARD, "LEI", "x")) for each in laid or () if each.key not in erased}
    quick = Quick(keys, {})
    found = quick.seen(row, laid)
    assert quick.seen(row, laid) == found, "a second time it knows what was disclosed"
    try:
        return found, reading.whole(read.entry_of(row, laid, keys, {}))
    except VerificationFailed:
        return found, None


@st.composite
def inquiries(draw: st.DrawFn) -> entries.Inquiry:
    """Answered inquiries; of some everybody was told, and some name a subject twice."""
    told: entries.Inquiry = draw(values.told(entries.Inquiry))
    if draw(st.booleans()):
        told = msgspec.structs.replace(told, disclosed=[*told.disclosed, *told.disclosed[:1]])
    if draw(st.booleans()):
        told = msgspec.structs.replace(told, declaration=msgspec.structs.replace(told.declaration, recall=None))
    if draw(st.integers(0, 3)) == 0:
        told = msgspec.structs.replace(told, requester=msgspec.structs.replace(told.requester, issuer="public"))
    return told


@settings(max_examples=200)
@given(told=inquiries(), data=st.data())
def test_what_is_read_quickly_is_what_the_whole_entry_gives(told: entries.Inquiry, data: st.DataObject) -> None:
    made = parts.split(told, data.draw(values.oversight(len(told.disclosed))))
    quickly, whole = both(row_of(made))
    assert whole is not None
    assert quickly == (whole if told.disclosed else None)
    places = range(len(told.disclosed))
    if erased := frozenset(data.draw(st.sets(st.sampled_from(places)))) if places else frozenset():
        assert both(row_of(made), erased)[0] is None


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind is not entries.Inquiry], ids=lambda kind: kind.__name__
)
@settings(max_examples=10)
@given(data=st.data())
def test_every_other_kind_is_read_whole(kind: type[Any], data: st.DataObject) -> None:
    told = data.draw(values.told(kind, named=bool(OF_SUBJECT[kind])))
    row = row_of(parts.split(told, data.draw(values.oversight(0))))
    (laid,) = read.laid_in([row])
    keys = {each.key: (CIPHER, (SHARD, "LEI", "x")) for each in laid or ()}
    assert Quick(keys, {}).seen(row, laid) is None
    assert read.entry_of(row, laid, keys, {}).erased == ()


def edited(made: EntryParts, before: bytes, after: bytes) -> EntryParts:
    (subject,) = made.subjects
    return EntryParts(
        made.told.replace(before, after),
        made.oversight.replace(before, after),
        (SubjectParts("LEI", "x", subject.told.replace(before, after), subject.oversight),),
    )


MADE = parts.split(
    entries.Inquiry(
        *(entries.VERSION, "i-1", values.AT, entries.Who("https://login.example", "c"), None),
        *(entries.Declared("P", reference="R-7", request=b"12"), "5ec0de", []),
        [
            entries.Disclosed(
                "organisation", "LEI", "x", [entries.Dataset("d", ("a", "b"), ["d/1@1", "d/2@2"], None, [21_000, None])]
            )
        ],
    )
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"fields":["a","b"]', b'"fields":5'),
        (b'"fields":["a","b"]', b'"fields":["a",5]'),
        (b'"records":["d/1@1"', b'"records":[1'),
        (b"21000", b'"soon"'),
        (b'"datasets":[{', b'"datasets":[5,{'),
        (b'"v":2', b'"v":3'),
        (b'"purpose":"P"', b'"purpose":5'),
        (b'"client":"c"', b'"client":null'),
        (b'"request":"', b'"request":"*'),
        (b'"value":"x"', b'"value":5'),
    ],
)
def test_what_is_of_no_form_that_is_known_is_left_to_who_reads_it_whole(before: bytes, after: bytes) -> None:
    changed = edited(MADE, before, after)
    assert changed != MADE
    assert both(row_of(changed)) == (None, None)
    quickly, whole = both(row_of(MADE))
    assert quickly == whole is not None


def test_members_that_a_later_version_adds_are_passed_over() -> None:
    later = edited(edited(MADE, b'"dataset":"d"', b'"dataset":"d","later":[1]'), b'"scheme"', b'"later":{},"scheme"')
    assert both(row_of(later)) == both(row_of(MADE))


@pytest.mark.parametrize(
    "column", [3, 4, 5, 6, 7, 8], ids=["another day", "told", "oversight", "subject", "day", "key"]
)
def test_a_row_that_was_altered_is_read_by_neither(column: int) -> None:
    altered = {3: 1, 4: bytes(90), 5: bytes(90), 6: row_of(MADE)[6][:-1] + b"*", 7: "2026-11-28", 8: bytes(32)}
    row = row_of(MADE)
    row = (*row[:column], altered[column], *row[column + 1 :])
    assert both(row) == ((None, None) if column in (4, 5, 6, 8) else both(row_of(MADE)))


def test_a_key_of_another_shard_and_one_that_is_gone_are_not_read_quickly() -> None:
    row = row_of(MADE)
    assert both((*row[:9], SHARD + 1)) == (None, None)
    quickly, whole = both((*row[:7], None, None, None))
    assert (quickly, whole is not None and whole.by) == (None, None)
