"""Departments behind X-Road, over real sockets and by a simulator of its own reading of the protocol."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors import xroad
from connectors.base import Connector, Examined, Failure, Fault, Subject
from tests.connectors.asking import ACME, BETA, SHAPES, ask, connected, fetch, places, told, written
from tests.connectors.rest_source import ARREARS, AWARDS, row
from tests.connectors.servers import Request, Server, serve
from tests.connectors.xroad.simulator import Identifier, SecurityServers

CLIENT = ("EE", "GOV", "70000001", "gateway")
SERVICE = ("EE", "GOV", "70000002", "registry", "tax")
ODD_CLIENT = ("EE", "GOV", "7/1", "värav 1%")
ODD_SERVICE = ("EE", "GOV", "7:2", "register & co", "tax?v")
NEVER = "what the source wrote"


def services(request: Request, target: str) -> tuple[int, Any]:
    """The tax department's service: two subjects with records, one without, and an address that fails."""
    for subject in (ACME, BETA):
        if target == f"/v1/subjects/{subject.scheme}/{subject.value}/arrears":
            return 200, {"items": [row(1, subject)]}
    return (500, {"message": NEVER}) if "broken" in target else (404, {"message": NEVER})


def config(server: Server, **more: Any) -> dict[str, Any]:
    return {
        "kind": "xroad",
        "security_server": server.url,
        "client": "EE/GOV/70000001/gateway",
        "service": "EE/GOV/70000002/registry/tax",
        "limits": {"retries": 0},
        "datasets": {"arrears": {**ARREARS, "path": f"/v1{ARREARS['path']}"}, "awards": AWARDS},
        **more,
    }


@asynccontextmanager
async def road(
    who: Identifier = CLIENT, what: Identifier = SERVICE, **more: Any
) -> AsyncIterator[tuple[SecurityServers, Server, Connector]]:
    simulated = SecurityServers({what: services}, {(who, what)})
    async with serve(simulated.handle) as server, connected(xroad.build, config(server, **more)) as connector:
        yield simulated, server, connector


async def one(connector: Connector, subject: Subject = ACME) -> Any:
    return (await fetch(connector, ask("arrears", "period", subject)))[subject, "arrears"]


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
async def test_records_come_through_the_security_server(transport: str) -> None:
    async with road(represented_party="GOV/70000003", transport=transport) as (simulated, server, connector):
        for subject in (ACME, BETA, ACME):
            assert told(await one(connector, subject), "period") == [("2025-1",)]
        nobody = Subject("organisation", "LEI", "5299000J2N45DDNE4Y28")
        assert await one(connector, nobody) == []
    sent = [headers for _, _, headers in simulated.log]
    assert {(client, service) for client, service, _ in simulated.log} == {(CLIENT, SERVICE)}
    assert len({headers["x-road-id"] for headers in sent}) == len(sent) == 4
    assert {headers["x-road-represented-party"] for headers in sent} == {"GOV/70000003"}
    assert {name for headers in sent for name in headers} == {
        "x-road-client", "x-road-id", "x-road-represented-party",
    }  # fmt: skip
    assert server.requests[0].headers["accept"] == "application/json"
    # Each answer says whose it is, so one connection carries them all; the plain client has one for each.
    assert server.opened == (1 if transport == "pooled" else 4)


async def test_identifiers_are_encoded_part_by_part() -> None:
    names = {"client": "EE/GOV/7%2F1/värav 1%25", "service": "EE/GOV/7:2/register & co/tax%3fv"}
    async with road(ODD_CLIENT, ODD_SERVICE, **names) as (simulated, server, connector):
        assert told(await one(connector), "period") == [("2025-1",)]
    assert [each[:2] for each in simulated.log] == [(ODD_CLIENT, ODD_SERVICE)]
    assert server.requests[0].target.startswith("/r1/EE/GOV/7%3A2/register%20%26%20co/tax%3Fv/v1/subjects/")
    assert server.requests[0].headers["x-road-client"] == "EE/GOV/7%2F1/v%C3%A4rav%201%25"


async def test_a_member_without_a_subsystem_is_named_by_fewer_parts() -> None:
    async with road(CLIENT[:3], SERVICE, client="EE/GOV/70000001") as (_, _, connector):
        assert told(await one(connector), "period") == [("2025-1",)]


_ID = "x-road-id"
SHORT = base64.b64encode(b"short").decode()
_HEADERS = ("x-road-id", "x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        *[(f"without {name}", "without the headers of X-Road") for name in _HEADERS],
        *[(f"twice {name}", "appears twice") for name in _HEADERS],
        (f"other {_ID}=4711", "another question"),
        ("other x-road-client=EE/GOV/70000001/other", "another client"),
        ("other x-road-client=EE/GOV/70000001", "another client"),
        ("other x-road-service=EE/GOV/70000002/registry/other", "another service"),
        ("other x-road-service=EE/GOV/70000002/registry/ta%2578", "another service"),
        (f"other x-road-request-hash={SHORT}", "no SHA-512"),
        ("other x-road-request-hash=*", "no SHA-512"),
        ("bare 200", "without the headers of X-Road"),
        ("bare 404", "without the headers of X-Road"),
    ],
)
async def test_an_answer_that_is_not_to_the_question_is_invalid(mood: str, words: str) -> None:
    async with road() as (simulated, _, connector):
        simulated.mood = mood
        outcome = await one(connector)
        assert isinstance(outcome, Failure)
        assert outcome.fault is Fault.INVALID
        assert words in outcome.detail
        simulated.mood = "well"
        assert told(await one(connector), "period") == [("2025-1",)]


@pytest.mark.parametrize(
    ("mood", "words", "retryable"),
    [
        ("error Server.ServerProxy.AccessDenied", "the provider's security server: it does not let", False),
        ("error Server.ServerProxy.UnknownService", "the provider's security server: it knows no such service", False),
        ("error Server.ServerProxy.ServiceFailed.Timeout", "the provider's security server", True),
        ("error Server.ServerProxy.ServiceFailed", "the provider's security server: it has no answer", True),
        ("error server.serverproxy.service_failed", "the provider's security server: it has no answer", True),
        ("error Server.ClientProxy.OutdatedGlobalConf", "the client's security server: its global", True),
        ("error Server.ClientProxy.NetworkError", "the client's security server: it does not reach", True),
        ("error Client.BadRequest", "a security server: it does not read the request", False),
        ("error Server.ServerProxy.Secret4711", "the provider's security server: an error of another kind", True),
        ("error Nonsense", "X-Road: an error of another kind", True),
        ("beside", "the provider's security server: an error of another kind", True),
        ("bare 502", "status 502 without X-Road's headers", True),
        ("bare 400", "status 400 without X-Road's headers", False),
    ],
)
async def test_errors_of_security_servers_are_told_apart(mood: str, words: str, retryable: bool) -> None:
    async with road() as (simulated, _, connector):
        simulated.mood = mood
        outcome = await one(connector)
    assert isinstance(outcome, Failure)
    assert outcome.fault is Fault.UNAVAILABLE
    assert words in outcome.detail
    assert outcome.retryable is retryable
    assert not any(word in outcome.detail for word in ("4711", "simulated", "Nonsense"))


async def test_an_error_of_the_service_is_the_services() -> None:
    async with road() as (_, _, connector):
        outcome = await one(connector, Subject("organisation", "LEI", "broken"))
    assert isinstance(outcome, Failure)
    assert (outcome.fault, outcome.retryable) == (Fault.UNAVAILABLE, True)
    assert outcome.detail == "status 500 of the service"


async def test_an_error_of_x_road_never_means_no_records() -> None:
    """A 404 of the service does; the same status by a security server, with its error beside, does not."""
    unknown = Subject("organisation", "LEI", "5299000J2N45DDNE4Y28")
    async with road() as (simulated, _, connector):
        assert await one(connector, unknown) == []
        simulated.mood = "beside"
        assert isinstance(await one(connector, unknown), Failure)


async def test_the_answer_to_another_question_is_asked_for_again() -> None:
    """On a kept connection it may have come late: it is found by its id, though it names the subject asked about."""
    async with road() as (simulated, server, connector):
        assert told(await one(connector), "period") == [("2025-1",)]
        simulated.mood = "the answer before"
        assert told(await one(connector), "period") == [("2025-1",)]
    assert (server.opened, len(simulated.log)) == (2, 3)


async def test_check_asks_what_the_client_may_use() -> None:
    async with road() as (simulated, _, connector):
        assert isinstance(connector, Examined)
        assert await connector.examine() == []
        simulated.mood = "error Server.ClientProxy.OutdatedGlobalConf"
        [outdated] = await connector.examine()
        assert "its global configuration is outdated" in outdated
        simulated.mood = "bare 200"
        [bare] = await connector.examine()
        assert "without the headers of X-Road" in bare
    assert simulated.log == []  # no service was asked about anybody
    async with road(what=(*SERVICE[:-1], "other")) as (_, _, connector):
        assert isinstance(connector, Examined)
        [unknown] = await connector.examine()
        assert "may not use `EE/GOV/70000002/registry/tax`" in unknown


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"client": "EE/GOV"}, "client", "has 2 parts; write 3 to 4"),
        ({"service": "EE/GOV/1/a/b/v1"}, "service", "has 6 parts; write 5 with"),
        ({"service": "EE/GOV/70000002/tax"}, "service", "has 4 parts; write 5 with"),
        ({"service": "EE/GOV//a/b"}, "service", "a part that is empty"),
        ({"service": "EE/GOV/../a/b"}, "service", "a part that is empty"),
        ({"service": "EE/GOV/1/a/100%"}, "service", "write `%25`"),
        ({"service": "EE/GOV/1/a/%ff"}, "service", "a part that is empty"),
        ({"client": "EE/GOV/1/a%0d%0ax"}, "client", "a part that is empty"),
        ({"represented_party": "EE/GOV/1"}, "represented_party", "has 3 parts; write 1 to 2"),
        ({"security_server": "http://ss.example"}, "security_server", "https"),
        ({"headers": {"X-Road-Client": "a/b/c"}}, "headers.X-Road-Client", "written for each question"),
        ({"headers": {"x-road-id": "1"}}, "headers.x-road-id", "written for each question"),
        ({"echo": "X-Question"}, "echo", "unknown key"),
        (
            {"datasets": {"arrears": {**ARREARS, "paging": {"next": "next"}}}},
            "datasets.arrears.paging",
            "needs a `param`",
        ),
    ],
)
def test_a_wrong_configuration_says_where_and_what(change: dict[str, Any], where: str, words: str) -> None:
    node = written({**config(Server("https")), **change}, Path())
    xroad.build(node, SHAPES)
    assert places(node, words) == [where], node.problems
