"""What departments are sent about an inquiry: nothing but what their source and the purpose both let go."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import graphql, rest, xroad
from connectors.base import FORWARDED, Forwarded
from gateway.inquiry.fetch import Fetcher, may_be_sent
from gateway.inquiry.types import Declaration, Permit
from gateway.rules.files.purposes import FORWARD
from tests.connectors.asking import ACME, SHAPES, places, written
from tests.connectors.rest_source import config as rest_config
from tests.connectors.servers import Server, always, answer, serve
from tests.connectors.test_graphql import config as graphql_config
from tests.connectors.xroad.test_xroad import config as xroad_config
from tests.rules.policies import shipped
from tests.world import Ask, Case, World, new_subject

PURPOSE = shipped().policies.purposes["COURT_ENFORCEMENT"]
HEADERS = {
    "inquiry": "X-Inquiry",
    "purpose": "X-Purpose",
    "case": "X-Case",
    "official": "X-Official",
    "trace": "traceparent",
}
X_ROAD = {**HEADERS, "inquiry": "X-Road-Id", "case": "X-Road-Issue", "official": "X-Road-UserId"}
_CONFIGS = {rest: rest_config, graphql: functools.partial(graphql_config, {"entities": True})}
INQUIRY = "4711" * 8  # long: a port or an id may have any few digits
TRACE = f"00-{'0af7651916cd43dd' * 2}-{'b7ad6b7169203331'}-01"
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


async def sent(kind: Any, config: dict[str, Any], server: Server, about: Forwarded) -> dict[str, str]:
    """The headers of the one question that a department is asked, by name in lower case."""
    node = written(config)
    connector = kind.build(node, SHAPES)
    assert node.problems == []
    server.requests.clear()
    try:
        fetcher = Fetcher({"tax": connector}, {"arrears": "tax"})
        await fetcher.fetch([Permit(ACME, "arrears", ("period",))], asyncio.get_running_loop().time() + 5, about)
    finally:
        await connector.close()
    [request] = server.requests
    assert len(set(request.names)) == len(request.names)
    return request.headers


@pytest.mark.parametrize("kind", [rest, graphql, xroad], ids=lambda kind: kind.__name__)
@given(
    asked=st.sets(st.sampled_from(FORWARDED)),
    allowed=st.sets(st.sampled_from(FORWARD)),
    case=VALUES,
    official=st.none() | VALUES,
)
@settings(max_examples=30, deadline=None)
def test_nothing_leaves_but_what_source_and_purpose_both_let_go(
    kind: Any, asked: set[str], allowed: set[str], case: str, official: str | None
) -> None:
    async def check() -> None:
        case_, official_ = f"case-{case}", official and f"official-{official}"
        purpose = msgspec.structs.replace(PURPOSE, forward=frozenset(allowed))
        about = may_be_sent(purpose, Declaration(purpose.name, case=case_), official_, INQUIRY)
        about = about._replace(trace=TRACE)
        names = X_ROAD if kind is xroad else HEADERS
        async with serve(always(answer({"items": []}))) as server:
            config = xroad_config(server) if kind is xroad else _CONFIGS[kind](server.url)
            forward = {"forward": {name: names[name] for name in asked}}
            headers = await sent(kind, {**config, **forward}, server, about)
        expected = {
            "inquiry": INQUIRY, "purpose": purpose.name, "case": case_, "official": official_, "trace": TRACE
        }  # fmt: skip
        for name, value in expected.items():
            said = headers.get(names[name].lower())
            if name in asked and value is not None and name not in set(FORWARD) - allowed:
                assert said is not None
                own = unquote(said)
                assert own == value or (kind is xroad and name == "inquiry" and own.startswith(f"{value}-"))
            elif (kind, name) != (xroad, "inquiry"):  # which has an id of its own, that says nothing
                assert said is None
        text = unquote(str(headers))
        assert ("case-" in text) is ("case" in asked & allowed)
        assert ("official-" in text) is ("official" in asked & allowed and official is not None)
        assert (INQUIRY in text) is ("inquiry" in asked)
        assert (purpose.name in text) is ("purpose" in asked)

    asyncio.run(check())


def test_an_inquiry_forwards_its_entrys_id_its_verified_case_and_its_official(tmp_path: Path) -> None:
    world = World(tmp_path)
    purposes = world.serving.rules.policies.purposes
    was = purposes["COURT_ENFORCEMENT"]
    try:
        purposes["COURT_ENFORCEMENT"] = msgspec.structs.replace(was, forward=frozenset({"case"}))  # type: ignore[index]
        subject = new_subject()
        world.registries.known["K-1"] = Case("courts", frozenset({subject}), frozenset({"o-7"}), open=True)
        world.departments["courts"].forwards = FORWARDED  # type: ignore[attr-defined]
        fetcher = Fetcher(world.departments, {d.id: d.department for d in world.catalogue.datasets.values()})
        asker = world.requester("civil-court", official="o-7")
        query = (
            'query($id: IdentifierInput!) @inquiry(purpose: COURT_ENFORCEMENT, case: "K-1")'
            " { organisation(id: $id) { enforcementCases { courtFile } taxArrears { period } } }"
        )
        variables = {"id": {"scheme": subject.scheme, "value": subject.value}}
        reply = world.ask(Ask(asker, query, variables), fetcher=fetcher)
    finally:
        purposes["COURT_ENFORCEMENT"] = was  # type: ignore[index]
        world.close()
    [asked] = reply.asked["courts"]
    assert asked.forwarded == Forwarded(reply.inquiry["id"], "COURT_ENFORCEMENT", "K-1", None)
    assert [each.forwarded for each in reply.asked["tax"]] == [None]


def test_what_names_nothing_forwards_nothing() -> None:
    about = Forwarded("i", "p", "c", "o")
    assert about.only(["case", "inquiry"]) == Forwarded(inquiry="i", case="c")
    assert about.only([]) == Forwarded()


@pytest.mark.parametrize(
    ("forward", "where", "words"),
    [
        ({"trace": "X-Trace"}, "forward.trace", "must be `traceparent`"),
        ({"case": "traceparent"}, "forward.case", "another meaning already"),
        ({"inquiry": "baggage"}, "forward.inquiry", "another meaning already"),
        ({"inqiry": "X-A"}, "forward", "did you mean `inquiry`"),
        ({"inquiry": "X A"}, "forward.inquiry", "the name of a header"),
        ({"inquiry": "Authorization"}, "forward.inquiry", "another meaning already"),
        ({"purpose": "Accept"}, "forward.purpose", "another meaning already"),
        ({"purpose": "x-version"}, "forward.purpose", "another meaning already"),
        ({"purpose": "X-Request-Id"}, "forward.purpose", "another meaning already"),
        ({"purpose": "X-A", "case": "x-a"}, "forward.case", "the header of another value"),
    ],
)
def test_a_wrong_header_is_told_where_it_stands(forward: dict[str, str], where: str, words: str) -> None:
    config = {**rest_config("https://tax.example"), "headers": {"X-Version": "1"}, "echo": "X-Request-ID"}
    node = written({**config, "forward": forward})
    rest.build(node, SHAPES)
    told = [problem for problem in node.problems if words in problem.message]
    assert [problem.path.startswith(where) for problem in told] == [True], node.problems


@pytest.mark.parametrize(
    "forward", [{"official": "X-Road-Id"}, {"case": "X-Road-UserId"}, {"inquiry": "X-Road-Client"}]
)
def test_a_header_of_x_road_carries_only_what_it_means(forward: dict[str, str]) -> None:
    node = written({**xroad_config(Server("https")), "forward": forward})
    xroad.build(node, SHAPES)
    assert places(node, "another meaning already") == [f"forward.{next(iter(forward))}"]
