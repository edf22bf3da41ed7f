"""The units are systemd's own words, sandboxed, and start commands that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli
from gateway.config.settings import Limits
from tests.deploy.files import DEPLOY

FOLDER = DEPLOY / "systemd"
SERVICES = sorted(file.name for file in FOLDER.glob("*.service"))
INSTALLED = "/opt/dutybound/bin/dutybound"
EXPOSED = 30
"""Tenths: more than 3.0 of 10 is too exposed."""


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder, for a program that is installed."""
    for file in FOLDER.glob("dutybound*"):
        text = file.read_text("utf-8").replace(INSTALLED, str(Path(sys.executable).with_name("dutybound")))
        (tmp_path / file.name).write_text(text, "utf-8")
    return tmp_path


def test_systemd_takes_them(units: Path) -> None:
    files = sorted(str(file) for file in units.iterdir())
    assert files
    done = analyze("verify", "--man=no", *files)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = units / "dutybound.service"
    wrong.write_text(wrong.read_text("utf-8").replace("ProtectSystem=strict", "ProtectSystem=maybe"), "utf-8")
    assert "ProtectSystem" in analyze("verify", "--man=no", str(wrong)).stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_little_of_the_machine(name: str, units: Path) -> None:
    limit = ("security", "--offline=true", f"--threshold={EXPOSED}")
    done = analyze(*limit, str(units / name))
    assert done.returncode == 0, done.stdout
    text = (units / name).read_text("utf-8").partition("ProtectSystem")[0]
    (units / name).write_text(text, "utf-8")
    assert analyze(*limit, str(units / name)).returncode == 1, "without its sandbox it is found"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_a_command_that_there_is(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8").replace("${WORKERS}", "2").replace("%%", "%")
    [command] = re.findall(rf"^ExecStart=.*?{INSTALLED} ([^'\n]*)", text, re.M)
    words = shlex.split(re.sub(r"\$\(date [^)]*\)", "now", command))
    cli._parser(words[0]).parse_args(words)
    assert "--config /etc/dutybound/gateway.yaml" in command


def test_a_stop_is_waited_for_as_long_as_a_drain_takes() -> None:
    """Of half a minute, with what `gateway.serving.plain` gives workers beyond it."""
    text = (FOLDER / "dutybound.service").read_text("utf-8")
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.M)
    assert int(stop) > 30 + 2 * Limits().deadline + 20
    assert "KillMode=mixed" in text
