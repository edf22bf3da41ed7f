"""`case_registries` of `gateway.yaml`: what is read, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.kinds import CASES
from gateway.errors import Problem
from gateway.inquiry.case import config as case_config
from gateway.inquiry.case.registries import CaseRegistries
from tests.inquiry.registry import Simulator, verify


def build(config: dict[str, Any], problems: list[Problem]) -> CaseRegistries:
    return case_config.build(config, CASES, problems)


async def test_a_registry_as_configured_authenticates_the_gateway(simulator: Simulator, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    auths: dict[str, Any] = {
        "bearer": {"kind": "bearer", "token_file": str(secret)},
        "basic": {"kind": "basic", "username": "gateway", "password_file": str(secret)},
    }
    problems: list[Problem] = []
    config = {name: {"kind": "case-rest", "url": simulator.url + "/", "auth": auth} for name, auth in auths.items()}
    cases = build(config, problems)
    assert problems == []
    for name in auths:
        await verify(cases, registry=name)
    bearer, basic = ({line.lower() for line in head.split("\r\n")} for head in simulator.requests)
    assert "authorization: bearer s3cret" in bearer
    assert "authorization: basic z2f0zxdhetpzm2nyzxq=" in basic
    assert "GET /cases/C-2 HTTP/1.1" in simulator.requests[0]
    await cases.close()


def test_defaults_and_measures() -> None:
    problems: list[Problem] = []
    given = {"kind": "case-rest", "url": "https://cases.example/api"}
    measured = {"timeout": "500ms", "max_bytes": "1MiB", "cache": "1m"}
    cases = build({"plain": given, "measured": given | measured, "fresh": given | {"cache": "0s"}}, problems)
    assert problems == []
    plain, measured_, fresh = cases._registries.values()
    assert (plain.timeout, plain.source._max_bytes, plain.cache) == (2.0, 65536, 30.0)  # type: ignore[attr-defined]
    assert (measured_.timeout, measured_.source._max_bytes, measured_.cache) == (0.5, 2**20, 60.0)  # type: ignore[attr-defined]
    assert fresh.cache == 0


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"kind": "case-res"}, "kind", "unknown kind `case-res` (did you mean `case-rest`?)"),
        ({"kind": None}, "kind", "`kind` is missing"),
        ({"url": None}, "url", "`url` is missing"),
        ({"url": 7}, "url", "must be text"),
        ({"url": "http://cases.example"}, "url", "must be https (http is for loopback only)"),
        ({"url": "https://u:p@cases.example"}, "url", "of scheme, host and path only"),
        ({"url": "https://cases.example?x=1"}, "url", "of scheme, host and path only"),
        ({"url": "https://cases.example:port"}, "url", "of scheme, host and path only"),
        ({"url": "ftp://cases.example"}, "url", "of scheme, host and path only"),
        ({"timeout": 2}, "timeout", "`2` must be a duration up to 30s, as `2s`"),
        ({"timeout": "0s"}, "timeout", "must be a duration"),
        ({"cache": "61s"}, "cache", "`61s` must be a duration up to 60s, as `30s`"),
        ({"max_bytes": "2MiB"}, "max_bytes", "`2MiB` must be a size up to 1MiB, as `64KiB`"),
        ({"tiemout": "2s"}, "tiemout", "unknown key `tiemout` (did you mean `timeout`?)"),
        ({"ca_file": "/nowhere.pem"}, "ca_file", "cannot be read as certificates in PEM form"),
        ({"auth": "secret"}, "auth", "must be a mapping"),
        ({"auth": {"kind": "bearr"}}, "auth.kind", "unknown kind `bearr` (did you mean `bearer`?)"),
        ({"auth": {"kind": "bearer"}}, "auth.token_file", "`token_file` is missing"),
        ({"auth": {"kind": "bearer", "token": "s"}}, "auth.token", "unknown key `token`"),
        ({"auth": {"kind": "bearer", "token_file": "/nowhere"}}, "auth.token_file", "`/nowhere` cannot be read"),
        ({"auth": {"kind": "bearer", "token_file": "/dev/null"}}, "auth.token_file", "must hold one line"),
    ],
)
def test_a_wrong_configuration_says_where_and_what_instead(change: dict[str, Any], path: str, says: str) -> None:
    problems: list[Problem] = []
    build({"market": {"kind": "case-rest", "url": "https://cases.example"} | change}, problems)
    told_ = [(problem.file, problem.path) for problem in problems if says in problem.message]
    assert told_ == [("gateway.yaml", f"case_registries.market.{path}")]
    assert len(problems) <= 2


def test_a_registry_that_is_no_mapping_is_a_problem() -> None:
    problems: list[Problem] = []
    build({"market": "https://cases.example"}, problems)  # type: ignore[dict-item]
    assert [problem.message for problem in problems] == ["must be a mapping (`key: value` lines)"]
