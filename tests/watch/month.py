"""`python -m tests.watch.month [SEED]`: a month of 50,000 inquiries by 200 officials, with patterns planted for each
detector; prints, as one line of JSON, per detector what was planted, found and found falsely.

Every inquiry becomes an entry as the ledger has it, and is read back by the projection; the thresholds are the shipped
ones, beside who is on duty and whose identifiers are whose. A finding is false where nothing planted is in it. The bar
is at most one such for every 1,000 days of an official.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.base import Subject
from gateway.errors import Problem
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.log.ledger import Ledger
from gateway.rules.files import calendar, thresholds
from gateway.watch.detectors import Watch, detectors
from gateway.watch.model import Finding
from gateway.watch.project import Names, Projection
from tests.watch.region import DAYS, DUTY, ISSUER, PURPOSES, Asked, Official, Region, organisation, person

POLICIES = Path(__file__).parents[2] / "policies"
INQUIRIES = 50_000
DENIED, UNVERIFIED = "UNAUTHORIZED_FIELD_OR_TYPE", "CASE_NOT_VERIFIED"


@dataclass
class Month:
    """All inquiries in order; which detector each pattern was planted for; who goes by which identifier."""

    asked: list[Asked]
    patterns: list[str]
    own: dict[tuple[str, str], frozenset[tuple[str, str]]]
    official_days: int


class Planter:
    """Plants patterns, each with officials of its own."""

    def __init__(self, region: Region) -> None:
        self.region, self.random = region, region.random
        self.asked: list[Asked] = []
        self.patterns: list[str] = []
        self.own: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        free = [each for each in region.officials if each.client != DUTY and each.starts == DAYS[0]]
        self.random.shuffle(free)
        self._free = free

    def official(self, fits: Callable[[Official], bool] = lambda each: True) -> Official:
        chosen = next(each for each in self._free if fits(each))
        self._free.remove(chosen)
        return chosen

    def day(self, first: int = 0, last: int = 30) -> datetime.date:
        return self.random.choice([day for day in DAYS[first:last] if self.region.calendar.worked(day)])

    def plant(self, detector: str, asked: list[Asked]) -> None:
        for each in asked:
            each.patterns.add(len(self.patterns))
        self.patterns.append(detector)
        self.asked += asked

    def ask(self, who: Official, at: datetime.datetime, subject: Subject, purpose: str = "", **more: str) -> Asked:
        return Asked(at, who.client, who.name, purpose or PURPOSES[who.client][0], subject, **more)  # type: ignore[arg-type]

    def all(self) -> None:
        for _ in range(6):
            self.sequence()
            self.out_of_hours()
            self.after_close()
        for _ in range(5):
            self.many_officials()
            self.changing_purposes()
            self.far_above()
            self.own_identifier()
            self.retried()

    def sequence(self) -> None:
        """A dozen numbers, with a hole here and there, within three quarters of an hour."""
        who, number = self.official(), self.random.randrange(10**8, 9 * 10**8)
        make = self.random.choice([person, organisation])
        at = self.region.moment(self.day(), datetime.time(9), datetime.time(15))
        found = []
        for _ in range(12):
            at += datetime.timedelta(seconds=self.random.randint(60, 200))
            number += self.random.choice([1, 1, 1, 2])
            found.append(self.ask(who, at, make(number)))
        self.random.shuffle(found)
        self.plant("sequential-identifiers", found)

    def many_officials(self) -> None:
        """A name in the news: ten officials of several authorities, over four days."""
        subject, first = self.region.subject("person"), self.random.randrange(20)
        self.plant(
            "many-officials",
            [
                self.ask(
                    self.random.choice(self.region.officials[number::10]),
                    self.region.moment(self.day(first, first + 4 + (first > 16)), datetime.time(8), datetime.time(17)),
                    subject,
                )
                for number in range(10)
            ],
        )

    def changing_purposes(self) -> None:
        who, subject = self.official(), self.region.subject()
        first, second = PURPOSES[who.client]
        at = self.region.moment(self.day(0, 24), datetime.time(9), datetime.time(15))
        self.plant(
            "changing-purposes",
            [
                self.ask(who, at + datetime.timedelta(days=number), subject, purpose)
                for number, purpose in enumerate((first, second, first, second, first))
            ],
        )

    def out_of_hours(self) -> None:
        """A night, or a day off."""
        who = self.official()
        if self.random.random() < 0.5:
            day = self.random.choice([day for day in DAYS if not self.region.calendar.worked(day)])
            opens, closes = datetime.time(10), datetime.time(18)
        else:
            day, opens, closes = self.day(), datetime.time(21), datetime.time(23, 59)
        count = self.random.randint(6, 9)
        asked = [self.ask(who, self.region.moment(day, opens, closes), self.region.subject()) for _ in range(count)]
        self.plant("out-of-hours", asked)

    def far_above(self) -> None:
        who = self.official(lambda each: 9 <= each.pace <= 16)
        day = self.day(16, 29)
        count = round(who.pace * 6)
        opens, closes = datetime.time(8), datetime.time(18)
        asked = [self.ask(who, self.region.moment(day, opens, closes), self.region.subject()) for _ in range(count)]
        self.plant("far-above-own-history", asked)

    def own_identifier(self) -> None:
        who, subject = self.official(), self.region.subject("person")
        self.own[who.client, who.name] = frozenset({(subject.scheme, subject.value)})
        at = self.region.moment(self.day(), datetime.time(9), datetime.time(15))
        self.plant("own-identifier", [self.ask(who, at, subject)])

    def retried(self) -> None:
        """Five subjects in five days, each refused for one purpose and asked about for another soon after."""
        who, first = self.official(), self.day(0, 22)
        purpose, other = PURPOSES[who.client]
        found = []
        for number in range(5):
            subject = self.region.subject()
            at = self.region.moment(first + datetime.timedelta(days=number), datetime.time(9), datetime.time(15))
            found.append(self.ask(who, at, subject, other, code=DENIED))
            found.append(self.ask(who, at + datetime.timedelta(minutes=self.random.randint(2, 60)), subject, purpose))
        self.plant("retried-under-another-purpose", found)

    def after_close(self) -> None:
        """A case that was verified, closed, and is asked for again and again."""
        who, subject, number = self.official(), self.region.subject(), self.random.randrange(10**6)
        case = f"P-{number}"
        at = self.region.moment(self.day(0, 10), datetime.time(9), datetime.time(15))
        found = [self.ask(who, at, subject, case=case)]
        for step in range(4):
            later = at + datetime.timedelta(days=6 + step, minutes=self.random.randint(0, 100))
            found.append(self.ask(who, later, subject, case=case, code=UNVERIFIED))
        self.plant("after-case-closed", found)


def month(seed: int) -> Month:
    """The month that a seed gives; 50,000 inquiries exactly."""
    problems: list[Problem] = []
    region = Region(seed, calendar.load(POLICIES, problems))
    planter = Planter(region)
    planter.all()
    rest = region.rest()
    room = INQUIRIES - len(planter.asked)
    if problems or len(rest) < room:
        raise AssertionError(f"the region asks {len(rest)} times, {room} are needed; {problems}")
    kept = region.random.sample(rest, room)
    days = {(asked.official, asked.at.date()) for asked in kept if asked.official}
    asked = sorted([*planter.asked, *kept], key=lambda each: each.at)
    return Month(asked, planter.patterns, planter.own, len(days))


def entered(asked: Asked, number: int) -> tuple[entries.Told, entries.Oversight]:
    """The two sides of the entry that the gateway makes of an inquiry."""
    who = entries.Who(ISSUER, asked.client)
    declared = entries.Declared(asked.purpose, asked.case)
    at, subject = asked.at.astimezone(datetime.UTC), asked.subject
    told: entries.Told
    if asked.code is None or asked.code == DENIED:
        datasets = (
            [] if asked.code else [entries.Dataset("organisation-register", ("name",), ["organisation-register/1@1"])]
        )
        disclosed = [entries.Disclosed(subject.kind, subject.scheme, subject.value, datasets)]
        data = entries.Data(bytes(32), bytes(32))
        errors = (asked.code,) if asked.code else ()
        told = entries.Inquiry(1, f"{number}", at, who, None, declared, "", [], disclosed, data, errors=errors)
    else:
        named = [entries.Named(*subject)]
        code, retry = asked.code, asked.retryable
        told = entries.Refused(1, f"{number}", at, who, "", code, "", None, declared, named, retry)
    return told, entries.Oversight(1, asked.official)


async def append(ledger: Ledger, asked: Asked, number: int) -> None:
    """Enter an inquiry."""
    told, oversight, subjects = split(*entered(asked, number))
    await ledger.append(told, oversight, asked.at, (ISSUER, asked.client), subjects=subjects)


def found(made: Month) -> dict[str, Finding]:
    """The findings of the shipped thresholds, each as it stood in the end."""
    problems: list[Problem] = []
    wanted = thresholds.load(POLICIES, problems)
    dates = calendar.load(POLICIES, problems)
    assert not problems, problems
    assert wanted.out_of_hours is not None
    assert wanted.sequence is not None
    wanted = msgspec.structs.replace(
        wanted,
        out_of_hours=msgspec.structs.replace(wanted.out_of_hours, on_duty=frozenset({DUTY})),
        own_identifier=thresholds.OwnIdentifier(made.own),
    )
    names = Names(b"a secret of this test", wanted.sequence.numbers)
    projection, watch = Projection(names, ()), Watch(detectors(wanted, dates, names.blind))
    findings: dict[str, Finding] = {}
    for number, asked in enumerate(made.asked):
        look = projection.look(number, *entered(asked, number))
        assert look is not None
        for finding in watch.see(look):
            findings[finding.id] = finding
    return findings


def judged(made: Month, findings: dict[str, Finding]) -> dict[str, dict[str, int]]:
    """Per detector: patterns planted, of them found, and findings in which nothing planted is."""
    counts = {name: {"planted": 0, "found": 0, "false": 0} for name in thresholds.SECTIONS}
    seen: set[int] = set()
    for finding in findings.values():
        patterns = set[int]().union(*(made.asked[entry].patterns for entry in finding.entries))
        seen |= {number for number in patterns if made.patterns[number] == finding.detector}
        counts[finding.detector]["false"] += not patterns
    for number, name in enumerate(made.patterns):
        counts[name]["planted"] += 1
        counts[name]["found"] += number in seen
    return counts


def report(seed: int) -> dict[str, object]:
    """What the command prints, as values."""
    made = month(seed)
    findings = found(made)
    counts = judged(made, findings)
    false = sum(count["false"] for count in counts.values())
    return {
        "seed": seed,
        "inquiries": len(made.asked),
        "officials": len({asked.official for asked in made.asked if asked.official}),
        "official_days": made.official_days,
        "findings": len(findings),
        "false_per_1000_official_days": round(1000 * false / made.official_days, 3),
        "detectors": counts,
    }


def line(seed: int) -> str:
    """What it prints, as one line."""
    return json.dumps(report(seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.watch.month", description="One line of JSON for a month.")
    parser.add_argument("seed", type=int, nargs="?", default=2026, help="default: 2026")
    print(line(parser.parse_args().seed))
