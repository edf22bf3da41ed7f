"""Quotas by distinct subject, in memory: what counts, the windows' edges, and a naive model that they equal."""

from __future__ import annotations

import contextlib
import datetime
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Subject
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.admit import Admission
from gateway.inquiry.counting.counts import Counted
from gateway.inquiry.counting.tallies import EXACT
from gateway.inquiry.types import Requester
from gateway.rules.model import Frequency, Purpose, Quota, Quotas
from tests.inquiry.counting.counted import counted, restarted

NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
SECOND, HOUR, DAY = (datetime.timedelta(seconds=seconds) for seconds in (1, 3600, 86_400))
MOMENT = datetime.timedelta(microseconds=1)
P1D = Period("P1D", 0, 1)
ORGS = [Subject("organisation", "LEI", f"{number:020d}") for number in range(8)]
WIDE = Quota(1000, 1000)


def purpose(official: Quota = WIDE, requester: Quota = WIDE, name: str = "TENDER") -> Purpose:
    quotas = Quotas(official, requester)
    return Purpose(name, "", (), (), "", ("organisation",), {}, Frequency(1000, P1D), P1D, quotas=quotas)


def requester(official: str | None = "m.ivanova", client: str = "market-regulator") -> Requester:
    return Requester("https://login.example", client, official, frozenset(), 0.0)


class Desk:
    """An admission with everything defaulted."""

    def __init__(self) -> None:
        self.admission = Admission()

    def ask(self, *numbers: int, at: datetime.datetime = NOW, **given: Any) -> bool:
        subjects = [ORGS[number] for number in numbers]
        who = requester(given.get("official", "m.ivanova"), given.get("client", "market-regulator"))
        allowed, case = given.get("purpose", purpose(Quota(2, 3))), given.get("case", "C-1")
        asked = counted(who, allowed, subjects, at, case, given.get("reference"))
        return self.admission.reserve(allowed, asked).counted

    def refused(self, *numbers: int, **given: Any) -> Refusal:
        with pytest.raises(Refusal) as refusal:
            self.ask(*numbers, **given)
        assert (refusal.value.code, refusal.value.status) == (Code.QUOTA_EXCEEDED, 429)
        assert not any(subject.value in refusal.value.message for subject in ORGS)
        return refusal.value


def test_subjects_count_and_questions_do_not() -> None:
    desk = Desk()
    for case in ("C-1", "C-2", "C-3"):
        assert desk.ask(0, case=case)
        assert desk.ask(1, case=case)
    refusal = desk.refused(2)
    assert refusal.extensions == {"quota": "official-hour", "resetsAt": (NOW + HOUR).isoformat()}
    assert desk.ask(1, 0)


def test_a_window_slides_and_a_day_is_a_window_of_its_own() -> None:
    desk = Desk()
    desk.ask(0)
    desk.ask(1, at=NOW + 60 * SECOND)
    assert desk.refused(2, at=NOW + HOUR - MOMENT).extensions["resetsAt"] == (NOW + HOUR).isoformat()
    assert desk.ask(2, at=NOW + HOUR)
    refusal = desk.refused(3, at=NOW + 3 * HOUR)
    assert refusal.extensions == {"quota": "official-day", "resetsAt": (NOW + DAY).isoformat()}
    assert desk.ask(0, at=NOW + 3 * HOUR), "asked about today, so it is no further one"
    assert desk.refused(3, at=NOW + DAY).extensions["resetsAt"] == (NOW + DAY + 60 * SECOND).isoformat()
    assert desk.ask(3, at=NOW + DAY + 60 * SECOND)


def test_an_inquiry_about_many_counts_each_of_them_or_none() -> None:
    desk = Desk()
    desk.refused(0, 1, 2)
    assert desk.ask(0, 1)
    desk.refused(1, 2)
    assert desk.ask(2, at=NOW + HOUR)


@pytest.mark.parametrize("other", [{"official": "p.sorel"}, {"client": "tax"}, {"purpose": purpose(name="LICENCE")}])
def test_officials_requesters_and_purposes_are_counted_apart(other: dict[str, Any]) -> None:
    desk, one = Desk(), purpose(Quota(1, 1))
    desk.ask(0, purpose=one)
    assert desk.ask(1, **{"purpose": one, **other})
    desk.refused(1, purpose=one)


def test_the_officials_of_one_requester_share_its_own_quota() -> None:
    desk, shared = Desk(), purpose(requester=Quota(2, 2))
    desk.ask(0, purpose=shared)
    desk.ask(1, purpose=shared, official="p.sorel")
    for official in ("m.ivanova", "k.third", None):
        assert desk.refused(2, purpose=shared, official=official).extensions["quota"] == "requester-hour"
    assert desk.ask(2, purpose=shared, client="tax")


def test_without_an_official_only_the_requesters_quota_counts() -> None:
    desk = Desk()
    assert all(desk.ask(number, official=None) for number in range(8))


def test_a_purpose_without_quotas_counts_nobody() -> None:
    desk = Desk()
    unlimited = Purpose("OPEN", "", (), (), "", ("organisation",), {}, Frequency(1000, P1D), P1D, quotas=None)
    assert all(desk.ask(number, purpose=unlimited) for number in range(8))
    assert not desk.admission.known._reaches


def test_a_retry_counts_once_and_only_for_the_official_who_asked() -> None:
    desk, one = Desk(), purpose(Quota(1, 1), Quota(2, 2))
    assert desk.ask(0, reference="r-1", purpose=one)
    assert not desk.ask(0, reference="r-1", purpose=one)
    assert desk.ask(0, reference="r-1", purpose=one, official="p.sorel")
    desk.refused(1, reference="r-1", purpose=one, official="p.sorel")


def test_what_was_refused_counts_against_nothing() -> None:
    desk = Desk()
    desk.ask(0)
    for _ in range(3):
        desk.refused(1, 2)
    assert desk.ask(1)


def test_an_inquiry_that_comes_late_ends_no_window_sooner() -> None:
    second, desk = datetime.timedelta(seconds=1), Desk()
    assert desk.ask(0, at=NOW + 2 * second)
    assert desk.ask(0, at=NOW)
    assert desk.ask(1, at=NOW + HOUR + second)
    assert desk.refused(2, at=NOW + HOUR + second).extensions["quota"] == "official-hour"
    assert desk.ask(2, at=NOW + HOUR + 2 * second)


def test_of_very_many_subjects_a_bounded_number_of_times_is_kept() -> None:
    desk, many = Desk(), purpose(Quota(100_000, 100_000), Quota(100_000, 100_000))
    for number in range(20_000):
        subject = [Subject("organisation", "LEI", str(number))]
        desk.admission.reserve(many, counted(requester(), many, subject, NOW + number * 10 * SECOND))
    for reach in desk.admission.known._reaches.values():
        for tally, seconds in ((reach.hour, 3_600), (reach.day, 86_400)):
            assert len(tally.times) <= EXACT + 2
            assert seconds / 10 <= tally.total <= seconds / 10 * (1 + 1 / EXACT) + 2, "rounded up by less than a slot"


def test_counting_in_slots_never_reaches_more_than_the_quota_allows() -> None:
    desk, dice, bound = Desk(), random.Random(7), purpose(Quota(1_025, 1_100), Quota(1_025, 1_100))
    asked: list[tuple[datetime.datetime, int]] = []
    at = NOW
    for number in range(6_000):
        at += dice.choice([0, 1, 30, 45]) * SECOND
        whom = number if dice.random() < 0.8 else dice.randrange(number + 1)
        subject = [Subject("organisation", "LEI", str(whom))]
        with contextlib.suppress(Refusal):
            desk.admission.reserve(bound, counted(requester(), bound, subject, at))
            asked.append((at, whom))
            assert len({each for when, each in asked[-3_000:] if when > at - DAY}) <= 1_100
    assert len({whom for _, whom in asked}) > 1_500


class Naive:
    """Everything that was asked, in a list."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime.datetime, str | None, Subject]] = []

    def reach(self, at: datetime.datetime, within: datetime.timedelta, official: str | None) -> set[Subject]:
        return {s for when, who, s in self.asked if when > at - within and official in (None, who)}

    def ask(self, at: datetime.datetime, quotas: Quotas, official: str | None, subjects: list[Subject]) -> bool:
        for whose, quota in ((official, quotas.official), (None, quotas.requester)):
            if whose is None and quota is quotas.official:
                continue
            for within, most in ((HOUR, quota.hour), (DAY, quota.day)):
                before = self.reach(at, within, whose)
                if not set(subjects) <= before and len(before | set(subjects)) > most:
                    return False
        self.asked += [(at, official, subject) for subject in subjects]
        return True


steps = st.lists(
    st.tuples(
        st.sampled_from([0 * DAY, MOMENT, HOUR / 2, HOUR - MOMENT, HOUR, 5 * HOUR, DAY]),
        st.sampled_from(["m.ivanova", "p.sorel", None]),
        st.lists(st.sampled_from(ORGS[:5]), min_size=1, max_size=3, unique=True),
    ),
    max_size=40,
)
quotas = st.builds(
    lambda a, b, c, d: Quotas(Quota(a, a + b), Quota(a + c, a + b + c + d)),
    *(st.integers(1, 2), st.integers(0, 1), st.integers(0, 2), st.integers(0, 1)),
)
property_settings = settings(max_examples=150, derandomize=True, database=None, deadline=None)


@property_settings
@given(quotas, steps, st.integers(0, 40))
def test_equals_the_naive_model_and_goes_on_after_a_refill(
    allowed: Quotas, asked: list[tuple[Any, ...]], restart: int
) -> None:
    admission, naive, at, ledger = Admission(), Naive(), NOW, []
    bound = purpose(allowed.official, allowed.requester)
    for number, (later, official, subjects) in enumerate(asked):
        at += later
        if number == restart:
            admission = restarted(reversed(ledger), {"TENDER": bound})
        try:
            admitted = admission.reserve(bound, counted(requester(official), bound, subjects, at)).counted
        except Refusal as refusal:
            admitted = datetime.datetime.fromisoformat(refusal.extensions["resetsAt"]) <= at
        assert admitted == naive.ask(at, allowed, official, subjects)
        if admitted:
            named = tuple(subject[1:] for subject in subjects)
            ledger.append(
                Counted("https://login.example", "market-regulator", "TENDER", named, None, None, at, official)
            )
        for whose, quota in (("m.ivanova", allowed.official), ("p.sorel", allowed.official), (None, allowed.requester)):
            assert len(naive.reach(at, HOUR, whose)) <= quota.hour
            assert len(naive.reach(at, DAY, whose)) <= quota.day
