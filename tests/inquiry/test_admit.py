"""Admission: the window's edges, all or none, retries, a restart, bounded memory; and a naive model that it equals."""

from __future__ import annotations

import calendar
import datetime
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.admit import Admission, Reservation
from gateway.inquiry.counting.counts import Counted
from gateway.inquiry.types import Requester
from gateway.rules.model import Frequency, Purpose
from tests.inquiry.counting.counted import counted, restarted

NOW = datetime.datetime(2026, 1, 30, 23, 30, tzinfo=datetime.UTC)
SECOND, HOUR, DAY = (datetime.timedelta(seconds=seconds) for seconds in (1, 3600, 86400))
MOMENT = datetime.timedelta(microseconds=1)
P1D, P1M = Period("P1D", 0, 1), Period("P1M", 1, 0)
ORGS = [Subject("organisation", "LEI", f"{number:020d}") for number in range(3)]


def purpose(maximum: int = 1, per: Period = P1D, name: str = "TENDER") -> Purpose:
    return Purpose(name, "", (), (), "", ("organisation",), {}, Frequency(maximum, per), per, case_required=True)


def requester(client: str = "market-regulator", issuer: str = "https://login.example") -> Requester:
    return Requester(issuer, client, None, frozenset(), 0.0)


class Desk:
    """An admission with everything defaulted, so that a test says only what it is about."""

    def __init__(self, admission: Admission | None = None) -> None:
        self.admission = admission or Admission()

    def ask(self, at: datetime.datetime = NOW, **given: Any) -> Reservation:
        who, allowed = given.get("requester", requester()), given.get("purpose", purpose())
        subjects, case = given.get("subjects", ORGS[:1]), given.get("case", "case-1")
        asked = counted(who, allowed, subjects, at, case, given.get("reference"), request=given.get("request", b""))
        return self.admission.reserve(allowed, asked)

    def admits(self, at: datetime.datetime = NOW, **given: Any) -> bool:
        try:
            self.ask(at, **given)
        except Refusal:
            return False
        return True


def test_over_the_limit_says_which_quota_and_when_it_resets() -> None:
    desk = Desk()
    for hours in (0, 1):
        assert desk.ask(NOW + hours * HOUR, purpose=purpose(2)) == Reservation(counted=True)
    with pytest.raises(Refusal) as refused:
        desk.ask(NOW + 2 * HOUR, purpose=purpose(2))
    assert (refused.value.code, refused.value.status) == (Code.QUOTA_EXCEEDED, 429)
    assert refused.value.extensions == {"quota": "frequency", "resetsAt": "2026-01-31T23:30:00+00:00"}
    assert ORGS[0].value not in refused.value.message
    assert not desk.admits(NOW + DAY - MOMENT, purpose=purpose(2))
    assert desk.admits(NOW + DAY, purpose=purpose(2))
    assert not desk.admits(NOW + DAY, purpose=purpose(2))
    assert desk.admits(NOW + DAY + HOUR, purpose=purpose(2))


def test_what_resets_within_a_minute_is_told_as_the_next_whole_one() -> None:
    desk = Desk()
    desk.ask(NOW + MOMENT)
    with pytest.raises(Refusal) as refused:
        desk.ask(NOW + HOUR)
    resets = datetime.datetime.fromisoformat(refused.value.extensions["resetsAt"])
    assert resets == NOW + DAY + 60 * SECOND
    assert "2026-01-31T23:31:00+00:00" in refused.value.message
    assert desk.admits(resets)


def test_a_month_is_a_calendar_month_and_a_missing_day_its_last() -> None:
    desk, monthly = Desk(), purpose(1, P1M)
    desk.ask(datetime.datetime(2026, 1, 31, 10, tzinfo=datetime.UTC), purpose=monthly)
    ends = datetime.datetime(2026, 2, 28, 10, tzinfo=datetime.UTC)
    assert not desk.admits(ends - MOMENT, purpose=monthly)
    assert desk.admits(ends, purpose=monthly)
    assert not desk.admits(datetime.datetime(2026, 3, 28, 9, 59, tzinfo=datetime.UTC), purpose=monthly)


def test_an_inquiry_counts_against_all_of_its_subjects_or_against_none() -> None:
    desk = Desk()
    desk.ask(subjects=ORGS[1:2])
    assert not desk.admits(subjects=ORGS)
    assert desk.admits(subjects=[ORGS[0], ORGS[2]])
    assert not desk.admits(subjects=ORGS[2:])


def test_a_subject_named_twice_in_one_inquiry_counts_once() -> None:
    desk = Desk()
    desk.ask(subjects=[ORGS[0], ORGS[0]], purpose=purpose(2))
    assert desk.admits(purpose=purpose(2))
    assert not desk.admits(purpose=purpose(2))


@pytest.mark.parametrize(
    "other",
    [
        {"requester": requester("tax-service")},
        {"requester": requester(issuer="https://other.example")},
        {"purpose": purpose(name="LICENCE")},
        {"subjects": ORGS[1:2]},
        {"subjects": [Subject("person", "PIN", ORGS[0].value)]},
        {"case": "case-2"},
        {"case": None},
    ],
)
def test_requesters_purposes_subjects_and_cases_are_counted_apart(other: dict[str, Any]) -> None:
    desk = Desk()
    desk.ask()
    assert desk.admits(**other)
    assert not desk.admits(**other)
    assert not desk.admits()


def test_a_retry_within_ten_minutes_counts_once() -> None:
    desk, two = Desk(), {"subjects": ORGS[:2], "reference": "r-1"}
    assert desk.ask(**two).counted
    assert not desk.ask(NOW + 600 * SECOND - MOMENT, subjects=ORGS[1::-1], reference="r-1").counted
    assert not desk.admits(NOW + 600 * SECOND, **two)


@pytest.mark.parametrize(
    "other",
    [
        {"reference": None},
        {"reference": "r-2"},
        {"subjects": ORGS[:2]},
        {"requester": requester("tax-service")},
        {"purpose": purpose(2, name="LICENCE")},
        {"case": "case-2"},
        {"request": b"another question"},
    ],
)
def test_whatever_differs_is_no_retry(other: dict[str, Any]) -> None:
    desk, first = Desk(), {"reference": "r-1", "purpose": purpose(2)}
    desk.ask(**first)
    assert desk.ask(**{**first, **other}).counted


def test_what_was_refused_is_not_a_first_time_for_a_retry() -> None:
    desk = Desk()
    desk.ask()
    assert not desk.admits(reference="r-1")
    assert not desk.admits(reference="r-1")


def test_a_subject_left_uncounted_by_a_refusal_does_no_harm_later() -> None:
    desk = Desk()
    desk.ask(subjects=ORGS[:1])
    desk.ask(NOW + HOUR, subjects=ORGS[1:2])
    assert not desk.admits(NOW + DAY, subjects=ORGS[:2])
    assert desk.admits(NOW + DAY, subjects=ORGS[2:])
    assert desk.admits(NOW + DAY, subjects=ORGS[:1])


def test_a_new_limit_holds_at_once() -> None:
    desk = Desk()
    for minutes in range(4):
        desk.ask(NOW + minutes * 60 * SECOND, purpose=purpose(4))
    with pytest.raises(Refusal) as refused:
        desk.ask(NOW + HOUR, purpose=purpose(2))
    assert refused.value.extensions["resetsAt"] == (NOW + DAY + 120 * SECOND).isoformat()
    assert desk.admits(NOW + HOUR, purpose=purpose(5))


# Memory


def test_where_very_many_are_allowed_the_memory_of_one_key_is_bounded() -> None:
    admission = Admission()
    desk, many = Desk(admission), purpose(1_000_000)
    for number in range(20_000):
        desk.ask(NOW + number * 10 * SECOND, purpose=many)
    (past,) = admission.known._pasts.values()
    (tally,) = past._tallies.values()
    assert len(tally.times) <= 1026
    assert tally.total == sum(tally.counts)
    assert 8640 <= tally.total <= 8640 + 10, "a day's worth, rounded up by less than a slot"


def test_counting_in_slots_never_admits_more_than_the_purpose_allows() -> None:
    desk, dice, allowed = Desk(), random.Random(7), purpose(1025)
    admitted: list[datetime.datetime] = []
    at = NOW
    for _ in range(12_000):
        at += dice.choice([0, 1, 30, 45]) * SECOND
        if desk.admits(at, purpose=allowed):
            admitted.append(at)
    assert len(admitted) > 2050
    for first, last in zip(admitted, admitted[1025:], strict=False):
        assert last - first >= DAY


# A naive model


def ends(period: Period, at: datetime.datetime) -> datetime.datetime:
    months = at.year * 12 + at.month - 1 + period.months
    year, month = months // 12, months % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return at.replace(year=year, month=month, day=day) + period.days * DAY


class Naive:
    """Every inquiry in a list per key; the oldest leave when their period has passed."""

    def __init__(self) -> None:
        self.asked: dict[tuple[Any, ...], list[datetime.datetime]] = {}
        self.retries: dict[tuple[Any, ...], datetime.datetime] = {}

    def ask(self, at: datetime.datetime, frequency: Frequency, client: str, keys: list[Any], reference: Any) -> str:
        retry = (client, frozenset(keys), reference)
        if reference and retry in self.retries and at < self.retries[retry] + 600 * SECOND:
            return "retry"
        for key in keys:
            times = self.asked.setdefault((client, key), [])
            while times and ends(frequency.per, times[0]) <= at:
                times.pop(0)
        if any(len(self.asked[client, key]) >= frequency.max for key in keys):
            return "refused"
        for key in keys:
            self.asked[client, key].append(at)
        self.retries[retry] = at
        return "counted"


steps = st.lists(
    st.tuples(
        st.sampled_from([0 * DAY, MOMENT, 599 * SECOND, HOUR, DAY - MOMENT, DAY, 27 * DAY, 28 * DAY, 30 * DAY]),
        st.sampled_from(["market", "tax"]),
        st.lists(st.sampled_from(ORGS[:2]), min_size=1, max_size=2, unique=True),
        st.sampled_from([None, None, "r-1"]),
    ),
    max_size=30,
)
frequencies = st.builds(
    Frequency, st.integers(1, 3), st.sampled_from([P1D, P1M, Period("P1M2D", 1, 2), Period("P1Y", 12, 0)])
)
property_settings = settings(max_examples=150, derandomize=True, database=None, deadline=None)


def outcome(admission: Admission, at: datetime.datetime, allowed: Purpose, step: tuple[Any, ...]) -> str:
    _, client, subjects, reference = step
    try:
        reservation = admission.reserve(allowed, counted(requester(client), allowed, subjects, at, reference=reference))
    except Refusal as refusal:
        resets = datetime.datetime.fromisoformat(refusal.extensions["resetsAt"])
        return "refused" if resets > at else "refused until the past"
    return "counted" if reservation.counted else "retry"


def equals_the_naive_model(make: Callable[[], Admission]) -> None:
    @property_settings
    @given(frequencies, steps)
    def check(frequency: Frequency, asked: list[tuple[Any, ...]]) -> None:
        admission, naive, at = make(), Naive(), NOW
        allowed = purpose(frequency.max, frequency.per)
        for step in asked:
            at += step[0]
            assert outcome(admission, at, allowed, step) == naive.ask(at, frequency, *step[1:])

    check()


def test_equals_the_naive_model() -> None:
    equals_the_naive_model(Admission)


def test_a_window_that_forgets_too_soon_breaks_the_property() -> None:
    class Forgetful(Admission):
        def reserve(self, purpose: Purpose, asked: Counted) -> Reservation:
            later = msgspec.structs.replace(asked, time=asked.time + HOUR)
            return super().reserve(purpose, later if self.known._pasts else asked)

    with pytest.raises(AssertionError):
        equals_the_naive_model(Forgetful)


@property_settings
@given(frequencies, steps, steps)
def test_an_admission_refilled_from_the_ledger_goes_on_as_the_one_that_stopped(
    frequency: Frequency, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    allowed = purpose(frequency.max, frequency.per)
    stopped, ledger, at = Admission(), [], NOW
    for step in before:
        at += step[0]
        if outcome(stopped, at, allowed, step) != "refused":
            ledger.append(counted(requester(step[1]), allowed, step[2], at, reference=step[3]))
    ledger.append(Counted("https://login.example", "market", "ABOLISHED", (ORGS[0][1:],), None, None, at))
    refilled = restarted(reversed(ledger), {"TENDER": allowed})
    for step in after:
        at += step[0]
        assert outcome(refilled, at, allowed, step) == outcome(stopped, at, allowed, step)
