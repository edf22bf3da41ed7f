"""GraphQL over HTTP and the `Inquiry` header: what is a request, and what anything else is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.errors import STATUS, Code, Refusal
from gateway.inquiry.http import request as module
from gateway.inquiry.http.request import MAX_NESTING, GraphQLRequest, Media, declared, media_of, read, refused

Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"host", b"gateway.example"), (b"content-type", b"application/json")]
BODY = b'{"query": "{ a }"}'


def accepting(*accepts: bytes) -> Headers:
    return [*JSON, *((b"accept", accept) for accept in accepts)]


def refusal(body: bytes = BODY, headers: Headers = JSON, method: str = "POST", limit: int = 65536) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(method, headers, body, limit)
    return caught.value


def test_a_whole_request_is_read() -> None:
    body = {
        "query": "query A { a }",
        "operationName": "A",
        "variables": {"x": [1, None, "ü: :"]},
        "extensions": {"e": 1},
    }
    request = read("POST", accepting(b"application/graphql-response+json"), json.dumps(body).encode())
    assert request == GraphQLRequest("query A { a }", "A", {"x": [1, None, "ü: :"]}, None, Media.RESPONSE)


@pytest.mark.parametrize("member", ["operationName", "variables", "extensions"])
def test_null_is_as_good_as_nothing(member: str) -> None:
    assert read("POST", JSON, json.dumps({"query": "{a}", member: None}).encode()) == read(
        "POST", JSON, b'{"query": "{a}"}'
    )


def test_members_reserved_for_later_are_passed_over() -> None:
    assert read("POST", JSON, b'{"query": "{a}", "later": {"on": [1]}}').query == "{a}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b'{ "not a JSON', "not JSON"),
        (b'{"query": "\xff"}', "not JSON"),
        (b'\xef\xbb\xbf{"query": "{a}"}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": NaN}}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": -Infinity}}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": 1e999}}', "not JSON"),
        (b'{"query": "\\ud800"}', "not JSON"),
        (b'{"query": "{a}"} {}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": 9223372036854775808}}', "out of range"),
        (b'{"query": "{a}", "variables": {"a": [-' + b"9" * 400 + b"]}}", "out of range"),
        (b"[" * 60_000, "not JSON"),
        (b'{"a":' * 10_000, "not JSON"),
        (b'[{"query": "{a}"}]', "not a list"),
        (b"null", "must be a JSON object"),
        (b'"query"', "must be a JSON object"),
        (b"{}", "`query` must be a string"),
        (b'{"qeury": "{a}"}', "`query` must be a string"),
        (b'{"query": null}', "`query` must be a string"),
        (b'{"query": "{a}", "operationName": 1}', "`operationName`"),
        (b'{"query": "{a}", "operationName": ["A"]}', "`operationName`"),
        (b'{"query": "{a}", "variables": "x"}', "`variables`"),
        (b'{"query": "{a}", "variables": [1]}', "`variables`"),
        (b'{"query": "{a}", "extensions": false}', "`extensions`"),
        (b'{"query": "{a}", "extensions": {"persistedQuery": {}}}', "Persisted queries"),
        (b'{"query": "{a}", "query": "{b}"}', "same key twice"),
        (b'{"query": "{a}", "variables": {"a": {"b": 1, "b": 1}}}', "same key twice"),
        (b'{"query": "{a}", "variables": {"a": [{"b": 1, "b": {}}]}}', "same key twice"),
        (b'{"query": "{a}", "variables": {"a": 1, "\\u0061": 2}}', "same key twice"),
        (b'{"query": "{a\\u003a}", "query": "{a}"}', "same key twice"),
        (b'{"query": "{a}", "variables": {"a": 1, "a": 2, "b": "\\u003a"}}', "same key twice"),
        (b'{"query": "{a}", "variables": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}", "nested more than"),
        (b'{"query": "{a}", "variables": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "nested more than"),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(body: bytes, told: str) -> None:
    found = refusal(body)
    assert (found.code, found.status) == (Code.REQUEST_INVALID, 400)
    assert told in found.message


def test_escaped_colons_and_deep_values_within_bounds_are_fine() -> None:
    deep: Any = "\u003a"
    for _ in range(MAX_NESTING - 4):
        deep = {":": [deep]} if isinstance(deep, str) else [deep]
    body = json.dumps({"query": "{a}:", "variables": {"é": deep, "n": -(2**63)}})
    assert read("POST", JSON, body.encode().replace(b":]", b"\\u003a]")).variables["é"] == deep


def test_a_long_body() -> None:
    assert refusal(b" " * 100, limit=99).status == 413
    assert refusal(b" " * 100, limit=100).status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "post", "", "X" * 5000])
def test_only_post(method: str) -> None:
    found = refusal(method=method)
    assert (found.code, found.status, found.headers) == (Code.REQUEST_INVALID, 405, {"Allow": "POST"})


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"application/graphql",
        b"application/x-www-form-urlencoded",
        b"application/jsonx",
        b"application/json; charset=latin-1",
        b'application/json;charset="utf-16"',
        b"\xff",
    ],
)
def test_only_json_in_utf8(content_type: bytes) -> None:
    assert refusal(headers=[(b"content-type", content_type)]).status == 415


def test_one_uncompressed_content_type() -> None:
    assert refusal(headers=[]).status == 415
    assert refusal(headers=JSON + JSON).status == 415
    assert refusal(headers=[*JSON, (b"content-encoding", b"gzip")]).status == 415
    assert read("POST", [*JSON, (b"content-encoding", b"identity")], BODY).query == "{ a }"


@pytest.mark.parametrize(
    "content_type", [b"application/json", b"Application/JSON; Charset=UTF-8", b'application/json;charset="utf-8";x=y']
)
def test_json_as_clients_write_it(content_type: bytes) -> None:
    assert read("POST", [(b"content-type", content_type)], BODY).query == "{ a }"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (b"application/graphql-response+json", Media.RESPONSE),
        (b"application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", Media.RESPONSE),
        (b"application/json, application/graphql-response+json", Media.RESPONSE),
        (b"application/graphql-response+json, application/json;q=0.9", Media.RESPONSE),
        (b"application/graphql-response+json;q=0.5, application/json", Media.JSON),
        (b"application/graphql-response+json;q=0, */*", Media.JSON),
        (b"application/json;q=0, */*", Media.RESPONSE),
        (b"application/json", Media.JSON),
        (b"*/*", Media.JSON),
        (b"application/*", Media.JSON),
        (b"text/html, */*;q=0.1", Media.JSON),
        (b"APPLICATION/GraphQL-Response+JSON", Media.RESPONSE),
        (b"text/html", None),
        (b"application/json;q=0", None),
        (b"application/json;q=2", None),
        (b"application/json;q=x", None),
        (b"application/json; charset=latin-1", None),
        (b"*/*;q=0", None),
        (b"", None),
        (b",,;;", None),
    ],
)
def test_accept(accept: bytes, media: Media | None) -> None:
    if media is None:
        assert refusal(headers=accepting(accept)).status == 406
        assert media_of(accepting(accept)) is Media.JSON
    else:
        assert read("POST", accepting(accept), BODY).media is media
        assert media_of(accepting(accept)) is media


def test_accept_missing_or_in_several_lines() -> None:
    assert read("POST", JSON, BODY).media is Media.JSON
    assert media_of(JSON) is Media.JSON
    assert read("POST", accepting(b"text/html", b"application/graphql-response+json"), BODY).media is Media.RESPONSE


def inquiry(*values: bytes) -> Headers:
    return [*JSON, *((b"inquiry", value) for value in values)]


def test_the_inquiry_header() -> None:
    asked = read("POST", inquiry(b'purpose=TENDER_QUALIFICATION, case="C \\"1\\""', b'reference="r"'), BODY)
    assert declared(asked.inquiry) == {"purpose": "TENDER_QUALIFICATION", "case": 'C "1"', "reference": "r"}
    assert declared(read("POST", JSON, BODY).inquiry) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b'purpose="TENDER"', "must be a token"),
        (b"purpose", "must be a token"),
        (b"purpose=1", "must be a token"),
        (b"purpose=A;x=1", "must be a token"),
        (b"purpose=(A B)", "must be a token"),
        (b"purpose=A, case=C", "must be a string"),
        (b"purpose=A, case=:aGk=:", "must be a string"),
        (b'purpose=A, case=%"x"', "must be a string"),
        (b"purpose=A, case", "must be a string"),
        (b"purpose=A, colour=B", "unknown key"),
        (b"purpose=A, purpose=B", "not a dictionary"),
        (b"Purpose=A", "not a dictionary"),
        (b"purpose=A,", "not a dictionary"),
        (b'case="open', "not a dictionary"),
        (b'case="\xc3\xa9"', "not a dictionary"),
        (b"=", "not a dictionary"),
        (b"", "not a dictionary"),
        (b"purpose=A" + b" " * 3000, "longer than"),
    ],
)
def test_a_bad_inquiry_header(value: bytes, told: str) -> None:
    asked = read("POST", inquiry(value), BODY)
    with pytest.raises(Refusal) as found:
        declared(asked.inquiry)
    assert (found.value.code, found.value.status) == (Code.INQUIRY_INVALID, 400)
    assert told in found.value.message


def test_a_refusal_under_both_media_types() -> None:
    invalid = Refusal(
        Code.GRAPHQL_PARSE_FAILED, "Syntax Error: x", locations=[{"line": 1, "column": 2}], path=["a", 0], hint="h"
    )
    answer = refused(invalid, Media.RESPONSE, b'{"id":"1"}')
    assert (answer.status, answer.headers) == (
        400,
        {"content-type": "application/graphql-response+json; charset=utf-8"},
    )
    assert json.loads(answer.body) == {
        "errors": [
            {
                "message": "Syntax Error: x",
                "locations": [{"line": 1, "column": 2}],
                "path": ["a", 0],
                "extensions": {"code": "GRAPHQL_PARSE_FAILED", "hint": "h"},
            }
        ],
        "extensions": {"inquiry": {"id": "1"}},
    }
    assert refused(invalid, Media.JSON, None).status == 200
    assert refused(invalid, Media.JSON, None).headers == {"content-type": "application/json; charset=utf-8"}


@pytest.mark.parametrize("code", list(Code))
def test_the_status_of_every_code(code: Code) -> None:
    assert refused(Refusal(code, "m"), Media.RESPONSE, None).status == STATUS.get(code, 400)
    lenient = code.value.startswith("GRAPHQL_")
    assert refused(Refusal(code, "m"), Media.JSON, None).status == (200 if lenient else STATUS.get(code, 400))


def test_headers_of_a_refusal_reach_the_answer() -> None:
    answer = refused(Refusal(Code.REQUEST_INVALID, "m", status=405, headers={"Allow": "POST"}), Media.JSON, None)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


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
    if "not JSON" not in told and "nested" not in told and "range" not in told:
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
