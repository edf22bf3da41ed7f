"""Subjects who revoke and object all at once, beside inquiries, on two replicas over one PostgreSQL.

    python -m tests.faults.acts [--subjects 64] [--inquiries 1000]

starts the demo's region and, over one PostgreSQL, two gateways beside its own; each subject has given a consent and
opted out of nothing. Then, at once and through either replica, each of them revokes it and objects to two records,
while a department asks about them. Prints one line of JSON: `acts` that were done, `inquiries` that were answered,
`failed` of either, how often a replica was `not_ready`, and `numbers_wrong`, those of changes and acts that were used
twice or left out. It exits with 1 where one of the last three is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import create_engine, text

from deploy.demo.client import token
from deploy.demo.configuration import FREE
from deploy.demo.people import person
from deploy.demo.processes import Child
from deploy.demo.rights import GRANT, INCOME
from deploy.demo.supervisor import Region
from tests.ports import free_port
from tests.services import Postgres, postgres
from tests.waiting import PATIENCE, until

GRANT_ALONE = GRANT.replace(", $request: ID!", "").replace(", request: $request", "")
REVOKE = "mutation Revoke($id: ID!) { revokeConsent(id: $id) { revoked } }"
OBJECT = """
mutation Object($record: RecordInput!) { fileObjection(record: $record, reason: "This is not mine.") { id state } }
"""
ASKERS = 8
"""Inquiries that are under way at once."""


class Found(msgspec.Struct):
    """What a run found, as it is printed."""

    acts: int = 0
    inquiries: int = 0
    failed: int = 0
    not_ready: int = 0
    numbers_wrong: int = 0
    seconds: float = 0.0
    why: list[str] = []

    @property
    def sound(self) -> bool:
        return bool(self.acts and self.inquiries) and not (self.failed or self.not_ready or self.numbers_wrong)


class Replicas:
    """Two gateways over one database, beside the region's own, which nobody asks."""

    def __init__(self, region: Region, database: str) -> None:
        self._region, self._children = region, []
        self.urls: list[str] = []
        for name in ("one", "other"):
            port, manage = free_port(), free_port()
            config = self._configured(name, database, port, manage)
            child = Child(
                f"replica-{name}", [sys.executable, "-m", "gateway.cli", "serve", "--config", str(config)],
                region.place.run, region.guard,
            )  # fmt: skip
            self._children.append(child)
            self.urls.append(f"http://127.0.0.1:{port}")

    def _configured(self, name: str, database: str, port: int, manage: int) -> Path:
        place = self._region.place
        lines = []
        for line in place.config.read_text().splitlines():
            key = line.partition(":")[0]
            said = {
                "listen": f"listen: 127.0.0.1:{port}",
                "manage": f"manage: 127.0.0.1:{manage}",
                "rules": "rules: files",
                "store": f"store: {database}\ndurability: single-node",
                "ledger": "ledger: {origin: trial.example/ledger, key_file: ledger.key, head_file: trial.heads.json}",
            }
            lines.append(said.get(key, line))
        file = place.run / f"{name}.yaml"
        file.write_text("\n".join(lines) + "\n")
        return file

    def __enter__(self) -> Replicas:
        for child in self._children:
            child.start()
            until("a replica to be ready", self._ready(self.urls[self._children.index(child)]))
        return self

    def _ready(self, url: str) -> Any:
        def ready() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{url}/health/ready").status_code == 200
            return False

        return ready

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.stop()


class Run:
    """The subjects, the department, and whoever looks whether the replicas are ready."""

    def __init__(self, told: Mapping[str, Any], urls: Sequence[str], subjects: int) -> None:
        self._told, self._urls, self.found = told, urls, Found()
        self._people = [person(number).identifier for number in range(1, subjects + 1)]
        self._until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)).isoformat()
        self._over = asyncio.Event()

    async def run(self, inquiries: int) -> None:
        labour = self._told["clients"]["labour-office"]["officials"][0]
        asking = await asyncio.to_thread(token, self._told, "labour-office", labour)
        own = [await asyncio.to_thread(self._signed_in, who) for who in self._people]
        async with httpx.AsyncClient(
            timeout=PATIENCE, limits=httpx.Limits(max_connections=200, keepalive_expiry=1)
        ) as client:
            given = await asyncio.gather(*(self._granted(client, n, bearer) for n, bearer in enumerate(own)))
            began = time.monotonic()
            looking = [asyncio.create_task(self._look(client, url)) for url in self._urls]
            work = [
                self._act(client, n, bearer, consent)
                for n, (bearer, consent) in enumerate(zip(own, given, strict=True))
            ]
            share = inquiries // ASKERS
            asked = [self._ask(client, asking, range(n * share, (n + 1) * share)) for n in range(ASKERS)]
            await asyncio.gather(*work, *asked)
            self.found.seconds = round(time.monotonic() - began, 1)
            self._over.set()
            await asyncio.gather(*looking)

    def _signed_in(self, who: tuple[str, str]) -> str:
        said = {"identifier_scheme": who[0], "identifier_value": who[1], "person": f"person-{who[1]}"}
        return token(self._told, "citizen-portal", scope="self", **said)

    async def _granted(self, client: httpx.AsyncClient, number: int, bearer: str) -> str:
        requester = {"issuer": self._told["issuer"], "client": "labour-office"}
        done = await self._post(client, number, bearer, GRANT_ALONE, requester=requester, until=self._until)
        consent: str = done["data"]["grantConsent"]["id"]
        return consent

    async def _act(self, client: httpx.AsyncClient, number: int, bearer: str, consent: str) -> None:
        """What one subject does: all at once, through either replica."""
        record = {"dataset": "income-statements", "record": f"R-{number}"}
        other = {"dataset": "employment-contracts", "record": f"R-{number}"}
        done = await asyncio.gather(
            self._post(client, number, bearer, REVOKE, id=consent),
            self._post(client, number + 1, bearer, OBJECT, record=record),
            self._post(client, number, bearer, OBJECT, record=other),
        )
        for each in done:
            self._count(each, ())
            self.found.acts += not each.get("errors")

    async def _ask(self, client: httpx.AsyncClient, bearer: str, numbers: range) -> None:
        for number in numbers:
            scheme, value = self._people[number % len(self._people)]
            who = {"scheme": scheme, "value": value}
            said = await self._post(client, number, bearer, INCOME, id=who)
            while _ended_meanwhile(said):  # the consent was revoked while departments answered: nothing is released
                said = await self._post(client, number, bearer, INCOME, id=who)
            self._count(said, ("UNAUTHORIZED_FIELD_OR_TYPE",))  # the consent may be revoked by now
            self.found.inquiries += "inquiry" in said.get("extensions", {})

    def _count(self, said: Mapping[str, Any], allowed: Sequence[str]) -> None:
        wrong = [error for error in said.get("errors", ()) if error["extensions"]["code"] not in allowed]
        self.found.failed += bool(wrong)
        self.found.why += [f"{error['extensions']['code']}: {error['message']}" for error in wrong][:3]

    async def _post(
        self, client: httpx.AsyncClient, number: int, bearer: str, query: str, **variables: Any
    ) -> dict[str, Any]:
        answer = await client.post(
            f"{self._urls[number % len(self._urls)]}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {bearer}", "accept": "application/graphql-response+json"},
        )
        said: dict[str, Any] = answer.json()
        return said

    async def _look(self, client: httpx.AsyncClient, url: str) -> None:
        while not self._over.is_set():
            self.found.not_ready += (await client.get(f"{url}/health/ready")).status_code != 200
            await asyncio.sleep(0.02)


def _ended_meanwhile(said: Mapping[str, Any]) -> bool:
    return any("ended while the inquiry ran" in error["message"] for error in said.get("errors", ()))


def numbers_wrong(database: str) -> int:
    """How many numbers of changes and of acts are used twice, or left out."""
    engine = create_engine(database.replace("+asyncpg", "+psycopg"))
    with engine.connect() as connection:
        last = connection.execute(text("SELECT change FROM fact_head")).scalar_one()
        said = "SELECT change FROM fact UNION ALL SELECT ended FROM fact WHERE ended IS NOT NULL"
        changes = sorted(connection.execute(text(said)).scalars())
        acts = sorted(connection.execute(text("SELECT number FROM act")).scalars())
        head = connection.execute(text("SELECT number FROM act_head")).scalar_one()
    engine.dispose()
    return _off(changes, last) + _off(acts, head)


def _off(numbers: Sequence[int], last: int) -> int:
    twice = len(numbers) - len(set(numbers))
    return twice + len(set(range(1, last + 1)) ^ set(numbers))


@contextlib.contextmanager
def replicas(region: Region, server: Postgres) -> Iterator[tuple[Replicas, str]]:
    """Two gateways over one database, and its URL."""
    database = server.url(server.database())
    with Replicas(region, database) as both:
        yield both, database


def started(folder: Path) -> Region:
    """A region of its own, which runs once it is entered."""
    return Region(folder, lambda line: print(line, file=sys.stderr), FREE)


def acts(region: Region, subjects: int, inquiries: int) -> Found:
    """One run, in a running region; the replicas and their server are its own."""
    with postgres(fsync="on") as server, replicas(region, server) as (both, database):
        run = Run(region.facts(), both.urls, subjects)
        asyncio.run(run.run(inquiries))
        run.found.numbers_wrong = numbers_wrong(database)
        run.found.why = sorted(set(run.found.why))[:5]
        return run.found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.acts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subjects", type=int, default=64, metavar="N")
    parser.add_argument("--inquiries", type=int, default=1000, metavar="N")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="acts-") as folder, started(Path(folder)) as region:
        found = acts(region, asked.subjects, asked.inquiries)
    print(json.dumps(msgspec.to_builtins(found)))
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
