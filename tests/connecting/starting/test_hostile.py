"""Descriptions of strangers who mean harm: nothing is fetched, sent, run or written that nobody asked for."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway import documents
from gateway.connecting.starting import getting
from gateway.connecting.starting.openapi.references import MOST_SCHEMAS
from tests.configured import secret
from tests.connecting.starting.making import Made, api, gateway, get, of_openapi, record, run

DUE = record(due={"type": "string"})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization"), self.headers.get("host") or ""))
        status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Tests need no log."""


class Server(http.server.ThreadingHTTPServer):
    """A server that notes who asks for what, and answers what a test says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None, str]] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def described(self, document: dict[str, Any]) -> str:
        """Serve it; gives its address."""
        self.answers["/openapi.json"] = (200, {}, json.dumps(document).encode())
        return f"{self.url}/openapi.json"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


def of_address(config: Path, address: str, *more: object) -> Made:
    return run("tax", "--openapi", address, "--config", config, *more)


def whole(made: Made) -> None:
    """It ended well and its parts load, or it said in a few lines why not."""
    assert made.status in (0, 1)
    assert "Traceback" not in made.err
    if made.status == 0:
        assert list(YAML(typ="safe", pure=True).load_all(made.out))
    else:
        assert made.out == ""
        assert made.err.strip()


# References


@pytest.mark.parametrize(
    "reference",
    [
        "{url}/schemas.json#/Record",
        "schemas.json#/Record",
        "file:///etc/passwd",
        "//127.0.0.1/x",
        "#/nowhere",
        "#record",
    ],
)
def test_no_reference_leaves_the_document(config: Path, server: Server, reference: str) -> None:
    server.answers["/schemas.json"] = (200, {}, json.dumps({"Record": DUE}).encode())
    away = {"$ref": reference.format(url=server.url)}
    paths = {"/a/{lei}/arrears": get(away), "/b/{lei}/arrears": get(record(due=away, paid={"type": "boolean"}))}
    made = of_address(config, server.described(api(paths)))
    assert [path for path, _, _ in server.asked] == ["/openapi.json"]
    assert "passed over: GET /a/{lei}/arrears: `$ref: " in made.out
    assert made.line("passed over: `due`: `$ref: ")
    assert list(made.datasets()["tax-arrears"]["fields"]) == ["noticeNo", "paid"]


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"$ref": "#/components/schemas/A"}},
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"properties": {"a": {"$ref": "#/components/schemas/A"}, "b": {"$ref": "#/components/schemas/A"}}}},
        {"A": {"oneOf": [{"$ref": "#/components/schemas/A"}] * 8, "anyOf": [{"$ref": "#/components/schemas/A"}] * 8}},
        {"A": {"type": "array", "items": {"$ref": "#/components/schemas/A"}}},
        {f"{chr(65 + n)}": {"properties": {c: {"$ref": f"#/components/schemas/{chr(66 + n)}"} for c in "abcdefgh"}}
         for n in range(20)},
        {f"{chr(65 + n)}": {"allOf": [{"$ref": f"#/components/schemas/{chr(66 + n)}"}] * 8} for n in range(20)},
    ],
    ids=["itself", "each other", "all of itself", "within itself", "alternatives", "lists", "wide", "combined"],
)  # fmt: skip
def test_references_in_circles_and_trees_without_end_end(config: Path, schemas: dict[str, Any]) -> None:
    of = {"$ref": "#/components/schemas/A"}
    paths = {"/a/{lei}/arrears": get(of), "/b/{lei}/arrears": get(record(a=of)), "/c/{lei}/arrears": get(DUE, at="x")}
    made = of_openapi(config, api(paths, components={"schemas": schemas}))
    whole(made)
    assert any("due" in each["fields"] for each in made.datasets().values())


def test_what_holds_each_other_is_looked_at_so_often_and_no_more(config: Path) -> None:
    """Without a bound on the whole document, a few hundred KB would take hours."""
    many = {
        f"S{depth}": {"properties": {f"p{n}": {"$ref": f"#/components/schemas/S{depth + 1}"} for n in range(200)}}
        for depth in range(20)
    }
    paths = {f"/{number}/{{lei}}/arrears": get(record(a={"$ref": "#/components/schemas/S0"})) for number in range(60)}
    made = of_openapi(config, api(paths, components={"schemas": many}))
    assert made.datasets()
    assert f"more than {MOST_SCHEMAS} schemas within each other" in made.out


# Size, depth, anchors


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nopenapi: 3.0.0\n", "anchors, aliases and tags are not allowed"),
        ("openapi: 3.0.0\nx: !!python/object/apply:os.system [id]\n", "anchors, aliases and tags are not allowed"),
        ("{" * 30_000, "not JSON"),
        ('{"a":' * 30_000, "nested too deep"),
        ('{"openapi": "3.0.0", "x": ' + "[" * 100 + "]" * 100 + "}", "nested more than"),
        ("openapi: 3.0.0\nx: " + "[" * 3_000, "nested more than"),
        ("- " * 3_000, "nested more than"),
        ('{"openapi": "3.0.0", "x": [' + ",".join("0" * 500_000) + "]}", "values"),
        ("openapi: 3.0.0\nx: [" + "0, " * 10_000 + "]\n", "has more than one file may"),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8"),
        (b'{"openapi": "3.0.0", "x": "\xff"}', "is not UTF-8"),
        ('{"openapi": "3.0.0", "x": "\\ud800"}', ""),
        ("\x00", ""),
        ("", ""),
        ("[]", "no mapping"),
        ('"3.0.0"', "no mapping"),
        ("swagger: '2.0'\n", "no key `openapi`"),
        ("openapi: 3.2.0\n", "only OpenAPI 3.0 and 3.1"),
        ("openapi: [3]\n", "no key `openapi`"),
        ("openapi: 3.0.0\npaths: 5\n", "no operation"),
        ("x" * (getting.MOST_BYTES + 1), "larger than 8 MiB"),
        ("# " + "x" * (1 << 20), "save it as JSON"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_description_is_refused_in_words(
    config: Path, text: str | bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "has more than one file may":
        monkeypatch.setattr(documents, "MOST_TOKENS", 10_000)  # to read as many as there may be takes seconds
    made = of_openapi(config, text)
    whole(made)
    assert made.status == 1
    assert why in made.err
    assert len(made.err) < 4_000


def test_a_pattern_is_never_run_and_an_example_is_nothing(config: Path) -> None:
    evil = {"type": "string", "pattern": "^(a|a)*$", "example": "a" * 50 + "!", "default": "a" * 5_000}
    made = of_openapi(config, api({"/companies/{lei}/arrears": get(record(due=evil))}))
    assert made.datasets()["tax-arrears"]["fields"]["due"] == "due"
    assert "aaaa" not in made.out


# Names

NAMES = [
    'x"\n  evil: {kind: sql, url: "sqlite:///x"}\n#',
    "x: {{a: b}}",
    "x # y",
    "- x",
    "x\x00y",
    "x\x1b[31my",
    "x\u202ey",
    "x\u2028y",
    "x\x85y",
    "&a *b !c",
    "%YAML 1.1",
    "---\n...",
    "null",
    "true",
    "1e3",
    "{value}",
    "имя",
    "x" * 5_000,
    "'x'",
    "\\x",
    "a.b",
    "a[0]",
    "",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_whatever_things_are_called_stays_text_on_its_line(config: Path, name: str) -> None:
    schema = record(**{name: {"type": "string", "title": name, "description": name}})
    paths = {
        "/companies/{lei}/arrears": get(schema, summary=name, operationId=name),
        f"/companies/{{lei}}/{name}": get(schema),
        f"/{name}": get({"$ref": f"#/{name}"}),
        "/companies/{lei}/notices": get(DUE, at=name),
    }
    more = {
        "info": {"title": name},
        "servers": [{"url": name}],
        "security": [{name: []}],
        "components": {"securitySchemes": {name: {"type": name, "scheme": name, "flows": {name: name}}}},
    }
    made = of_openapi(config, {**api(paths), **more}, "--purpose", "CHECKS", "--client", "someone")
    whole(made)
    assert made.status == 0
    source, catalogue, purpose, requesters = made.parts
    assert list(source) == ["tax"]
    assert source["tax"]["kind"] == "rest"
    assert list(source["tax"]) == ["kind", "base_url", "auth", "datasets"]
    assert list(catalogue) == ["department", "title", "datasets"]
    assert list(purpose) == ["CHECKS"]
    assert len(requesters) == 1
    assert source["tax"]["datasets"].keys() == catalogue["datasets"].keys() == purpose["CHECKS"]["fields"].keys()
    for text in (made.out, made.err):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", text)
    for each in catalogue["datasets"].values():
        assert all(re.fullmatch("[a-z][A-Za-z0-9]{0,60}", field) for field in each["fields"])
    assert max(map(len, made.out.splitlines())) < 1_000


# Addresses


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        ("/api", "/api"),
        ("api/", "/api"),
        ("{here}/v2", "/v2"),
        ("https://evil.example/api", None),
        ("//evil.example/api", None),
        ("http://127.0.0.1:1/api", None),
        ("{here}@evil.example/api", None),
        ("http://user:password@{host}/api", None),
        ("file:///etc/passwd", None),
        ("javascript:alert(1)", None),
        ("{scheme}://{host}/api", None),
        ("\\\\evil.example\\api", None),
        ("http:///", ""),
        ("http://[::1", None),
        (5, None),
    ],
    ids=str,
)
def test_a_server_is_believed_only_at_the_address_that_was_given(
    config: Path, server: Server, named: object, taken: str | None
) -> None:
    said = named
    if isinstance(said, str) and "{scheme}" not in said:
        said = said.replace("{here}", server.url).replace("{host}", server.url.removeprefix("http://"))
    made = of_address(config, server.described(api({"/{lei}/arrears": get(DUE)}, servers=[{"url": said}])))
    base = made.parts[0]["tax"]["base_url"]
    assert base == (None if taken is None else f"{server.url}{taken}")
    assert "password" not in made.out
    assert (": # guess" if base else "# gap") in made.line("base_url:").replace(f" {json.dumps(base)}  #", " #")


def test_a_token_goes_to_the_given_address_alone(config: Path, server: Server, tmp_path: Path) -> None:
    token = secret(tmp_path / "token", "wort\n")
    with Server() as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        schemes = {"o": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": f"{other.url}/token"}}}}
        document = api(
            {"/{lei}/arrears": get({"$ref": f"{other.url}/x"}), "/{lei}/notices": get(DUE)},
            servers=[{"url": other.url}],
            components={"securitySchemes": schemes},
        )
        made = of_address(config, server.described(document), "--token-file", token)
        server.answers["/moved"] = (302, {"location": f"{other.url}/openapi.json"}, b"")
        moved = of_address(config, f"{server.url}/moved", "--token-file", token)
        other.shutdown()
        assert other.asked == []
    assert [authorization for _, authorization, _ in server.asked] == ["Bearer wort"] * 2
    assert made.parts[0]["tax"]["auth"]["token_url"] is None
    assert made.parts[0]["tax"]["base_url"] is None
    assert other.url not in made.out.replace(f"$ref: {other.url}/x", "")
    assert (moved.status, "is not followed" in moved.err) == (1, True)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://tax.example/openapi.json", "is not encrypted"),
        ("https://user:password@127.0.0.1:1/openapi.json", "without user or password"),
        ("https://", "is no address"),
        ("http://[::1", "is no address"),
        ("http://127.0.0.1:1/openapi.json", "cannot be fetched"),
        ("https://127.0.0.1:99999/", "is no address"),
        ("nowhere.json", "cannot be read"),
        ("http://127.0.0.1:1/a b\n", "cannot be fetched"),
    ],
)
def test_an_address_that_cannot_be_asked_is_told(config: Path, address: str, why: str) -> None:
    made = of_address(config, address)
    whole(made)
    assert why in made.err
    assert "\n" not in made.err.strip()


def test_what_may_be_a_secret_of_an_address_is_not_repeated(config: Path) -> None:
    for address in ("https://user:geheim@127.0.0.1:1/x", "http://tax.example/x?token=geheim", "https://[geheim?geheim"):
        made = of_address(config, address)
        assert made.status == 1
        assert "geheim" not in (made.out + made.err).replace("[geheim`", "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, {}, b"{}"), "status 401"),
        ((200, {"content-encoding": "gzip"}, b"\x1f\x8b"), "compressed"),
        ((200, {}, b"<html>"), "no mapping"),
        ((200, {}, b" " * (getting.MOST_BYTES + 1)), "more than 8 MiB"),
        ((204, {}, b""), "status 204"),
    ],
    ids=["refused", "gzip", "html", "without end", "nothing"],
)
def test_an_answer_that_is_no_description_is_told(
    config: Path, server: Server, answer: tuple[int, dict[str, str], bytes], why: str
) -> None:
    server.answers["/openapi.json"] = answer
    made = of_address(config, f"{server.url}/openapi.json")
    whole(made)
    assert why in made.err


def test_a_token_that_others_may_read_is_not_sent(config: Path, server: Server, tmp_path: Path) -> None:
    token = secret(tmp_path / "token", "wort\n")
    token.chmod(0o644)
    made = of_address(config, server.described(api({"/{lei}/arrears": get(DUE)})), "--token-file", token)
    assert "chmod 600" in made.err
    assert server.asked == []
