"""An invented region at work for a month: 200 officials in teams, their days, cases and subjects; from one seed.

What is improper is not here but planted by `tests.watch.month`. What looks like it and is not, is: teams that share a
case, companies of one group registered in a row, mistakes corrected, cases looked up once more after they closed,
campaigns, evenings, Saturdays, a duty desk, nightly batches, and a registry that is out of reach for an hour.
"""

from __future__ import annotations

import datetime
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.base import Subject
from gateway.rules.files.calendar import Calendar

FIRST = datetime.date(2026, 9, 1)
DAYS = [FIRST + datetime.timedelta(days=number) for number in range(30)]
DUTY = "civil-court-duty"
BATCH = "subsidy-batch"
ISSUER = "https://login.example"

PURPOSES = {
    "market-regulator": ("TENDER_QUALIFICATION", "LICENCE_RENEWAL"),
    "environment-agency": ("LICENCE_RENEWAL", "EMISSION_CONTROL"),
    "labour-office": ("SUBSIDY_ASSESSMENT", "WAGE_CONTROL"),
    "tax-service": ("SUBSIDY_ASSESSMENT", "TAX_ENFORCEMENT"),
    "civil-court": ("COURT_ENFORCEMENT", "INSOLVENCY"),
    DUTY: ("COURT_ENFORCEMENT",),
}
SHIFTS = [((7, 15), (15, 30)), ((8, 30), (17, 0)), ((9, 0), (17, 45)), ((11, 0), (19, 30))]


@dataclass
class Asked:
    """One inquiry, before it is an entry. `code` is of its refusal; `patterns` are those planted in it."""

    at: datetime.datetime
    client: str
    official: str | None
    purpose: str
    subject: Subject
    case: str | None = None
    code: str | None = None
    retryable: bool = False
    patterns: set[int] = field(default_factory=set)


@dataclass
class Case:
    name: str
    purpose: str
    subject: Subject
    closes: datetime.date


@dataclass
class Official:
    client: str
    name: str
    team: int
    opens: datetime.time
    closes: datetime.time
    pace: float
    starts: datetime.date
    cases: list[Case] = field(default_factory=list)


class Region:
    """The officials, and their inquiries day by day. `rest` is what nobody planted anything in."""

    def __init__(self, seed: int, calendar: Calendar) -> None:
        self.random = random.Random(seed)
        self.calendar = calendar
        self._numbers = itertools.count(1)
        self.officials = list(self._officials())
        self.teams: dict[int, list[Official]] = {}
        for official in self.officials:
            self.teams.setdefault(official.team, []).append(official)
        self._outage = self.random.choice([day for day in DAYS if calendar.worked(day)])

    def _officials(self) -> Iterator[Official]:
        clients = [client for client in PURPOSES if client != DUTY]
        for number in range(200):
            duty = number >= 192
            opens, closes = self.random.choices(SHIFTS, weights=(2, 6, 4, 1))[0]
            late = self.random.random() < 0.08
            yield Official(
                DUTY if duty else clients[number // 8 % len(clients)],
                f"official-{number:03}",
                number // 8,
                datetime.time(*opens),
                datetime.time(*closes),
                self.random.lognormvariate(2.7, 0.45),
                FIRST + datetime.timedelta(days=self.random.randint(7, 20)) if late else FIRST,
            )

    def subject(self, kind: str = "") -> Subject:
        """Somebody new. Companies that are registered on one day get numbers in a row."""
        if (kind or self.random.choice(["organisation", "person"])) == "organisation":
            return organisation(self.random.randrange(10**7, 10**9))
        return person(self.random.randrange(10**8, 10**9))

    def moment(self, day: datetime.date, opens: datetime.time, closes: datetime.time) -> datetime.datetime:
        """A moment of a day, between two times of it."""
        first = datetime.datetime.combine(day, opens, self.calendar.zone)
        last = datetime.datetime.combine(day, closes, self.calendar.zone)
        return first + (last - first) * self.random.random()

    def rest(self) -> list[Asked]:
        """A month's inquiries."""
        found: list[Asked] = []
        for day in DAYS:
            worked = self.calendar.worked(day)
            campaign = self.random.randrange(25) if self.random.random() < 0.2 else None
            for official in self.officials:
                if day >= official.starts:
                    found += self._day(official, day, worked, official.team == campaign)
            found += self._batch(day)
        found += self._tenders()
        return found

    def _day(self, official: Official, day: datetime.date, worked: bool, campaign: bool) -> Iterator[Asked]:
        opens, closes, pace = official.opens, official.closes, official.pace
        if official.client == DUTY:
            if self.random.random() < 0.45:
                return
            opens, closes, pace = datetime.time(0, 5), datetime.time(23, 50), pace / 2
        elif not worked:
            if day.weekday() != 5 or self.random.random() > 0.02:
                return
            pace = 2.0
        elif self.random.random() < 0.14:
            return
        count = round(self.random.gauss(pace, pace**0.5) * (2.5 if campaign else 1.0))
        if not worked and official.client != DUTY:
            count = min(count, 3)
        moments = sorted(self.moment(day, opens, closes) for _ in range(count))
        if worked and self.random.random() < 0.04:
            evening = datetime.time(20, 0), datetime.time(21, 0)
            moments += sorted(self.moment(day, *evening) for _ in range(self.random.randint(1, 3)))
        for at in moments:
            yield from self._ask(official, at, day)

    def _ask(self, official: Official, at: datetime.datetime, day: datetime.date) -> Iterator[Asked]:
        case = self._case(official, day)
        asked = Asked(at, official.client, official.name, case.purpose, case.subject, case.name)
        if at.date() == self._outage and at.hour == 14:
            asked.code, asked.retryable = "CASE_NOT_VERIFIED", True
        elif day > case.closes:
            asked.code = "CASE_NOT_VERIFIED"
            official.cases.remove(case)
            if self.random.random() < 0.2:  # once more, in case it was a mistake
                again = at + datetime.timedelta(seconds=self.random.randint(10, 90))
                yield Asked(again, official.client, official.name, case.purpose, case.subject, case.name, asked.code)
        elif self.random.random() < 0.003:
            wrong = self.random.choice([name for names in PURPOSES.values() for name in names if name != case.purpose])
            before = at - datetime.timedelta(seconds=self.random.randint(20, 400))
            code = "UNAUTHORIZED_FIELD_OR_TYPE"
            yield Asked(before, official.client, official.name, wrong, case.subject, case.name, code)
        yield asked

    def _case(self, official: Official, day: datetime.date) -> Case:
        """A case to ask for: most often one's own, sometimes a colleague's, or a new one, now and then of a group."""
        chance = self.random.random()
        over = [case for case in official.cases if case.closes < day]
        if over and self.random.random() < 0.04:
            return self.random.choice(over)
        official.cases = [case for case in official.cases if case.closes >= day or self.random.random() < 0.5]
        mine = [case for case in official.cases if case.closes >= day]
        if mine and chance < 0.45:
            return self.random.choice(mine)
        colleague = self.random.choice(self.teams[official.team])
        theirs = [case for case in colleague.cases if case.closes >= day]
        if theirs and chance < 0.55:
            return self.random.choice(theirs)
        purpose = self.random.choices(PURPOSES[official.client], weights=(4, 1)[: len(PURPOSES[official.client])])[0]
        closes = day + datetime.timedelta(days=self.random.randint(2, 20))
        subject = self.subject()
        if official.cases and self.random.random() < 0.02 and official.cases[-1].subject.kind == "organisation":
            subject = organisation(serial(official.cases[-1].subject) + 1)  # another company of the same group
        official.cases.append(Case(f"C-{next(self._numbers)}", purpose, subject, closes))
        return official.cases[-1]

    def _batch(self, day: datetime.date) -> Iterator[Asked]:
        """A system that asks by night, sorted by number, with no official behind it."""
        people = sorted((self.subject("person") for _ in range(60)), key=serial)
        start = datetime.datetime.combine(day, datetime.time(2, 10), self.calendar.zone)
        for number, subject in enumerate(people):
            yield Asked(start + datetime.timedelta(seconds=number), BATCH, None, "SUBSIDY_ASSESSMENT", subject)

    def _tenders(self) -> Iterator[Asked]:
        """Large tenders: a few officials of two authorities ask about each tenderer within days."""
        for _ in range(25):
            subject, day = (
                self.subject("organisation"),
                self.random.choice([d for d in DAYS if self.calendar.worked(d)]),
            )
            for official in self.random.sample(self.officials[:192], self.random.randint(3, 5)):
                at = self.moment(day, datetime.time(9), datetime.time(16))
                purpose = PURPOSES[official.client][0]
                yield Asked(at, official.client, official.name, purpose, subject, f"T-{next(self._numbers)}")


def person(number: int) -> Subject:
    """Somebody with a number of nine digits; the check digit is not looked at here."""
    return Subject("person", "PIN", f"{number:09}0")


def organisation(number: int) -> Subject:
    """A company with a serial number; the check digits are not looked at here."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return Subject("organisation", "LEI", f"529900{text:0>12}00")


def serial(subject: Subject) -> int:
    """The number that a subject was made from."""
    return int(subject.value[:9]) if subject.scheme == "PIN" else int(subject.value[6:18], 36)
