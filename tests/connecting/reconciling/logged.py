"""A ledger with many inquiries, and the access log that an honest department has of them."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stdnum.iso7064 import mod_97_10

from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger

PERMITS, PENALTIES = "emission-permits", "environmental-penalties"
PLACES = {PERMITS: "permits", PENALTIES: "sanctions"}
PAGES = 12
AT = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)
STEP = datetime.timedelta(seconds=40)
"""Between two inquiries: longer than the calls of one may take."""


def lei(number: int) -> str:
    """An identifier that passes the check."""
    body = f"DUTY77{number:012d}"
    return str(body + mod_97_10.calc_check_digits(body))


class Entry(NamedTuple):
    """An inquiry about some subjects, and the code of what kept the department's part away."""

    id: str
    at: datetime.datetime
    values: Sequence[str]
    failure: str | None = None


class Line(NamedTuple):
    """A call, as a department logs it."""

    at: datetime.datetime
    inquiry: str
    value: str
    dataset: str
    page: int


def inquiries(count: int, dice: random.Random) -> list[Entry]:
    """So many, each after the last, about one to four subjects; of few subjects, so that they come again."""
    made = []
    for number in range(count):
        values = [lei(each) for each in dice.sample(range(50), dice.randint(1, 4))]
        id_ = f"{number:032x}"
        made.append(Entry(id_, AT + number * STEP, values, "SOURCE_TIMEOUT" if dice.random() < 0.02 else None))
    return made


def enter(config: Path, made: Sequence[Entry]) -> None:
    """Enter them in the configuration's ledger."""

    async def all_of(ledger: Ledger) -> None:
        for start in range(0, len(made), 256):
            await asyncio.gather(*(_append(ledger, each) for each in made[start : start + 256]))

    with operator.opened(config, make=True) as place:
        place.run(all_of)


async def _append(ledger: Ledger, each: Entry) -> None:
    who = entries.Who("https://login.example", "benefits", "social")
    about = [
        entries.Disclosed(
            "organisation", "LEI", value, [entries.Dataset(name, ("number",), [], each.failure) for name in PLACES]
        )
        for value in each.values
    ]
    told = entries.Inquiry(entries.VERSION, each.id, each.at, who, None, entries.Declared("p"), "5ec0de", [], about)
    parts = split(told, entries.Oversight(entries.VERSION, "m.ivanova"))
    await ledger.append(parts.told, parts.oversight, each.at, (who.issuer, who.client), (), parts.subjects)


def honest(made: Sequence[Entry], dice: random.Random) -> list[Line]:
    """The calls of the inquiries: every page of every dataset, some twice, some of a failure not at all."""
    lines = []
    for each in made:
        for value in each.values:
            for dataset in PLACES:
                if each.failure and dice.random() < 0.5:
                    continue
                for page in range(dice.randint(1, PAGES)):
                    for _ in range(2 if dice.random() < 0.05 else 1):
                        at = each.at + datetime.timedelta(seconds=dice.uniform(-1.0, 4.5))
                        lines.append(Line(at, each.id, value, dataset, page))
    return sorted(lines)
