"""A rule set with a shorter period of display is activated while a gateway serves: its recipients are to delete."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from gateway.activation.activating import Wanted, by_command
from gateway.activation.archive import pack, packed, unpacked
from gateway.activation.loading import loaded, reading
from gateway.config import settings
from gateway.ledger.acting.commanded import done
from gateway.ledger.log import operator
from gateway.ledger.proof import key_files
from gateway.storage.store import opened
from tests.bench import data, world
from tests.bench.processes import Child, Cores, running, start_departments
from tests.faults.balancer import DUTYBOUND
from tests.ports import free_port
from tests.waiting import until

GROUP = data.GROUPS["50"]
DEPARTMENT = "alpha"
INBOX = "{ recalls { items { action inquiry value records { dataset record version } } } }"
SHORT = {"deadline": "2s", "patience": "4s"}
"""What is waited for before anything is recalled is as long as the longest inquiry."""


class Served:
    """A gateway with departments, and one client of it."""

    def __init__(self, config: Path, port: int, issuer: world.Issuer, issuer_url: str) -> None:
        self.config, self._url = config, f"http://127.0.0.1:{port}"
        self._issuer, self._issuer_url = issuer, issuer_url

    def ask(self, scope: str, query: str, **variables: Any) -> Any:
        """What a client is answered."""
        token = self._issuer.token(self._issuer_url, world.client(0), scope)
        headers = {"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"}
        body = {"query": query, "variables": variables}
        return httpx.post(f"{self._url}/graphql", json=body, headers=headers, timeout=30, trust_env=False).json()

    def answered(self, subject: str) -> Mapping[str, Any]:
        """An answer about a subject with all that it asked for; nothing where there is none yet."""
        document = data.document(GROUP, world.DIRECTIVE).replace("reference ", "reference record { id version } ")
        said: Mapping[str, Any] = self.ask("inquire", document, id={"scheme": "LEI", "value": subject})
        return said if "errors" not in said else {}

    def inbox(self) -> list[Mapping[str, Any]]:
        """What the client is to do."""
        found: list[Mapping[str, Any]] = self.ask("recalls", INBOX)["data"]["recalls"]["items"]
        return found

    def ready(self) -> bool:
        return httpx.get(f"{self._url}/health/ready", trust_env=False).status_code == 200


async def activate(config: Path, longest: str) -> None:
    """Activate the rule set of a configuration's folder, with another longest period of alpha's records."""
    configured = settings.load(config, dict(os.environ))
    files = unpacked(packed(configured.policies))
    text = files[f"catalogue/{DEPARTMENT}.yaml"].decode()
    assert "display: {min: P3M, max: P3Y, from: effective}" in text
    files[f"catalogue/{DEPARTMENT}.yaml"] = text.replace("min: P3M, max: P3Y", f"min: P1D, max: {longest}").encode()
    made = pack(files)
    wanted = Wanted(loaded(made, None, reading(configured)).digest, made, "proposal")
    private = key_files.load(configured.ledger.key_file)
    with opened(configured, make=True) as store:
        async with operator.operated(operator.Workplace(configured, store, private)) as ledger:
            await done(ledger, lambda seen: by_command(seen, wanted))


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Served]:
    cores, issuer, port = Cores().all, world.Issuer(folder), free_port()
    departments, urls = start_departments(issuer.jwks, folder, cores, [GROUP.name])
    with running(departments):
        config = world.write(folder, urls, urls["issuer"], port, limits=SHORT, rules="activated")
        asyncio.run(activate(config, "P3Y"))
        serve = [DUTYBOUND, "serve", "--config", str(config)]
        with running(Child(serve, folder / "gateway.log", cores=cores)):
            one = Served(config, port, issuer, urls["issuer"])
            until("the gateway to be ready", one.ready, despite=(httpx.TransportError,))
            yield one


def test_what_a_shorter_period_ends_is_in_the_recipients_inbox(tmp_path: Path) -> None:
    subject, other = data.subjects(GROUP)[:2]
    name = data.graphql_name(DEPARTMENT)
    with served(tmp_path) as gateway:
        said = until("an answer", lambda: gateway.answered(subject))
        given = {(each["record"]["id"], each["record"]["version"]) for each in said["data"]["organisation"][name]}
        asyncio.run(activate(gateway.config, "P7D"))  # every record is older
        found = until("a recall of each day", lambda: among(gateway.inbox(), given))
        assert {(each["action"], each["value"], each["inquiry"]) for each in found} == {
            ("DELETE", subject, said["extensions"]["inquiry"]["id"])
        }
        assert {one["dataset"] for each in found for one in each["records"]} == {data.dataset(DEPARTMENT)}
        again = until("an answer by the shorter period", lambda: gateway.answered(other))
        shown = {each for each, records in again["data"]["organisation"].items() if records}
        assert shown == {data.graphql_name(each) for each in data.DEPARTMENTS} - {name}


def among(found: list[Mapping[str, Any]], given: set[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """These recalls, once every record that was given is in one of them."""
    named = {(one["record"], one["version"]) for each in found for one in each["records"]}
    return found if given <= named else []
