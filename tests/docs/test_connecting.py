"""A department with two datasets goes from its OpenAPI document to an answer by `connectors/CONNECTING.md` alone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import World
from tests.connecting.starting import making
from tests.docs import walk
from tests.docs.reading import Fence
from tests.docs.walk import Walker
from tests.ports import free_port
from tests.waiting import until

STEPS = walk.steps(walk.CONNECTING)
MOST_LINES = 40
"""Lines of YAML that somebody writes, at most."""
OWN = (8094, 9465)
"""The ports on the page of the gateway that it starts."""


@pytest.fixture
def walker(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walker]:
    """Somebody beside the running demo, in whose folder they are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").symlink_to(world.region.place.var, target_is_directory=True)
    mask = os.umask(0o022)
    walker = Walker(tmp_path, world.region.place.ports)
    try:
        yield walker
    finally:
        os.umask(mask)
        for served in walker.served:
            served.send_signal(signal.SIGTERM)
        for served in walker.served:
            served.wait(60)


def _ready(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200


def test_a_department_is_connected_from_its_own_description(
    walker: Walker, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports, answers, checks = {port: free_port() for port in OWN}, list[str](), list[tuple[int, str]]()
    for fence in STEPS:
        text = fence.text
        for usual, port in ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")
        for ran in walker.take(fence._replace(text=text)):
            captured = capsys.readouterr()
            said = f"{fence}: `{' '.join(ran.words)}`: {ran.printed}{captured.out}{captured.err}"
            if ran.words[:2] == ("dutybound", "check"):
                checks.append((ran.status, said))
                continue
            assert ran.status == 0, said
            if ran.words[:2] == ("dutybound", "serve"):
                until("it to serve", lambda: _ready(ports[8094]), despite=(httpx.HTTPError,))
            if ran.words[0] == "curl":
                answers.append(ran.printed)

    (first, gaps), (last, said) = checks
    assert first == 1
    begun = "".join(file.read_text("utf-8") for file in (tmp_path / "archives").iterdir())
    assert gaps.count(": must be ") >= begun.count(":  # gap: ") > 10, gaps
    assert "# gap: " not in "".join(file.read_text("utf-8") for file in (tmp_path / "pilot").rglob("*.yaml"))
    assert last == 0, said

    told = [json.loads(answer) for answer in answers]
    if any(error["extensions"].get("retryable") for error in told[-1].get("errors", ())):
        told.append(until("the inquiry to be answered", lambda: _answered(walker, ports)))
    found = told[-1]["data"]["organisation"]
    [permit], [order] = found["archivesPermits"], found["archivesOrders"]
    assert all([permit["issued"], permit["floor"], order["what"], order["day"]])


def test_where_rule_sets_are_activated_the_active_one_is_what_there_is(world: World) -> None:
    place = world.region.place
    words = ("--openapi", f"{place.url('archives')}/openapi.json", "--config", place.config)
    source, catalogue = making.run("archives", *words).parts
    assert (
        list(source["archives"]["datasets"]) == list(catalogue["datasets"]) == ["archives-permits", "archives-orders"]
    )
    there = making.run("tax", *words)
    assert (there.status, "`tax` is there already" in there.err) == (1, True)


def _answered(walker: Walker, ports: dict[int, int]) -> object:
    [fence] = [each for each in STEPS if "\ncurl " in each.text]
    text = "curl " + fence.text.partition("\ncurl ")[2].replace("127.0.0.1:8094", f"127.0.0.1:{ports[8094]}")
    [ran] = walker.take(fence._replace(text=text))
    told = json.loads(ran.printed)
    return None if any(error["extensions"].get("retryable") for error in told.get("errors", ())) else told


def _by_hand(fence: Fence) -> list[str]:
    """The lines of YAML that somebody writes by a block."""
    file, *lines = fence.text.splitlines()
    if fence.language == "yaml walk":
        return [file, *lines]
    return [line for line in lines if fence.language == "diff walk" and line.startswith("+")]


def test_little_is_written_by_hand() -> None:
    assert 20 < sum(len(_by_hand(fence)) for fence in STEPS) < MOST_LINES
    assert not any(fence.text.startswith(("python", "cat >")) for fence in STEPS)
