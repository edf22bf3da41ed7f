"""The scan of a run finds what is planted, wherever it stands, and keeps what processes write that tests start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import httpx
import pytest

from deploy.demo.organisations import organisation
from deploy.demo.records import Kind, row
from gateway import cli
from gateway.console.guarding import COOKIE
from gateway.telemetry.log import Log
from tests import outside
from tests.outside import NOON
from tests.scanning.keeping import FOLDER, refused
from tests.scanning.scan import OF_THE_WORLD, found, planted, values
from tests.world import new_subject, rule_set


def test_each_planted_text_is_found_in_a_log_in_a_metric_and_among_bytes(tmp_path: Path) -> None:
    (tmp_path / "clean.log").write_text('{"event":"started","shard":"1"}\n')
    assert list(found(tmp_path)) == []
    for number, each in enumerate(planted()):
        file = tmp_path / f"{number}.log"
        file.write_bytes(b'\xff{"event":"a"}\nmetric{of="' + each.encode() + b'"} 1\n{"event":"b"}\n')
        shown = f'metric{{of="{each}"}} 1'
        assert f"{file.name}: `{each}` in {shown!r}" in list(found(tmp_path))
        file.unlink()
    assert new_subject().value.startswith(OF_THE_WORLD)


def test_identifiers_names_cases_officials_and_values_are_planted() -> None:
    kinds = ("MR-2026-0101", "m.ivanova", OF_THE_WORLD, "DOC-TA-", "held-tax-arrears-")
    assert set(kinds) <= set(planted())
    assert len(planted()) > 30
    assert min(map(len, planted())) >= 5


def test_what_a_process_that_serves_writes_is_kept_and_what_others_write_is_not(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    environ = {**os.environ, FOLDER: str(kept)}
    for words in (["-m", "gateway.cli", "serve"], ["-m", "gateway.cli", "check"]):
        command = [sys.executable, *words, "--config", str(tmp_path / "missing.yaml")]
        assert subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 1
    (file,) = kept.iterdir()
    assert "missing.yaml" in file.read_text("utf-8")


def test_what_gateways_within_the_tests_log_is_kept(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        Log(stream).state("a-line-of-the-scans-own-test")
    file = Path(os.environ[FOLDER]) / f"own-{os.getpid()}"
    assert "a-line-of-the-scans-own-test" in file.read_text("utf-8")


def test_values_are_what_records_hold() -> None:
    made = [
        row(dataset, organisation(0), 1, Kind.SHOWN, NOON.date()) for dataset in ("tax-arrears", "market-penalties")
    ]
    assert all(any(mark in f"{each.document} {each.fields}" for mark in values()) for each in made)
    held = outside.values(rule_set().policies.catalogue.published["tax-arrears"])
    assert any(str(each).startswith("held-tax-arrears-") for each in held.values())


def test_a_refusal_may_have_what_was_asked_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    one, other = new_subject().value, new_subject().value
    errors = [{"message": f"`{one}` is unknown", "extensions": {"why": f"as {other} is"}}]
    refused(f"about {one}", 200, json.dumps({"data": {"name": "held-tax-arrears-1-0"}, "errors": errors}).encode())
    refused("about nobody", 404, b"<p>held-tax-arrears-1-0</p>")
    refused("about nobody", 200, b'{"data": {"name": "held-tax-arrears-1-0"}}')
    found_there = list(found(tmp_path))
    assert [each.split("`")[1] for each in found_there] == [other, "held-tax-arrears-1-0"]


def test_refusals_that_clients_of_the_tests_get_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    transport = httpx.MockTransport(lambda asked: httpx.Response(422, text="refused: " + asked.url.path))
    with httpx.Client(transport=transport) as client:
        client.post("https://gateway.example/graphql", json={"query": "{ a }"})
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == {"asked": ANY, "said": "refused: /graphql"}
    assert '{"query":"{ a }"}' in json.loads(file.read_text())["asked"]


def test_a_page_that_refuses_may_have_what_its_session_was_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    one, other = new_subject().value, new_subject().value
    pages = {
        "/shown": (200, f"<p>{one}</p>"),
        "/again": (422, f'<div class="who"><span><b>{other}</b></span><p>{one}</p>'),
        "/other": (403, f"<p>{other}</p>"),
        "/api": (422, one),
    }

    def answered(asked: httpx.Request) -> httpx.Response:
        status, text = pages[asked.url.path]
        kind = "text/plain" if asked.url.path == "/api" else "text/html"
        return httpx.Response(status, content=text, headers={"content-type": kind})

    with httpx.Client(transport=httpx.MockTransport(answered), base_url="https://gateway.example") as client:
        for session, *places in (("a", "/shown", "/again", "/api"), ("b", "/again"), ("c", "/other")):
            for place in places:
                client.get(place, headers={"cookie": f"{COOKIE}={session}"})
    assert [each.split("`")[1] for each in found(tmp_path)] == [one, one, other]


def test_errors_of_commands_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    missing = tmp_path / "gateway.yaml"
    assert cli.main(["check", "--config", str(missing)]) == 1
    (file,) = folder.iterdir()
    kept = json.loads(file.read_text())
    assert str(missing) in kept["asked"]
    assert str(missing) in kept["said"]
