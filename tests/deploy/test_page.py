"""What the page on deploying has a reader type on a machine or a cluster names programs and files that there are."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.deploy.files import DEPLOY
from tests.docs.reading import ROOT, Fence, fences, missing
from tests.services import PROGRAMS as postgresql

PROGRAMS = {
    "install", "systemd-sysusers", "systemctl", "kubectl", "docker", "buildah", "make", "openssl", "cp", "touch",
    *(program.name for program in postgresql.iterdir()),
}  # fmt: skip
HOST = [fence for fence in fences(DEPLOY / "README.md") if fence.language == "sh host"]


@pytest.mark.parametrize("fence", HOST, ids=str)
def test_a_command_names_what_there_is(fence: Fence) -> None:
    assert fence.text.strip()
    for line in fence.text.splitlines():
        for command in re.split(r" && ", line):
            words = [word for word in shlex.split(command, comments=True) if not re.match("[A-Z_]+=", word)]
            assert words[0] in PROGRAMS or words[0].startswith("deploy/"), command
            named = [word for word in words if word.startswith("deploy/")]
            assert missing([f"{word}/" if (ROOT / word).is_dir() else word for word in named]) == [], command


def test_every_folder_of_deploy_is_on_the_page() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    folders = {file.name for file in DEPLOY.iterdir() if file.is_dir() and file.name != "__pycache__"}
    assert {name for name in folders if f"({name}/" not in text} == set()
