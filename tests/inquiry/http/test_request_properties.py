"""Whatever bytes come give a request or a refusal, and a planted fault is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.errors import Code, Refusal
from gateway.inquiry.http import request as module
from gateway.inquiry.http.request import GraphQLRequest, declared, media_of, read, refused
from tests.inquiry.http.asked import BODY, JSON, Headers, inquiry, refusal


def attempt(method: str, headers: Headers, body: bytes) -> GraphQLRequest | Refusal:
    try:
        found = read(method, headers, body)
        declared(found.inquiry)
        return found
    except Refusal as refusal:
        return refusal


def outcome(method: str, headers: Headers, body: bytes) -> None:
    found = attempt(method, headers, body)
    if isinstance(found, Refusal):
        assert found.code in (Code.REQUEST_INVALID, Code.INQUIRY_INVALID)
        assert found.status in (400, 405, 406, 413, 415)
        assert msgspec.json.decode(refused(found, media_of(headers), None).body)["errors"]
    else:
        assert json.loads(body)["query"] == found.query
        assert msgspec.json.encode((found.query, found.operation_name, found.variables, declared(found.inquiry)))


@given(st.binary(max_size=300))
def test_any_body_gives_a_request_or_a_refusal(body: bytes) -> None:
    outcome("POST", JSON, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
members = st.sampled_from(["query", "operationName", "variables", "extensions", "more", ":"])


@given(st.dictionaries(members, json_values | st.just("{a}")), st.booleans())
def test_any_json_gives_a_request_or_a_refusal(content: dict[str, Any], ascii_only: bool) -> None:
    outcome("POST", JSON, json.dumps(content, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@given(st.lists(st.tuples(members, json_values), max_size=5), st.booleans())
def test_repeated_keys_are_always_found_and_others_never(pairs: list[tuple[str, Any]], ascii_only: bool) -> None:
    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)

    try:
        body = "{" + ", ".join(["\"query\": \"{a}\"", *(f"{dump(k)}: {dump(v)}" for k, v in pairs)]) + "}"  # fmt: skip
        encoded = body.encode()
    except (ValueError, UnicodeEncodeError):
        return
    keys = ["query", *(key for key, _ in pairs)]
    found = attempt("POST", JSON, encoded)
    told = found.message if isinstance(found, Refusal) else ""
    if not any(each in told for each in ("not JSON", "nested", "range", "surrogate")):
        assert ("same key twice" in told) == (len(set(keys)) < len(keys))


texts = st.text(alphabet=':a"\\ü', max_size=4)
usual_values = texts | st.dictionaries(texts, texts | st.integers(), max_size=2) | st.none()
usual_members = st.one_of(
    st.tuples(st.sampled_from(["query", "operationName"]), texts | st.none()),
    st.tuples(st.just("variables"), st.lists(st.tuples(texts, usual_values), max_size=3)),
    st.tuples(texts, texts),
)


@settings(max_examples=500)
@given(st.lists(usual_members, max_size=4), st.booleans())
def test_a_usual_body_is_read_as_any_other(pairs: list[tuple[str, Any]], ascii_only: bool) -> None:
    """Keys may come twice, at each level but the deepest."""

    def dump(value: Any) -> str:
        if isinstance(value, list):
            return "{" + ",".join(f"{dump(key)}:{dump(each)}" for key, each in value) + "}"
        return json.dumps(value, ensure_ascii=ascii_only)

    body = dump([("query", "{a}"), *pairs]).encode()
    usual = module._usually(body)
    if usual is not None:
        assert usual == module._operation(body)


def test_most_bodies_are_usual() -> None:
    variables = {"id": {"scheme": "LEI", "value": "a:b"}, "case": "C:1"}
    for more in ({}, {"variables": variables}, {"operationName": "A", "variables": {}}, {"operationName": None}):
        body = json.dumps({"query": "{ a: b }", **more}).encode()
        assert module._usually(body) == module._operation(body)


listed = st.sampled_from([b"accept", b"inquiry", b"content-type"])


@given(st.lists(st.tuples(listed, st.binary(max_size=3)), max_size=6))
def test_headers_that_come_several_times_are_one_list(headers: Headers) -> None:
    joined = module._joined(headers)
    for name in (b"accept", b"inquiry"):
        assert joined.get(name, b"") == b",".join(value for each, value in headers if each == name)
    types = [value for name, value in headers if name == b"content-type"]
    assert joined.get(b"content-type") == (b"several" if len(types) > 1 else types[0] if types else None)


@pytest.mark.parametrize("several", [(b"gzip", b"identity"), (b"identity", b"gzip"), (b"", b"br", b"")])
def test_any_encoding_but_none_is_refused(several: tuple[bytes, ...]) -> None:
    assert refusal(headers=[*JSON, *((b"content-encoding", each) for each in several)]).status == 415
    assert read("POST", [*JSON, (b"content-encoding", b" Identity"), (b"content-encoding", b"")], BODY)


header = st.tuples(
    st.sampled_from([b"accept", b"content-type", b"inquiry", b"content-encoding"]),
    st.binary(max_size=60) | st.sampled_from([b"application/json", b'purpose=A, case="b"', b"*/*", b"identity"]),
)


@given(st.sampled_from(["POST", "GET"]) | st.text(max_size=5), st.lists(header, max_size=5))
def test_any_headers_give_a_request_or_a_refusal(method: str, headers: Headers) -> None:
    outcome(method, headers, BODY)


@given(st.text(alphabet='purposecase=",;()?:@%*ABC 01\\\t.-', max_size=40))
def test_any_inquiry_header_gives_a_request_or_a_refusal(value: str) -> None:
    outcome("POST", inquiry(value.encode()), BODY)


_READ = read


def _reads_another_query(*given: Any) -> GraphQLRequest:
    found = _READ(*given)
    return msgspec.structs.replace(found, query=f"{found.query} ")


def _refuses_with_500(*given: Any) -> GraphQLRequest:
    try:
        return _READ(*given)
    except Refusal as refusal:
        refusal.status = 500
        raise


@pytest.mark.parametrize("fault", [_reads_another_query, _refuses_with_500])
def test_the_properties_fail_when_a_fault_is_planted(
    fault: Callable[..., GraphQLRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "read", fault)

    @settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate])
    @given(st.dictionaries(members, json_values | st.just("{a}")), st.lists(header, max_size=5))
    def run(content: dict[str, Any], headers: Headers) -> None:
        outcome("POST", headers or JSON, json.dumps(content).encode())

    with pytest.raises(AssertionError):
        run()
