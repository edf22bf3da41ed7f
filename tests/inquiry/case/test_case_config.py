"""`case_registries` of `gateway.yaml`: what is read, and what each mistake is told, with line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import pytest

from connectors.kinds import CASES
from gateway.documents import parse
from gateway.errors import Problem
from gateway.inquiry.case import config as case_config
from gateway.values import Document
from tests.configured import secret
from tests.connectors.asking import written
from tests.docs.reading import ROOT
from tests.inquiry.registry import Simulator, verify


async def test_a_registry_as_configured_authenticates_the_gateway(simulator: Simulator, tmp_path: Path) -> None:
    secret(tmp_path / "secret", "s3cret\n")
    auths: dict[str, Any] = {
        "bearer": {"kind": "bearer", "token_file": "secret"},
        "basic": {"kind": "basic", "username": "gateway", "password_file": "secret"},
    }
    config = {name: {"kind": "case-rest", "url": simulator.url + "/", "auth": auth} for name, auth in auths.items()}
    node = written(config, tmp_path)
    cases = case_config.build(node, CASES)
    assert node.problems == []
    for name in auths:
        await verify(cases, registry=name)
    bearer, basic = ({line.lower() for line in head.split("\r\n")} for head in simulator.requests)
    assert "authorization: bearer s3cret" in bearer
    assert "authorization: basic z2f0zxdhetpzm2nyzxq=" in basic
    assert "GET /cases/C-2 HTTP/1.1" in simulator.requests[0]
    await cases.close()


def test_defaults_and_measures() -> None:
    given = {"kind": "case-rest", "url": "https://cases.example/api"}
    measured = {"timeout": "500ms", "max_bytes": "1MiB", "cache": "1m"}
    node = written({"plain": given, "measured": given | measured, "fresh": given | {"cache": "0s"}})
    cases = case_config.build(node, CASES)
    assert node.problems == []
    plain, measured_, fresh = cases._registries.values()
    assert (plain.timeout, plain.source._max_bytes, plain.cache) == (2.0, 65536, 30.0)  # type: ignore[attr-defined]
    assert (measured_.timeout, measured_.source._max_bytes, measured_.cache) == (0.5, 2**20, 60.0)  # type: ignore[attr-defined]
    assert fresh.cache == 0


async def test_the_example_of_the_deployment_page_loads(tmp_path: Path) -> None:
    """Its key leads to a registry of each kind."""
    page = (ROOT / "deploy" / "README.md").read_text("utf-8")
    example = page.partition("# gateway.yaml, its key for case registries\n")[2].partition("```")[0]
    for name in ("market.token", "courts.secret"):
        secret(tmp_path / name, "s3cret\n")
    (tmp_path / "internal-ca.pem").write_text(certifi.contents())
    problems: list[Problem] = []
    node = parse(example, Document("gateway.yaml", tmp_path, problems))
    assert node is not None
    cases = case_config.build(node.mapping(["case_registries"])["case_registries"], CASES)
    assert problems == []
    assert [type(each.source).__name__ for each in cases._registries.values()] == ["RestCases", "SqlCases"]
    await cases.close()


FILE = """\
market:
  kind: case-rest
  url: https://cases.example
  timeout: 2s
  auth: {kind: bearer, token_file: secret}
courts:
  kind: case-sql
  url: sqlite:///cases.db
  cases: {table: court_case, id: number, open: {column: status, values: [open]}}
  subjects: {table: party, case: case_no, scheme: {const: LEI}, value: id_no}
  officials: {table: official, case: case_no, official: login}
"""

MISTAKES = [
    ("kind: case-rest", "kind: case-res", "2:9: market.kind: unknown `case-res` (did you mean `case-rest`?)"),
    ("  kind: case-rest\n", "", "2:3: market: `kind` is missing"),
    ("  url: https://cases.example\n", "", "2:3: market: `url` is missing"),
    ("https://cases.example", "[]", "3:8: market.url: must be an https URL of host and path, as"),
    ("https://cases", "http://cases", "3:8: market.url: `http://cases.example` must be https (http is for loopback"),
    ("https://cases", "https://u:p@cases", "3:8: market.url: must name a host in ASCII, and no user or password"),
    (".example", ".example?x=1", "3:8: market.url: `https://cases.example?x=1` has a query (`?`); leave it out"),
    (".example", ".example/?", "3:8: market.url: `https://cases.example/?` has a query (`?`); leave it out"),
    (".example", ".example/#a?b", "3:8: market.url: `https://cases.example/#a?b` has a fragment (`#`); leave it out"),
    (".example", ".example:port", "3:8: market.url: `https://cases.example:port` is not a URL"),
    ("https://cases", "ftp://cases", "3:8: market.url: `ftp://cases.example` must be an https URL"),
    ("timeout: 2s", "timeout: 2", "4:12: market.timeout: `2` must be a duration, as `5s`"),
    ("timeout: 2s", "timeout: 0s", "4:12: market.timeout: `0s` must be more than nothing"),
    ("timeout: 2s", "timeout: 31s", "4:12: market.timeout: `31s` must be at most 30s"),
    ("timeout: 2s", "cache: 61s", "4:10: market.cache: `61s` must be at most 60s"),
    ("timeout: 2s", "max_bytes: 2MiB", "4:14: market.max_bytes: `2MiB` must be at most 1024KiB"),
    ("timeout: 2s", "tiemout: 2s", "4:3: market.tiemout: unknown key `tiemout` (did you mean `timeout`?)"),
    ("timeout: 2s", "kind: case-sql", "4:3: market.kind: appears twice; keep one"),
    ("timeout: 2s", "ca_file: none.pem", "4:12: market.ca_file: there is no file `none.pem`"),
    ("timeout: 2s", "ca_file: secret", "4:12: market.ca_file: must be a PEM file with at least one CA certificate"),
    (
        "timeout: 2s",
        "webhook: {secret_file: secret}",
        "4:26: market.webhook.secret_file: the file must hold secret",
    ),
    (
        "timeout: 2s",
        "webhook: {secret: s}",
        "4:13: market.webhook.secret: unknown key `secret` (did you mean `secret",
    ),
    ("{kind: bearer, token_file: secret}", "secret", "5:9: market.auth: must be a mapping"),
    ("kind: bearer", "kind: bearr", "5:16: market.auth.kind: unknown `bearr` (did you mean `bearer`?)"),
    (", token_file: secret", "", "5:9: market.auth: `token_file` is missing"),
    ("token_file: secret", "token: s", "5:24: market.auth.token: unknown key `token` (did you mean `token_file`?)"),
    ("token_file: secret", "token_file: none", "5:36: market.auth.token_file: there is no file `none`"),
    ("token_file: secret", "token_file: two", "5:36: market.auth.token_file: the file `two` must hold the secret, one"),
    (
        "sqlite:///cases.db",
        "mysql://h/cases",
        "8:8: courts.url: must name a `sqlite`, `postgresql` or `mariadb` database",
    ),
    ("sqlite:///cases.db", "postgresql+psycopg://u:pw@h/c", "8:8: courts.url: a password does not belong here; write"),
    ("court_case", "a b", "9:18: courts.cases.table: `a b` must be the name of a table or view"),
    ("id: number", "id: n;", "9:34: courts.cases.id: `n;` must be the name of a column"),
    ("values: [open]", "values: []", "9:73: courts.cases.open.values: must list the values that mean open"),
    ("scheme: {const: LEI}, ", "", "10:13: courts.subjects: `scheme` is missing"),
    ("const: LEI", "cnst: LEI", "10:52: courts.subjects.scheme.cnst: unknown key `cnst` (did you mean `const`?)"),
    ("official: login", "login: l", "11:47: courts.officials.login: unknown key `login`; known are table, case, offi"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret(tmp_path / "secret", "s3cret\n")
    (tmp_path / "two").write_text("s3cret\nanother\n")
    return tmp_path


def told(folder: Path, text: str) -> list[str]:
    node = parse(text, Document("gateway.yaml", folder, []))
    assert node is not None
    case_config.build(node, CASES)
    return [str(problem) for problem in node.problems]


@pytest.mark.parametrize(("old", "new", "problem"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_its_fix(folder: Path, old: str, new: str, problem: str) -> None:
    assert told(folder, FILE) == []
    assert old in FILE
    found = told(folder, FILE.replace(old, new, 1))
    assert any(each.startswith(f"gateway.yaml:{problem}") for each in found), found
    assert len(found) <= 2
    assert "u:pw" not in str(found)


def test_a_registry_that_is_no_mapping_is_one_problem(folder: Path) -> None:
    assert told(folder, "market: https://cases.example\n") == [
        "gateway.yaml:1:9: market: must be a mapping (`key: value` lines)"
    ]
