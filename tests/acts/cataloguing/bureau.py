"""Stewards of a department, and definitions of a dataset that they bring into the catalogue."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from gateway.acts.called import Acted
from gateway.acts.cataloguing.supplements import Consulted, Moved, Retired, Supplements
from gateway.bounds.shares import Shares
from gateway.catalogue import definitions
from gateway.catalogue.load import one
from gateway.catalogue.model import Dataset
from gateway.errors import Problem, Refusal
from gateway.storage.port import Store
from gateway.storage.rules import cataloguing as rows
from gateway.storage.rules.cataloguing import Supplement
from tests.acts.desk import Desk, desk_on

FILE = """
department: {department}
title: Tax Service
datasets:
  {dataset}:
    title: {title}
    status: draft
    subjects: [organisation]
    information: public
    disclosure: shared
    nature: neutral
    basis: [{{law: Tax Administration Act, article: "12"}}]
    fields:
      office: {{type: String, title: Tax office}}
      since:  {{type: Date, title: Day from which on it is responsible}}
{more}"""
DATASET = "tax-offices"
LONG = 20
"""Working days: the least that the shipped policies have."""


def text(more: str = "", *, department: str = "tax", dataset: str = DATASET, title: str = "Tax offices") -> str:
    """A department's file with one dataset; `more` are lines of further fields."""
    return FILE.format(department=department, dataset=dataset, title=title, more=more)


def definition(desk: Desk, file: str, dataset: str = DATASET) -> Dataset:
    """The dataset of a file, as the gateway reads it."""
    problems: list[Problem] = []
    found = one(file, "tax.yaml", dataset, desk.rules.policies.catalogue, problems)
    assert problems == []
    assert found is not None
    return found


class Bureau:
    """The acts, done by officials of a department by their names."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.shares = desk, Shares(lambda: desk.now)
        self.acts = Supplements(desk.office, self.shares)

    async def consult(
        self, name: str, file: str | None = None, dataset: str = DATASET, days: int = LONG, department: str = "tax",
        named: str = "tax.yaml", **more: Any,
    ) -> Any:  # fmt: skip
        notice = "Read it, and answer by then."
        given = Consulted(text=file or text(), notice=notice, days=days, file=named, **more)
        return self._told(await self.acts.consult(self.desk.official(department, name), dataset, given))

    async def move(
        self, what: str, name: str, file: str | None = None, dataset: str = DATASET, department: str = "tax",
        reason: str | None = "nobody minded", **more: Any,
    ) -> Any:  # fmt: skip
        digest = definitions.digest(definition(self.desk, file or text(), dataset))
        given = Moved(definition=digest, reason=reason, **more)
        return self._told(await getattr(self.acts, what)(self.desk.official(department, name), dataset, given))

    async def retire(self, name: str, dataset: str = DATASET, department: str = "tax") -> Any:
        given = Retired(reason="nobody asks for it")
        return self._told(await self.acts.retire(self.desk.official(department, name), dataset, given))

    def _told(self, acted: Acted) -> Any:
        assert acted.act is not None
        self.desk.done.append(msgspec.json.decode(acted.act))
        return acted.value

    async def published(self, file: str | None = None) -> None:
        """All the way, by two people."""
        await self.consult("t.weber", file)
        self.later()
        await self.move("approve", "t.weber", file)
        await self.move("approve", "t.nowak", file)
        await self.move("publish", "t.weber", file)

    def later(self, days: int = 60) -> None:
        """So many days pass: more than a consultation takes."""
        self.desk.now += datetime.timedelta(days=days)

    def supplements(self) -> list[Supplement]:
        with self.desk.store.engine.connect() as connection:
            return rows.supplements(rows.steps(connection))

    def states(self) -> list[str]:
        return [each.state for each in self.supplements()]


async def refused(awaited: Any) -> str:
    """How an act is refused: the reason, or the code where it has none."""
    with pytest.raises(Refusal) as raised:
        await awaited
    return str(raised.value.extensions.get("reason", raised.value.code))


@contextlib.asynccontextmanager
async def bureau_on(store: Store) -> AsyncIterator[Bureau]:
    """A bureau on a ledger of its own."""
    async with desk_on(store) as desk:
        bureau = Bureau(desk)
        yield bureau
        bureau.shares.close()
