"""The image's file passes its linter and says what a container relies on; its script is a shell's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.files import DEPLOY
from tests.deploy.kubernetes import built

FOLDER = DEPLOY / "image"
FILE = FOLDER / "Containerfile"


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    hadolint = Path(sys.executable).with_name("hadolint")
    return subprocess.run([hadolint, str(file)], capture_output=True, text=True, timeout=60, check=False)


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    done = lint(FILE)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "Containerfile"
    wrong.write_text(FILE.read_text("utf-8").replace("USER 10001:10001", "USER root"), "utf-8")
    assert "DL3002" in lint(wrong).stdout


def test_it_runs_as_the_account_that_the_manifests_give_it() -> None:
    [user] = re.findall(r"^USER (\d+):\1$", FILE.read_text("utf-8"), re.M)
    pod = built("overlays/production")["StatefulSet", "gateway"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == int(user) > 1000
    assert "HEALTHCHECK" in FILE.read_text("utf-8")


def test_what_it_copies_is_made_by_its_script() -> None:
    script = (FOLDER / "build").read_text("utf-8")
    for copied in re.findall(r"^COPY (\S+)", FILE.read_text("utf-8"), re.M):
        assert f"$work/{copied}" in script, copied
    assert "--require-hashes" in script
    for file in ("build", "dutybound"):
        assert (FOLDER / file).stat().st_mode & 0o111
        assert subprocess.run(["sh", "-n", str(FOLDER / file)], check=False).returncode == 0
