"""Each detector at its threshold: nothing just below, a finding that explains itself just at it."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from gateway.rules.files.thresholds import SECTIONS
from gateway.watch.detectors import Watch, detectors
from gateway.watch.model import DENIED, MOST_ENTRIES, OUT_OF_REACH, UNVERIFIED, Actor, Detector, Finding
from gateway.watch.series import FarAboveOwnHistory, OutOfHoursInquiries, SequentialIdentifiers
from gateway.watch.subjects import (
    AfterCaseClosed,
    RetriedUnderAnotherPurpose,
    SameSubjectByManyOfficials,
    SameSubjectUnderChangingPurposes,
    SubjectIsTheOfficial,
)
from tests.watch.looks import IVANOVA, NOON, dates, days, look, minutes, named, shipped, show

SATURDAY = NOON + days(4)


def detector(kind: type[Detector]) -> Detector:
    (found,) = [each for each in detectors(shipped(), dates(), lambda scheme, value: b"") if isinstance(each, kind)]
    return found


def only(found: list[Finding | None]) -> Finding:
    """The finding that the last look, and no other, completed."""
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] is not None
    return found[-1]


def test_every_section_of_the_policies_is_a_detector_in_that_order() -> None:
    assert [each.id for each in detectors(shipped(), dates(), lambda scheme, value: b"")] == list(SECTIONS)


def test_identifiers_in_a_row() -> None:
    asked = [look(1000 + 3 * number, after=minutes(number)) for number in (3, 1, 0, 2, 5, 4, 6, 7)]
    asked = [msgspec.structs.replace(each, at=NOON + minutes(number)) for number, each in enumerate(asked)]
    found = only(show(detector(SequentialIdentifiers), *asked))
    assert found.entries == tuple(each.entry for each in asked)
    assert found.actor == IVANOVA
    assert "asked for 8 identifiers in a row, none further than 3 from the next, in 7 minutes" in found.words
    assert found.id == f"sequential-identifiers-0-{asked[-1].entry}"


@pytest.mark.parametrize(
    "asked",
    [
        [look(1000 + 4 * number, after=minutes(number)) for number in range(12)],
        [look(1000 + number, after=minutes(10 * number)) for number in range(12)],
        [look(1000 + number % 7, after=minutes(number)) for number in range(20)],
        [look(1000 + number, after=minutes(number), actor=named(number % 2)) for number in range(14)],
        [look(f"{number}", after=minutes(number)) for number in range(20)],
    ],
    ids=["too far apart", "too slow", "the same again", "two officials", "no serial numbers"],
)
def test_no_identifiers_in_a_row(asked: list) -> None:  # type: ignore[type-arg]
    assert not any(show(detector(SequentialIdentifiers), *asked))


def test_one_subject_by_many_officials() -> None:
    asked = [look(after=days(number), actor=named(number)) for number in range(7)]
    found = only(show(detector(SameSubjectByManyOfficials), *asked))
    assert "7 officials of 1 requester asked 7 times about the same subject in 6 days" in found.words
    assert found.entries == tuple(each.entry for each in asked)


def test_many_officials_are_not_many_inquiries_nor_over_many_weeks() -> None:
    assert not any(show(detector(SameSubjectByManyOfficials), *(look(actor=named(n % 6)) for n in range(30))))
    asked = [look(after=days(2 * number), actor=named(number)) for number in range(12)]
    assert not any(show(detector(SameSubjectByManyOfficials), *asked))
    batch = Actor(IVANOVA.issuer, "batch", None)
    assert not any(show(detector(SameSubjectByManyOfficials), *(look(actor=batch) for _ in range(30))))


def test_one_subject_under_changing_purposes() -> None:
    asked = [look(after=days(n), purpose=purpose) for n, purpose in enumerate(("A", "A", "B", "A", "B"))]
    found = only(show(detector(SameSubjectUnderChangingPurposes), *asked))
    assert "changed the purpose 3 times (A, B)" in found.words
    assert found.article == "22(3)"
    refused = [look(after=days(n), purpose="AB"[n % 2], outcome=DENIED) for n in range(6)]
    assert not any(show(detector(SameSubjectUnderChangingPurposes), *refused))


@pytest.mark.parametrize(
    "at",
    [
        datetime.datetime(2026, 9, 15, 3, 0, tzinfo=datetime.UTC),
        datetime.datetime(2026, 9, 15, 18, 0, tzinfo=datetime.UTC),
        SATURDAY,
        datetime.datetime(2026, 9, 22, 9, 0, tzinfo=datetime.UTC),
    ],
    ids=["before seven, by the policies' clocks", "after eight", "Saturday", "a holiday"],
)
def test_out_of_hours(at: datetime.datetime) -> None:
    found = only(show(detector(OutOfHoursInquiries), *(look(n, at=at, after=minutes(n)) for n in range(5))))
    assert "asked 5 times within 24 hours outside 07:00 to 20:00 of working days" in found.words


def test_in_hours_and_on_duty() -> None:
    assert not any(show(detector(OutOfHoursInquiries), *(look(n, after=minutes(n)) for n in range(50))))
    wanted = shipped().out_of_hours
    assert wanted is not None
    for who in ("market-regulator", "market-regulator/m.ivanova"):
        duty = OutOfHoursInquiries(msgspec.structs.replace(wanted, on_duty=frozenset({who})), dates())
        assert not any(show(duty, *(look(n, at=SATURDAY) for n in range(50))))


def test_far_above_the_officials_own_history() -> None:
    watched = detector(FarAboveOwnHistory)
    for day, count in enumerate((10, 14, 12, 9, 11)):
        assert not any(show(watched, *(look(f"{day}/{n}", after=days(day)) for n in range(count))))
    assert not any(show(watched, *(look(f"today/{n % 43}", after=days(6)) for n in range(80))))
    found = only(show(watched, look("one more", after=days(6))))
    assert "asked about 44 subjects on 2026-09-21, and about 11 on the median of the last 5 days" in found.words
    assert len(found.entries) == 81


def test_nobody_is_compared_without_a_history_or_with_others() -> None:
    watched = detector(FarAboveOwnHistory)
    assert not any(show(watched, *(look(n) for n in range(500))))
    for day in range(8):
        assert not any(show(watched, *(look(n, after=days(day), actor=named(2)) for n in range(300))))


def test_the_officials_own_identifier() -> None:
    watched = SubjectIsTheOfficial({("market-regulator", "m.ivanova"): frozenset({b"me"})})
    found = only(show(watched, look("another"), look("me", actor=named(1)), look("me")))
    assert found.words.startswith("`m.ivanova` of `market-regulator` asked about the official's own identifier, once")
    (later,) = show(watched, look("me", after=days(2)))
    assert later is not None
    assert later.id != found.id


def test_refused_then_retried_under_another_purpose() -> None:
    watched = detector(RetriedUnderAnotherPurpose)
    asked = []
    for number in range(4):
        asked.append(look(number, after=days(number), purpose="A", outcome=DENIED))
        asked.append(look(number, after=days(number) + minutes(30), purpose="B"))
    found = only(show(watched, *asked))
    assert "4 times in 3 days" in found.words
    assert found.entries == tuple(each.entry for each in asked)


@pytest.mark.parametrize(
    ("second", "wait", "outcome"),
    [("A", 30, DENIED), ("B", 121, DENIED), ("B", 30, OUT_OF_REACH), ("B", 30, "ANSWERED")],
)
def test_the_same_purpose_long_after_or_no_refusal_is_no_retry(second: str, wait: int, outcome: str) -> None:
    watched = detector(RetriedUnderAnotherPurpose)
    for number in range(8):
        first = look(number, after=minutes(300 * number), purpose="A", outcome=outcome)
        assert not any(show(watched, first, look(number, after=minutes(300 * number + wait), purpose=second)))


def test_after_the_case_closed() -> None:
    asked = [look(case="C-1"), *(look(case="C-1", after=days(n), outcome=UNVERIFIED) for n in (1, 2, 3))]
    found = only(show(detector(AfterCaseClosed), *asked))
    assert "asked 3 times in 2 days for case `C-1`" in found.words
    assert found.entries == tuple(each.entry for each in asked[1:])


@pytest.mark.parametrize(
    "asked",
    [
        [look(case="C-1", after=days(n), outcome=UNVERIFIED) for n in range(9)],
        [look(case="C-1"), *(look("other", case="C-1", after=days(n), outcome=UNVERIFIED) for n in range(9))],
        [look(case="C-1"), *(look(case="C-1", after=days(n), outcome=OUT_OF_REACH) for n in range(9))],
        [look(case="C-1", after=days(n), outcome=UNVERIFIED if n % 3 else "ANSWERED") for n in range(12)],
    ],
    ids=["never verified", "another subject", "its registry was out of reach", "it verifies again"],
)
def test_the_case_had_not_closed(asked: list) -> None:  # type: ignore[type-arg]
    assert not any(show(detector(AfterCaseClosed), *asked))


def test_a_registry_that_tells_when_a_case_closed_is_believed() -> None:
    wanted = shipped().after_close
    assert wanted is not None
    watched = AfterCaseClosed(wanted, lambda actor, case: NOON + days(1) if case == "C-1" else None)
    before = [look(case="C-1", after=days(n / 8)) for n in range(8)]
    assert not any(show(watched, *before, *(look(case="C-2", after=days(n)) for n in range(8))))
    assert only(show(watched, *(look(case="C-1", after=days(n)) for n in (2, 3, 4)))).detector == "after-case-closed"


def test_a_pattern_that_goes_on_is_one_finding_and_names_a_bounded_number_of_entries() -> None:
    watch = Watch(detectors(shipped(), dates(), lambda scheme, value: b""))
    found = [each for n in range(300) for each in watch.see(look(n * 100, at=SATURDAY, after=minutes(n)))]
    assert len({each.id for each in found}) == 1
    assert len(found) == 296
    assert len(found[-1].entries) == MOST_ENTRIES


def test_a_detector_that_is_off_is_left_out() -> None:
    wanted = msgspec.structs.replace(shipped(), many_officials=None)
    left = [each.id for each in detectors(wanted, dates(), lambda scheme, value: b"")]
    assert left == [name for name in SECTIONS if name != "many-officials"]
