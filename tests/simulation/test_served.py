"""A dry run under a real `dutybound serve` of two processes: begun, counted and ended by commands; it tells nobody."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, select

from gateway import cli
from gateway.activation.activating import Wanted, by_command
from gateway.activation.loading import reading
from gateway.config import settings
from gateway.ledger.acting.commanded import done
from gateway.ledger.log import operator
from gateway.storage.rules.rulesets import replica, rule_set
from tests.bench import data, world
from tests.bench.processes import Child, Cores, running, start_departments
from tests.faults.balancer import DUTYBOUND
from tests.faults.replicas import Replica
from tests.faults.rule_sets import GROUP, Variant, variant
from tests.ports import free_port
from tests.waiting import until

ASKED = 12
"""Inquiries at a time: enough for both processes to have some."""


class Served:
    """The gateway, whose first set is the folder's, and variants of it that the store has too."""

    def __init__(self, folder: Path, config: Path, port: int, manage: int, tokens: list[str]) -> None:
        self.config, self.url, self.manage, self._tokens = config, f"http://127.0.0.1:{port}", manage, tokens
        how = reading(settings.load(config, dict(os.environ)))
        self.first, self.second, self.candidate = (variant(folder / "policies", number, how) for number in range(3))

    def store(self) -> None:
        """Have the variants in the store, as proposals leave them."""
        with operator.opened(self.config) as at, at.store.engine.begin() as connection:
            for each in (self.first, self.second, self.candidate):
                connection.execute(insert(rule_set).values(digest=each.digest, files=each.files, at=int(time.time())))

    def activate(self, of: Variant) -> None:
        """Have people activate one of them, and wait until both processes serve it."""
        with operator.opened(self.config) as at:
            wanted = Wanted(of.digest, None, "proposal")
            at.run(lambda ledger: done(ledger, lambda seen: by_command(seen, wanted)))
        until("both processes to serve it", lambda: self._serving() == {of.digest})

    def _serving(self) -> set[str]:
        with operator.opened(self.config) as at, at.store.engine.connect() as connection:
            return set(connection.execute(select(replica.c.digest)).scalars())

    def ask(self, of: Variant) -> None:
        """Ask, and see that each answer is the active set's to the letter, and of nothing else."""

        async def sent(client: httpx.AsyncClient, number: int) -> httpx.Response:
            subject = {"scheme": "LEI", "value": data.subjects(GROUP)[number % len(data.subjects(GROUP))]}
            body = {"query": data.document(GROUP, world.DIRECTIVE), "variables": {"id": subject}}
            headers = {"authorization": f"Bearer {self._tokens[number]}", "connection": "close"}
            return await client.post(f"{self.url}/graphql", json=body, headers=headers)

        async def all_of_them() -> list[httpx.Response]:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                return await asyncio.gather(*[sent(client, number) for number in range(ASKED)])

        for reply in asyncio.run(all_of_them()):
            told = reply.json()
            assert told["extensions"]["inquiry"]["ruleSet"] == of.digest
            assert {error["path"][-1] for error in told["errors"]} == {of.denied}, told["errors"]
            assert {error["extensions"]["code"] for error in told["errors"]} == {"UNAUTHORIZED_FIELD_OR_TYPE"}

    def counted(self) -> dict[str, int]:
        """What the metric has, over both processes, by outcome."""
        text = httpx.get(f"http://127.0.0.1:{self.manage}/metrics", trust_env=False).text
        found: dict[str, int] = {}
        for outcome, times in re.findall(
            r'^dutybound_dry_run_decisions_total\{.*outcome="(\w+)".*\} (\d+)', text, re.M
        ):
            found[outcome] = found.get(outcome, 0) + int(times)
        return found


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    cores, issuer = Cores(), world.Issuer(tmp_path)
    port, manage = free_port(), free_port()
    for name, value in {"STORE": f"sqlite:///{tmp_path / 'ledger.db'}", "LISTEN": f"127.0.0.1:{port}"}.items():
        monkeypatch.setenv(f"DUTYBOUND_{name}", value)
    with contextlib.ExitStack() as stack:
        departments, urls = start_departments(issuer.jwks, tmp_path, cores.all, [GROUP.name])
        stack.enter_context(running(departments))
        config = world.write(tmp_path, urls, urls["issuer"], port, manage=f"127.0.0.1:{manage}")
        tokens = world.tokens(tmp_path / "tokens", issuer, urls["issuer"]).read_text().split()
        command = [DUTYBOUND, "serve", "--config", str(config), "--workers", "2"]
        child = Child(command, tmp_path / "serve.log", cores=cores.all, env={})
        gateway = Replica(stack.enter_context(running(child)), port)
        asyncio.run(gateway.ready())
        yield Served(tmp_path, config, port, manage, tokens)


def test_it_is_counted_over_activations_and_no_answer_shows_it(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> str:
        capsys.readouterr()
        assert cli.main(["rules", "dry-run", *words, "--config", str(served.config)]) == 0
        return capsys.readouterr().out

    who = ("--by", "P. Officer", "--reason", "a trial")
    today = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    served.store()
    served.activate(served.first)
    run("start", served.candidate.digest, "--until", today.isoformat(), *who)

    def differs(more_than: int, of: Variant) -> int:
        served.ask(of)
        found = served.counted().get("differs", 0)
        return found if found > more_than else 0

    begun = until("differences in the metric", lambda: differs(0, served.first))
    # Another set becomes active meanwhile: what is asked from then on is held against that.
    served.activate(served.second)
    later = until("differences from the next set", lambda: differs(begun, served.second))
    # The candidate itself becomes active: it is not compared with itself. Once it is replaced, the dry run goes on.
    served.activate(served.candidate)
    served.ask(served.candidate)
    served.activate(served.first)
    until("differences again", lambda: differs(later, served.first))

    def stored() -> bool:
        told = re.findall(r"([\d,]+) differs", run("status"))
        return sum(int(each.replace(",", "")) for each in told) == served.counted()["differs"]

    until("the command to tell what the metric does", stored)
    said = run("status")
    opens, closes = said.partition("Would open")[2].split("Would close")
    assert served.first.denied in opens
    assert served.second.denied in opens
    assert served.candidate.denied in closes
    assert "missed" not in said
    run("stop", *who)
    assert f"{served.candidate.digest[:12]}, ended" in run("status")
    served.ask(served.first)
