"""The configuration of a REST department: what is read, and where a mistake is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors import rest
from tests.configured import secret
from tests.connectors.asking import ACME, SHAPES, places, written
from tests.connectors.rest_source import ARREARS, AWARDS, BATCH, RECORD, arrears, config

TOKENS = [
    "0123456789abcdef0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "AKIAIOSFODNN7EXAMPLE2cmN4d8",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "key 9f86d081884c7d659a2feaa0c55ad015",
]
STEPS = ["/../{scheme}/{value}", "/x/./{value}", "/{value}/..", "/%2E%2e/{value}", "/x/.%2e/{value}?y=1"]
SEPARATOR = ("datasets", "arrears", "batch", "separator")


def test_what_is_no_mistake_is_not_told() -> None:
    """A version, a client's public name, an LEI; two lists of one answer."""
    node = written({
        **config("https://tax.example", {"records": "arrears"}, {"path": ARREARS["path"], "records": "awards"}),
        "headers": {
            "x-api-version": "2026-01", "X-Road-Client": "EE/GOV/70006317/licence-register-2",
            "x-client": "application-name-version-2026-01-02", "x-lei": ACME.value,
            "x-client-id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        },
        "limits": {"timeout": "2s", "breaker": {"window": "2s"}},
    })  # fmt: skip
    rest.build(node, SHAPES)
    assert node.problems == []


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"base_url": None}, (), "`base_url` is missing"),
        ({"base_url": "ftp://x"}, ("base_url",), "must be an https URL"),
        ({"base_url": "http://tax.example"}, ("base_url",), "`allow_plain_http: true`"),
        ({"base_url": "https://u:p@tax.example"}, ("base_url",), "no user or password"),
        ({"base_urll": "x"}, ("base_urll",), "did you mean `base_url`?"),
        ({"limits": {"timeout": 2}}, ("limits", "timeout"), "a duration, as `5s`"),
        ({"limits": {"timeout": "0s"}}, ("limits", "timeout"), "more than nothing"),
        ({"limits": {"max_bytes": "1MB"}}, ("limits", "max_bytes"), "a size, as `64KiB`"),
        ({"limits": {"concurrency": 0}}, ("limits", "concurrency"), "from 1"),
        ({"limits": {"breaker": {"failure": 1}}}, ("limits", "breaker", "failure"), "did you mean `failures`?"),
        ({"auth": {"kind": "bearer"}}, ("auth", "kind"), "did you mean `bearer_file`?"),
        ({"auth": {"kind": "bearer_file", "file": "no.txt"}}, ("auth", "file"), "there is no file"),
        ({"tls": {"ca_file": "empty.pem"}}, ("tls", "ca_file"), "PEM"),
        ({"headers": {"Authorization": "x"}}, ("headers", "Authorization"), "under `auth`"),
        ({"headers": {"x": "a\nb"}}, ("headers", "x"), "one line"),
        ({"headers": {"a b": "x"}}, ("headers", "a b"), "`a b` is no name of a header"),
        ({"headers": {"é": "x"}}, ("headers", "é"), "`é` is no name of a header"),
        ({"headers": {"X-API-Key": "7"}}, ("headers", "X-API-Key"), "looks like a credential"),
        ({"headers": {"x-access-token": "7"}}, ("headers", "x-access-token"), "looks like a credential"),
        ({"headers": {"x-for": "Bearer abc"}}, ("headers", "x-for"), "looks like a credential"),
        (
            {"datasets": {"arrears": {**ARREARS, "record": {**RECORD, "version": RECORD["id"]}}}},
            ("datasets", "arrears", "record", "version"),
            "is the record's id",
        ),
        ({"datasets": {}}, ("datasets",), "at least one"),
        ({"datasets": {"arrears": {**ARREARS, "path": "/x"}}}, ("datasets", "arrears", "path"), "must hold `{value}`"),
        ({"datasets": {"arrears": {**ARREARS, "path": "/{id}"}}}, ("datasets", "arrears", "path"), "`{id}` is not one"),
        ({"datasets": {"arrears": {**ARREARS, "path": "x{value}"}}}, ("datasets", "arrears", "path"), "begins with"),
        (
            {"datasets": {"arrears": {**ARREARS, "paging": {"next": "items.next"}}}},
            ("datasets", "arrears", "paging", "next"),
            "beside the list",
        ),
        (
            {"datasets": {"arrears": {**ARREARS, **BATCH, "record": {**RECORD, "subject": {"not_returned": "old"}}}}},
            ("datasets", "arrears", "batch"),
            "cannot be distinguished",
        ),
        (
            {
                "datasets": {
                    "arrears": {
                        **ARREARS,
                        "paging": {"next": "next"},
                        "record": {**RECORD, "subject": {"not_returned": "old"}},
                    }
                }
            },
            ("datasets", "arrears", "paging"),
            "cannot be distinguished",
        ),
        *[({"headers": {"x-client": value}}, ("headers", "x-client"), "looks like a credential") for value in TOKENS],
        ({"headers": {"x-gateway-key": "7"}}, ("headers", "x-gateway-key"), "looks like a credential"),
        *[
            ({"headers": {name: "5"}}, ("headers", name), "not a header to set here")
            for name in ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding", "User-Agent")
        ],
        ({"headers": {"x-a": "a", "X-A": "b"}}, ("headers", "X-A"), "appears twice"),
        *[({"datasets": arrears(path=path)}, ("datasets", "arrears", "path"), "the steps") for path in STEPS],
        *[
            ({"datasets": arrears(batch={**BATCH["batch"], "separator": by})}, SEPARATOR, "what no identifier holds")
            for by in ("&", "=", "#", "?", "/", "A", "7", "-", ".", "_", "~", "%", "%41", "&type=", ",&", "+")
        ],
        *[
            ({"datasets": arrears(records=path)}, ("datasets", "arrears", "records"), "without brackets")
            for path in ("items[0]", "data.items[]", "[0]")
        ],
        (
            {"datasets": {**arrears(), "awards": {**AWARDS, "path": ARREARS["path"]}}},
            ("datasets", "awards"),
            "same list",
        ),
        ({"limits": {"breaker": {"window": "1ms"}}}, ("limits", "breaker", "window"), "than a call may take"),
        ({"limits": {"records": 0}}, ("limits", "records"), "from 1"),
        ({"echo": "X Request"}, ("echo",), "the name of a header"),
        ({"echo": "Accept"}, ("echo",), "another meaning already"),
        ({"echo": "X-Version", "headers": {"x-version": "1"}}, ("echo",), "another meaning already"),
        ({"echo": "X-Request-ID", "transport": "httpx"}, ("echo",), "has no use with `transport: httpx`"),
        ({"datasets": {"arrears": {**ARREARS, "no_records": 404}}}, ("datasets", "arrears", "no_records"), "a list"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(
    change: dict[str, Any], where: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    node = written({**config("https://tax.example"), **change}, tmp_path)
    rest.build(node, SHAPES)
    assert places(node, words) == [".".join(where)], node.problems


def test_the_configuration_of_the_contract_is_read(tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s")
    text = json.dumps(
        {
            **config("https://tax.example/api"),
            "auth": {
                "kind": "client_credentials",
                "token_url": "https://login.example/token",
                "client_id": "gateway",
                "client_secret_file": "secret",
            },
            "limits": {
                "timeout": "2s",
                "concurrency": 64,
                "retries": 2,
                "breaker": {"failures": 5, "open_for": "10s"},
                "max_bytes": "1MiB",
            },
        }
    )
    node = written(json.loads(text), tmp_path)
    assert rest.build(node, SHAPES) is not None
    assert node.problems == []
