"""Requests that are not what they should be, against a running gateway: the contract's code, a reason, and no data.

None gets a traceback, a 500 or a hang: `send` itself gives up after a minute, and `swift` holds what is answered from
the document alone to seconds on any machine.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys.asking import ACCEPT, entered, post, send

if TYPE_CHECKING:
    from tests.conftest import World

LICENCE = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { %s } }"
TYPENAME = b'{"query":"{__typename}"}'


@pytest.fixture(scope="module")
def bearer(world: World) -> str:
    return world.token("market-regulator", "m.ivanova")


def refused(response: httpx.Response, status: int, code: str) -> None:
    """Exactly this refusal: with a reason, without data, and telling nothing of the inside."""
    assert response.status_code == status, response.text
    body = response.json()
    assert "data" not in body
    assert {error["extensions"]["code"] for error in body["errors"]} == {code}
    for error in body["errors"]:
        assert error["message"]
        assert "Traceback" not in error["message"]
        assert ".py" not in error["message"]


BODIES: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"query":',
    "null": b"null",
    "a list": b"[" + TYPENAME + b"]",
    "an empty list": b"[]",
    "a string": b'"{__typename}"',
    "no text": b"\xff\xfe\x00",
    "a lone surrogate": b'{"query":"\\ud800"}',
    "a null byte": TYPENAME + b"\x00",
    "two documents": TYPENAME * 2,
    "the same key twice": b'{"query":"{__typename}","query":"{__typename}"}',
    "the same variable twice": b'{"query":"{__typename}","variables":{"a":1,"a":2}}',
    "no query": b"{}",
    "a number as query": b'{"query":1}',
    "variables in a list": b'{"query":"{__typename}","variables":[]}',
    "a number as operation": b'{"query":"{__typename}","operationName":1}',
    "extensions as text": b'{"query":"{__typename}","extensions":"x"}',
    "a persisted query": b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}',
    "a persisted query beside one": b'{"query":"{__typename}","extensions":{"persistedQuery":{}}}',
    "NaN": b'{"query":"{__typename}","variables":{"a":NaN}}',
    "infinity": b'{"query":"{__typename}","variables":{"a":1e999}}',
    "a number over 64 bits": b'{"query":"{__typename}","variables":{"a":99999999999999999999999}}',
    "deep lists": b"[" * 60_000,
    "deep variables": b'{"query":"{__typename}","variables":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "variables 40 deep": b'{"query":"{__typename}","variables":' + b'{"a":' * 40 + b"1" + b"}" * 41,
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_no_request(world: World, bearer: str, what: str) -> None:
    refused(send(world.graphql, BODIES[what], bearer), 400, "REQUEST_INVALID")


def test_members_that_are_not_known_are_passed_over(world: World, bearer: str) -> None:
    body = b'{"query":"{__typename}","onError":"NULL","x":{"query":1}}'
    assert send(world.graphql, body, bearer).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/graphql"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/json; charset=iso-8859-1"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"accept": "text/html"}, 406),
        ({"accept": f"{ACCEPT};q=0"}, 406),
    ],
)
def test_media_types(world: World, bearer: str, headers: dict[str, str], status: int) -> None:
    refused(send(world.graphql, TYPENAME, bearer, **headers), status, "REQUEST_INVALID")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(world: World, bearer: str, method: str) -> None:
    response = send(world.graphql, TYPENAME, bearer, method)
    refused(response, 405, "REQUEST_INVALID")
    assert response.headers["allow"] == "POST"


def test_get_executes_nothing(world: World, bearer: str) -> None:
    headers = {"accept": ACCEPT, "authorization": f"Bearer {bearer}"}
    refused(httpx.get(world.graphql, params={"query": "{__typename}"}, headers=headers), 405, "REQUEST_INVALID")


@pytest.mark.parametrize("accept", ["application/json", "*/*", f"{ACCEPT};q=0.1, application/json"])
def test_graphql_errors_are_200_for_who_asks_for_json(world: World, bearer: str, accept: str) -> None:
    response = send(world.graphql, b'{"query":"{nothing}"}', bearer, accept=accept)
    refused(response, 200, "GRAPHQL_VALIDATION_FAILED")
    assert response.headers["content-type"].startswith("application/json")
    refused(send(world.graphql, b"{", bearer, accept=accept), 400, "REQUEST_INVALID")


def test_a_body_that_is_too_long(world: World, bearer: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 1000

    refused(send(world.graphql, b" " * 70_000 + TYPENAME, bearer), 413, "REQUEST_INVALID")
    refused(send(world.graphql, chunks(), bearer), 413, "REQUEST_INVALID")


def raw(world: World, bearer: str, head: str, *parts: bytes, shut: bool = False) -> bytes:
    """Send bytes as they are, on a connection of their own; gives what comes back until the server closes."""
    address = urlsplit(world.told["gateway"])
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            f"POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n"
            f"Content-Type: application/json\r\n{head}\r\n\r\n".encode()
        )
        for part in parts:
            connection.sendall(part)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


def test_a_length_that_lies(world: World, bearer: str) -> None:
    for head in ("Content-Length: 99999999999999999999999", "Content-Length: 100000000", "Content-Length: -1",
                 "Content-Length: 1x", "Content-Length: 5\r\nContent-Length: 50"):  # fmt: skip
        assert raw(world, bearer, head).split(b" ", 2)[1] in (b"400", b"413"), head
    assert raw(world, bearer, "Content-Length: 1000", TYPENAME, shut=True).split(b" ", 2)[1:2] in ([], [b"400"])
    assert b'"REQUEST_INVALID"' in raw(world, bearer, f"Content-Length: {len(TYPENAME) - 3}", TYPENAME)
    smuggled = raw(world, bearer, "Content-Length: 4\r\nTransfer-Encoding: chunked", b"0\r\n\r\n")
    assert smuggled.split(b" ", 2)[1] == b"400"
    assert post(world.graphql, bearer, "{ __typename }").status == 200


def test_a_slow_body_holds_up_nobody(world: World, bearer: str) -> None:
    address = urlsplit(world.told["gateway"])
    slow = [socket.create_connection((address.hostname, address.port), timeout=30) for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert post(world.graphql, bearer, "{ __typename }").status == 200
    finally:
        for connection in slow:
            connection.close()
    assert post(world.graphql, bearer, "{ __typename }").status == 200


def bomb(depth: int, leaf: str) -> str:
    """Fragments each of which spreads the next one twice."""
    spread = "".join(
        f" fragment f{n} on Organisation {{ ...f{n + 1} ...f{n + 1} }}" for n in range(depth)
    )  # fmt: skip
    return LICENCE % "...f0" + spread + f" fragment f{depth} on Organisation {{ {leaf} }}"


DOCUMENTS: dict[str, tuple[str, str]] = {
    "no document": ("", "GRAPHQL_PARSE_FAILED"),
    "a comment": ("# nothing", "GRAPHQL_PARSE_FAILED"),
    "no end": ("query {", "GRAPHQL_PARSE_FAILED"),
    "a wild character": ("{ \u0000 }", "GRAPHQL_PARSE_FAILED"),
    "only a fragment": ("fragment f on Query { __typename }", "GRAPHQL_VALIDATION_FAILED"),
    "a type definition": ("type T { a: Int }", "GRAPHQL_VALIDATION_FAILED"),
    "an unknown mutation": ("mutation { forget }", "GRAPHQL_VALIDATION_FAILED"),
    "two acts": (
        "mutation { withdrawMatter(id: 1) { id } confirm(id: 1) { __typename } }",
        "GRAPHQL_OPERATION_INVALID",
    ),
    "two queries of acts": ("{ matters { next } changes { next } }", "GRAPHQL_OPERATION_INVALID"),
    "an act beside another field": ("{ me { value } catalogue { id } }", "GRAPHQL_OPERATION_INVALID"),
    "an act with a declaration": (
        "mutation @inquiry(purpose: LICENCE_RENEWAL) { withdrawMatter(id: 1) { id } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "an act that gives more than it may": (
        "{ me { "
        + " ".join(f"a{n}: datasets {{ records {{ values {{ title value }} }} }}" for n in range(29))
        + " } }",
        "LIMIT_EXCEEDED",
    ),
    "a subscription": ("subscription { all }", "GRAPHQL_VALIDATION_FAILED"),
    "an unknown field": (LICENCE % "nmae", "GRAPHQL_VALIDATION_FAILED"),
    "an unknown root": ("{ everybody { name } }", "GRAPHQL_VALIDATION_FAILED"),
    "an unknown argument": (LICENCE.replace("(id: $id)", "(id: $id, limit: 5)") % "name", "GRAPHQL_VALIDATION_FAILED"),
    "a draft's field": (LICENCE % "marketInspections { result }", "GRAPHQL_VALIDATION_FAILED"),
    "defer": (LICENCE % "... @defer { name }", "GRAPHQL_VALIDATION_FAILED"),
    "stream": (LICENCE % "businessLicences @stream { number }", "GRAPHQL_VALIDATION_FAILED"),
    "a fragment in itself": (LICENCE % "...f" + " fragment f on Organisation { ...f }", "GRAPHQL_VALIDATION_FAILED"),
    "fragments in a ring": (
        LICENCE % "...f" + " fragment f on Organisation { ...g } fragment g on Organisation { name ...f }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "400 unknown fields": (LICENCE % " ".join(f"x{n}" for n in range(400)), "GRAPHQL_VALIDATION_FAILED"),
    "900 directives": ("query " + "@a " * 900 + "{ __typename }", "GRAPHQL_VALIDATION_FAILED"),
    "a conflict": (LICENCE % "a: name a: scheme", "GRAPHQL_VALIDATION_FAILED"),
    "31 aliases": (LICENCE % " ".join(f"a{n}: name" for n in range(31)), "LIMIT_EXCEEDED"),
    "aliases in fragments": (
        LICENCE % "...f ...g"
        + "".join(f" fragment {f} on Organisation {{ {' '.join(f'{f}{n}: name' for n in range(20))} }}" for f in "fg"),
        "LIMIT_EXCEEDED",
    ),
    "1,800 fields": (LICENCE % " ".join(["name"] * 1800), "LIMIT_EXCEEDED"),
    "2,500 fields": (LICENCE % " ".join(["name"] * 2500), "LIMIT_EXCEEDED"),
    "20,000 tokens": ("{" + " a" * 20_000 + "}", "LIMIT_EXCEEDED"),
    "200 deep": (LICENCE % ("... { " * 200 + "name" + " }" * 200), "LIMIT_EXCEEDED"),
    "900 deep": ("{ a " * 900 + "}" * 900, "LIMIT_EXCEEDED"),
    "20 deep": ("{ a " * 20 + "}" * 20, "LIMIT_EXCEEDED"),
    "a deep value": (
        "query @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: %s) { name } }" % ("[" * 950 + "]" * 950),
        "LIMIT_EXCEEDED",
    ),
    "a deep type": ("query($a: " + "[" * 900 + "Int" + "]" * 900 + ") { __typename }", "LIMIT_EXCEEDED"),
    "a bomb of fragments": (bomb(60, "name"), "LIMIT_EXCEEDED"),
    "a bomb of aliases": (bomb(25, "a: name"), "LIMIT_EXCEEDED"),
    "deep introspection": (
        "{ __schema { types { fields { type { " + "ofType { " * 30 + "name" + " }" * 35,
        "LIMIT_EXCEEDED",
    ),
    "wide introspection": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_that_is_refused(world: World, bearer: str, what: str) -> None:
    """Before it costs anything, and with one entry where it parses and selects a subject field (invariant 4)."""
    query, code = DOCUMENTS[what]
    content = json.dumps({"query": query, "variables": {"id": world.subject("ordinary")}})
    asks = "organisation(" in query and what not in ("2,500 fields", "200 deep", "a deep value")  # these do not parse
    with entered(world, 1 if asks else 0):
        response = send(world.graphql, content, bearer)
    refused(response, 400, code)
    assert len(response.content) < 20_000


VARIABLES: tuple[Any, ...] = (
    {},
    {"id": None},
    {"id": "9DBX00P78EZM4408ME17"},
    {"id": {"scheme": "LEI"}},
    {"id": {"scheme": "LEI", "value": 1}},
    {"id": {"scheme": "LEI", "value": None}},
    {"id": {"scheme": "PASSPORT", "value": "1"}},
    {"id": {"scheme": "LEI", "value": "x", "more": 1}},
    {"id": [{"scheme": "LEI", "value": "x"}] * 2},
)


@pytest.mark.parametrize("variables", VARIABLES)
def test_variables_that_do_not_fit(world: World, bearer: str, variables: Any) -> None:
    with entered(world):
        response = send(world.graphql, json.dumps({"query": LICENCE % "name", "variables": variables}), bearer)
    refused(response, 400, "GRAPHQL_VARIABLES_INVALID")


def test_names_change_nothing(world: World, bearer: str) -> None:
    """Invariant 14: under other names, in fragments and by conditions, a denied field stays denied."""
    query = """query($id: IdentifierInput!, $yes: Boolean!) @inquiry(purpose: LICENCE_RENEWAL) {
      name: organisation(id: $id) {
        scheme: name ...f @include(if: $yes) ... on Organisation { number: taxArrears { amount } } } }
    fragment f on Organisation { name: taxAwards { activity: title ...g } }
    fragment g on Record { record { id } }"""
    reply = post(world.graphql, bearer, query, {"id": world.subject("ordinary"), "yes": True})
    assert reply.data["name"].pop("scheme")
    assert reply.data["name"] == {"name": None, "number": None}
    assert [error["path"] for error in reply.errors] == [["name", "name"], ["name", "number"]]
    reply = post(world.graphql, bearer, query, {"id": world.subject("ordinary"), "yes": False})
    assert [error["path"] for error in reply.errors] == [["name", "number"]]
