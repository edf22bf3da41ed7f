"""A process that acts until it is killed: `python -m tests.acts.whole.acting <url of a store> <seed>`.

Several subjects, their stewards and a department's system act at once; the id of each act is printed once it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.base import Subject
from gateway.acts.called import Acted, Called
from gateway.errors import Refusal
from gateway.inquiry.http.request import Media
from gateway.inquiry.types import Requester
from gateway.storage.store import open_store
from tests.acts.desk import ISSUER, Desk, days, desk_on
from tests.world import new_subject

SUBJECTS = 6
RECORDS = tuple({"dataset": "income-statements", "record": f"I-{number}", "version": "1"} for number in range(4))
LABOUR = {"issuer": ISSUER, "client": "labour-office"}


class Acting:
    """What one subject does, and what is done about it, one after the other."""

    def __init__(self, desk: Desk, subject: Subject, chance: random.Random) -> None:
        self._desk, self._subject, self._chance = desk, subject, chance
        self._named = {"scheme": subject.scheme, "value": subject.value}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(Refusal):
                await self._chance.choice([self._consents, self._objects, self._opts, self._reports, self._applies])()
            self._desk.now += datetime.timedelta(hours=3)

    async def _do(self, who: Requester, name: str, **given: Any) -> Any:
        """One act; its id is told to whoever reads."""
        done = await self._desk.handlers[name](who, Called(name, given, {}, Media.RESPONSE, _rendered))
        assert isinstance(done, Acted)
        assert done.act is not None
        print(msgspec.json.decode(done.act)["id"], flush=True)
        return done.value

    async def _consents(self) -> None:
        desk, mine = self._desk, self._desk.subject(self._subject)
        asked: Mapping[str, Any] = {
            "purpose": "SUBSIDY_ASSESSMENT", "fields": [{"dataset": "income-statements", "fields": ["year"]}],
            "until": desk.office.today() + days(20),
        }  # fmt: skip
        given = await self._do(mine, "grantConsent", requester=LABOUR, **asked)
        await self._do(mine, "revokeConsent", id=given["id"])

    async def _objects(self) -> None:
        mine, record = self._desk.subject(self._subject), self._chance.choice(RECORDS)
        filed = await self._do(mine, "fileObjection", record=record, reason="It is not mine.")
        if self._chance.random() < 0.5:
            await self._do(mine, "withdrawMatter", id=filed["id"])
            return
        outcome = self._chance.choice(["UPHELD", "REFUSED"])
        await self._do(self._steward("s.one"), "decideObjection", id=filed["id"], outcome=outcome, reason="So it is.")

    async def _opts(self) -> None:
        mine = self._desk.subject(self._subject)
        for wanted in (True, False):
            await self._do(mine, "setOptOut", dataset="volunteering", optedOut=wanted)

    async def _reports(self) -> None:
        given = {"subject": self._named, "record": self._chance.choice(RECORDS), "reason": "So it is."}
        system = self._desk.who("tax-service", "steward", reports_changes=True)
        await self._do(system, "reportChange", **given, event="WITHDRAWN")
        back = await self._do(self._steward("s.one"), "reportChange", **given, event="REINSTATED")
        if self._chance.random() < 0.6:
            await self._do(self._steward("s.two"), "decline", id=back["id"], reason="It was right.")
            back = await self._do(self._steward("s.one"), "reportChange", **given, event="REINSTATED")
        await self._do(self._steward("s.two"), "confirm", id=back["id"])

    async def _applies(self) -> None:
        mine, record = self._desk.subject(self._subject), self._chance.choice(RECORDS)
        filed = await self._do(mine, "applyForRestoration", record=record, reason="All is paid.")
        given = {"id": filed["id"], "outcome": "UPHELD", "reason": "So it is."}
        await self._do(self._steward("s.one"), "decideRestoration", **given)
        if self._chance.random() < 0.3:
            await self._do(self._steward("s.two"), "decline", id=filed["id"], reason="Not all of it.")
            await self._do(self._steward("s.one"), "decideRestoration", **given)
        await self._do(self._steward("s.two"), "confirm", id=filed["id"])

    def _steward(self, name: str) -> Requester:
        return self._desk.official("tax", name)


async def _rendered(value: Any) -> bytes:
    return msgspec.json.encode(value)


async def main(url: str, seed: int) -> None:
    store = open_store(url)
    async with desk_on(store) as desk:
        desk.now = max(desk.now, desk.ledger.floor) + days(1)
        chance = random.Random(seed)
        every = [Acting(desk, new_subject("person"), random.Random(chance.random())) for _ in range(SUBJECTS)]
        await asyncio.gather(*(each.run() for each in every))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
