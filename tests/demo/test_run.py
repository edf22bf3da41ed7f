"""`dutybound demo`, whole: the twelve scenes, what it tells, and what it leaves behind."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import run
from deploy.demo.configuration import FREE
from deploy.demo.processes import ROOT, NotReady, descendants
from deploy.demo.scenes import Scenes
from deploy.demo.supervisor import AlreadyRunning, Region
from gateway import cli
from tests import packaged
from tests.conftest import World
from tests.demo.test_servers import until_gone

TITLES = (
    "1. A department asks",
    "2. A court asks",
    "3. A field that the purpose does not allow",
    "4. A record whose time of display is over",
    "5. A department is down",
    "6. The receipt, verified without the gateway",
    "7. The organisation sees who looked, and objects to a record",
    "8. A steward answers, and a second one confirms",
    "9. A person is asked for consent, gives it and takes it back",
    "10. A correction is recalled from everybody who received the record",
    "11. Who does not answer is suspended, until it does",
    "12. Officers change a rule: proposed, approved, active, and back",
)


def share(var: Path, todays: Path) -> None:
    """Let the demo over `var` use stores that are made already."""
    (var / "demo").mkdir()
    (var / "demo" / "data").symlink_to(todays, target_is_directory=True)


def begin(var: Path, todays: Path, python: Path) -> subprocess.Popen[str]:
    share(var, todays)
    return subprocess.Popen(
        [python, "-m", "deploy.demo.run", "--var", str(var), "--free-ports"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=var, text=True, env=packaged.environment(),
    )  # fmt: skip


PROMISED = (
    "UNAUTHORIZED_FIELD_OR_TYPE",
    "CASE_NOT_VERIFIED",
    "SOURCE_UNAVAILABLE",
    "withheld: display-ended",
    "by a signed message",
    "UPDATE business-licences/",
    "GRANT_INACTIVE",
    "SECOND_PERSON: you proposed it",
    "by rollback",
)


def test_once_ends_after_the_scenes_and_leaves_nothing(
    tmp_path: Path, todays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the first scene stands for all: the demo that stays plays every one."""
    share(tmp_path, todays)
    monkeypatch.setattr(Scenes, "play", Scenes.department)
    said: list[str] = []
    family = set[int]()

    def say(line: str) -> None:
        said.append(line)
        if "everything is up" in line:
            family.update(descendants(os.getpid()))

    before = set(descendants(os.getpid()))
    assert run.main(True, tmp_path, say, FREE) == 0
    assert any("Two departments answered" in line for line in said), said
    assert said[-1] == "every scene showed what it promises; everything is stopped"
    assert len(family - before) > 10
    until_gone(sorted(family - before))
    assert not (tmp_path / "demo.json").exists()


@pytest.fixture
def staying(
    tmp_path: Path, todays: Path, installed: packaged.Installed
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A demo from the wheel, without the checkout, that has played its scenes and stays; and what it said."""
    demo = begin(tmp_path, todays, installed.python)
    said: list[str] = []
    assert demo.stdout is not None
    for line in demo.stdout:
        said.append(line)
        if re.match(r"--- \d", line):  # a department may be down: no script is told before the last scene is over
            assert not (tmp_path / "demo.json").exists()
        if line.startswith("Ctrl-C"):
            break
    rest = threading.Thread(target=lambda: said.extend(demo.stdout or ()), daemon=True)
    rest.start()
    try:
        yield demo, said
    finally:
        if demo.poll() is None:
            demo.kill()
        demo.wait()
        rest.join(30)


def test_it_plays_every_scene_stays_tells_and_ends(
    staying: tuple[subprocess.Popen[str], list[str]], tmp_path: Path
) -> None:
    demo, said = staying
    output = "".join(said)
    assert [title for title in TITLES if f"--- {title}" not in output] == [], output
    assert [each for each in PROMISED if each not in output] == [], output
    assert "Traceback" not in output
    told = json.loads((tmp_path / "demo.json").read_text())
    assert set(told) == {
        "gateway", "manage", "pids", "store", "issuer", "token_url", "jwks_url", "ledger", "clients", "cases",
        "subjects", "departments", "recall_terms", "pages",
    }  # fmt: skip
    assert set(told["subjects"]) == {
        "ordinary", "display_ended", "no_source_document", "all_withheld", "no_records", "unknown", "mitigated",
        "person_with_consent", "person_without_consent",
    }  # fmt: skip
    assert told["recall_terms"] == {"environment-agency": "PT3S"}
    assert not any("has ended, and stays down" in line for line in said)
    assert (tmp_path / "demo.json").stat().st_mode & 0o077 == 0
    assert set(told["departments"]) == {"market", "tax", "courts", "environment", "labour"}
    family = descendants(demo.pid)
    assert {*told["pids"]["gateway"], *(d["pid"] for d in told["departments"].values())} <= set(family)
    curl = "".join(said[next(n for n, line in enumerate(said) if line.startswith("curl ")) :])
    assert told["gateway"] in curl

    def printed(asked: str) -> str:
        token = [sys.executable, "-c", f"from deploy.demo import run; from pathlib import Path; raise SystemExit("
                 f"run.token({asked}, var=Path({str(tmp_path)!r})))"]  # fmt: skip
        return subprocess.run(token, capture_output=True, text=True, cwd=ROOT, check=True).stdout

    assert printed("'market-regulator', 'm.ivanova', 'inquire'").count(".") == 2
    own = "'citizen-portal', None, None, identifier_scheme='LEI', identifier_value='9DBX00P78EZM4408ME17', person='ana'"
    payload = printed(own).split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"] == "ana"

    with pytest.raises(AlreadyRunning, match="end it with Ctrl-C first"):
        Region(tmp_path, lambda line: None)

    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 0
    assert not (tmp_path / "demo.json").exists()
    until_gone(family)


def test_nothing_survives_a_killed_demo(tmp_path: Path, todays: Path) -> None:
    share(tmp_path, todays)
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from deploy.demo.configuration import FREE
        from deploy.demo.supervisor import Region
        with Region(Path({str(tmp_path)!r}), lambda line: None, FREE) as region:
            region.tell()
            print("up", flush=True)
            time.sleep(600)
    """)
    demo = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert demo.stdout is not None
    assert demo.stdout.readline() == "up\n"
    family = descendants(demo.pid)
    assert len(family) > 10
    assert (tmp_path / "demo.json").exists()
    os.kill(demo.pid, signal.SIGKILL)
    demo.wait()
    demo.stdout.close()
    until_gone(family)
    assert not (tmp_path / "demo.json").exists()


def test_a_token_without_a_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.token("market-regulator", None, None, tmp_path) == 1
    assert "no demo was started in this folder" in capsys.readouterr().err


def test_a_token_for_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"clients": {"civil-court": {}}}))
    assert run.token("market", None, None, tmp_path) == 1
    assert "`market` is no client of the demo; there are civil-court" in capsys.readouterr().err


@pytest.mark.long
def test_another_server_at_the_gateways_port_is_told(tmp_path: Path, todays: Path, world: World) -> None:
    """A ready answer from another's gateway is not taken for that of the own one, which has made no shard."""
    share(tmp_path, todays)
    second = Region(tmp_path, lambda line: None, FREE)
    port = world.region.place.ports["gateway"]
    second.place = second.place._replace(ports={**second.place.ports, "gateway": port})
    with pytest.raises(NotReady, match=r"another server answers|gateway ended with status"), second:
        raise AssertionError("it came up beside the first")


def test_what_the_token_command_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[str | None, ...], dict[str, str]]] = []
    monkeypatch.setattr(run, "token", lambda *words, **more: asked.append((words, more)) or 0)
    own = ["--identifier", "LEI:9DBX00P78EZM4408ME17", "--person", "ana", "--auth-age", "700"]
    assert cli.main(["demo", "token", "citizen-portal", *own]) == 0
    assert cli.main(["demo", "token", "tax-stewards", "--official", "t.weber", "--scope", "counter"]) == 0
    identifier = {"identifier_scheme": "LEI", "identifier_value": "9DBX00P78EZM4408ME17"}
    assert asked == [
        (("citizen-portal", None, None), {**identifier, "person": "ana", "auth_age": "700"}),
        (("tax-stewards", "t.weber", "counter"), {}),
    ]
