"""GraphQL over HTTP and the `Inquiry` header: what is a request, and what anything else is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import STATUS, Code, Refusal
from gateway.inquiry.http.request import MAX_NESTING, GraphQLRequest, Media, declared, media_of, read, refused
from tests.inquiry.http.asked import BODY, JSON, accepting, inquiry, refusal


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
        (b'{"query": "\xff"}', "not in UTF-8"),
        (b'\xef\xbb\xbf{"query": "{a}"}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": NaN}}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": -Infinity}}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": 1e999}}', "out of range"),
        (b'{"query": "\\ud800"}', "half of a surrogate pair"),
        (b'{"query": "\\ud83d\\u0041", "query": ""}', "half of a surrogate pair"),
        (b'{"query": "\\ud800"', "not JSON"),
        (b'{"query": "{a}"} {}', "not JSON"),
        (b'{"query": "{a}", "variables": {"a": 9223372036854775808}}', "out of range"),
        (b'{"query": "{a}", "variables": {"a": [-' + b"9" * 400 + b"]}}", "out of range"),
        (b"[" * 60_000, "nested more than"),
        (b'{"a":' * 10_000, "nested more than"),
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
        (b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}', "Persisted queries"),
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
        (b"purpose=A;x=1", "must be a token, as `purpose=TENDER_QUALIFICATION`, without parameters"),
        (b"purpose=(A B)", "must be a token"),
        (b"purpose=A, case=C", "must be a string"),
        (b"purpose=A, case=:aGk=:", "must be a string"),
        (b'purpose=A, case=%"x"', "must be a string"),
        (b"purpose=A, case", "must be a string"),
        (b"purpose=A, colour=B", "an unknown key, `colour`; it may have `purpose`, `case`"),
        (b"purpose=A, purpose=B", "has `purpose` twice; keep one"),
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
