"""`dutybound status` of a gateway that runs: one screen, exit 0, and nothing of whom it was asked about."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from gateway import cli
from gateway.ledger.proof import key_files
from tests.conftest import World
from tests.waiting import until

QUERY = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
KINDS = ("supervisor", "worker", "projector", "recalls")
"""The processes of a gateway. One that ended, or that is about to begin, is not counted."""


def test_a_running_gateway_is_shown_on_one_screen(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    subject = next(each for each in world.told["subjects"].values() if each["scheme"] == "LEI")
    world.ask("environment-agency", QUERY, {"id": subject}, official="e.lind")
    config = str(world.region.place.config)
    health = f"{world.told['manage']}/health"
    until("the worker to have reported", lambda: httpx.get(health, trust_env=False).status_code == 200)
    cli.main(["status", "--config", config, "--json"])
    found = json.loads(capsys.readouterr().out)
    lines = {(each["part"], each["name"]): each for each in found["lines"]}
    assert lines["processes", "serving"]["facts"] == {"wanted": 1, "ready": 1}
    assert lines["ledger", world.region.shard]["facts"]["entries"] >= 1
    assert lines["rules", "active"]["facts"]["epoch"] >= 1
    assert lines["backup", "last"]["said"] == "never, as far as this gateway knows"
    assert lines["keys", "ledger.key_file"]["well"]
    assert {name for part, name in lines if part == "departments"} >= {"tax", "market"}
    # What other tests of this region leave waiting wants a person too.
    wanting = [each for each in found["lines"] if not each["well"]]
    status = cli.main(["status", "--config", config])
    shown = capsys.readouterr().out
    assert (status == 0) is shown.endswith("all is well\n")
    assert {each["part"] for each in wanting} <= {"out of order", "projections", "queue", "departments", "ledger"}
    for subject in world.told["subjects"].values():
        assert subject["value"] not in shown
    kinds = {f'dutybound_running_processes{{process="{kind}"}} 1.0' for kind in KINDS}
    metrics = f"{world.told['manage']}/metrics"
    until("all kinds of processes to run", lambda: kinds <= set(httpx.get(metrics, trust_env=False).text.splitlines()))


def test_another_key_than_the_registered_one_wants_a_person(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = world.region.place
    key_files.generate(tmp_path / "another.key")
    given = place.config.read_text()
    config = place.run / "another.yaml"  # beside the files that it names
    config.write_text(given.replace("key_file: ledger.key", f"key_file: {tmp_path / 'another.key'}"))
    assert config.read_text() != given
    assert cli.main(["status", "--config", str(config), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    (line,) = [each for each in found["lines"] if each["name"] == "registry"]
    assert "another key than that of `ledger.key_file`" in line["said"]
    assert not line["well"]
