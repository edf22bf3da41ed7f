"""From the wheel, in an empty folder, without the checkout: all is inside, and a first inquiry is answered."""

from __future__ import annotations

import json
import re
import shlex
import signal
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import packaged
from tests.packaged import ROOT, Installed
from tests.ports import free_port
from tests.waiting import until

LEFT_OUT = ("gateway/web/static/source/", "gateway/web/static/build.mjs", "gateway/web/static/package")
"""What the pages' scripts are bundled from."""

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(installed: Installed, tmp_path: Path) -> Call:
    """Run the installed command in an empty folder."""

    def called(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [installed.command, *arguments], cwd=tmp_path, env=packaged.environment(), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    return called


@pytest.fixture
def started(installed: Installed, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start the installed command in the folder; gives its log. What was started ends with the test."""
    running = []

    def start(*arguments: str) -> Path:
        log = tmp_path / f"{arguments[0]}.log"
        with log.open("w") as output:
            running.append(
                subprocess.Popen(
                    [installed.command, *arguments],
                    cwd=tmp_path,
                    env=packaged.environment(),
                    stdout=output,
                    stderr=output,
                )
            )
        return log

    yield start
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait(60)


def _files(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*"):
        if file.is_file() and not {"__pycache__", "node_modules"} & {*file.parts}:
            yield str(file.relative_to(ROOT))


def test_everything_is_inside(installed: Installed) -> None:
    """Every file of the gateway, its connectors, the demo and the policies that the repository has."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    wanted = {name for name in listed if name.startswith(("gateway/", "connectors/", "deploy/demo/"))}
    wanted |= {f"gateway/init/{name}" for name in listed if name.startswith("policies/")}
    inside = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    assert {name for name in wanted if not name.startswith(LEFT_OUT)} | {"deploy/__init__.py"} == inside


def test_nothing_of_the_checkout_is_on_its_path(installed: Installed, tmp_path: Path) -> None:
    probe = (
        "import sys, gateway.cli, connectors.kinds, deploy.demo.run as run;"
        " print(gateway.__file__, run.__file__, *sys.path)"
    )
    done = subprocess.run(
        [installed.python, "-c", probe], cwd=tmp_path, env=packaged.environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    places = [Path(each).resolve() for each in done.stdout.split()]
    assert len(places) > 3
    environment = ROOT / ".venv"
    assert [each for each in places if each.is_relative_to(ROOT) and not each.is_relative_to(environment)] == []


def test_a_first_inquiry_is_answered_and_its_receipt_verifies(
    call: Call, started: Callable[..., Path], tmp_path: Path
) -> None:
    """`dutybound init --yes && dutybound serve`, and the commands that `init` prints."""
    gateway, example = (f"127.0.0.1:{free_port()}" for _ in range(2))
    made = call("init", "--yes", "--listen", gateway, "--example", example)
    assert made.returncode == 0, made.stderr
    assert [stat.S_IMODE((tmp_path / f"{name}.key").stat().st_mode) for name in ("ledger", "webhooks", "example")] == [
        0o600
    ] * 3
    printed = made.stdout.replace("\\\n", " ").splitlines()
    told = [
        shlex.split(line) for line in printed[next(i for i, line in enumerate(printed) if line.startswith("Next")) :]
    ]
    assert ["dutybound", "example"] in told
    assert ["dutybound", "serve"] in told

    serving = started("serve")
    started("example")

    def ready() -> bool:
        return httpx.get(f"http://{gateway}/health/ready").status_code == 200

    until("the gateway", ready, despite=(httpx.HTTPError,))
    until("the example", lambda: httpx.get(f"http://{example}/jwks").is_success, despite=(httpx.HTTPError,))
    assert call("check", "--connect").returncode == 0
    assert call("rules", "test").returncode == 0
    tried = call("source", "test", "register")
    assert "business-licences: 1 test subject: fits; 1 record" in tried.stdout, tried.stdout + tried.stderr

    curl = next(words for words in told if words[:1] == ["curl"])
    address = curl[curl.index("-s") + 1]
    body = json.loads(curl[curl.index("-d") + 1])
    token = call("example", "token")
    assert token.returncode == 0, token.stderr
    answer = httpx.post(address, json=body, headers={"authorization": f"Bearer {token.stdout.strip()}"})
    data = answer.json()["data"]["organisation"]
    assert data == {"businessLicences": [{"number": "BL-0001", "status": "in force", "validUntil": "2030-12-31"}]}
    assert "receipt" in answer.json()["extensions"]["inquiry"], serving.read_text()
    (tmp_path / "answer.json").write_bytes(answer.content)
    verify = next(words for words in told if words[1:3] == ["ledger", "verify-receipt"])
    verified = call(*verify[1:])
    assert verified.returncode == 0, verified.stderr
    assert re.search(r"licensing-office asked at .* for LICENCE_CHECK and received 1 record", verified.stdout)

    for path in ("/graphql", "/open/catalogue"):
        page = httpx.get(f"http://{gateway}{path}", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html"), path
    assert httpx.post(address, json=body).status_code == 401
