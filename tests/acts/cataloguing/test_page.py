"""The way that `policies/README.md` tells, walked with its own file and commands: a draft is published."""

from __future__ import annotations

import asyncio
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from gateway.acts.cataloguing import steps
from gateway.catalogue import definitions
from gateway.catalogue.load import load
from gateway.errors import Problem
from tests import configured
from tests.acts.cataloguing.test_commands import Stewards
from tests.acts.serving import served
from tests.docs.reading import ROOT, fences

PAGE = ROOT / "policies" / "README.md"
STEWARDS = """
  - issuer: login
    client: archives-stewards
    title: Stewards of the Building Archives
    department: archives
    roles: [department]
    grants: []
"""


def commands() -> list[list[str]]:
    """The words of each command of the section, without the program's name."""
    [fence] = [each for each in fences(PAGE) if "dutybound catalogue consult" in each.text]
    return [shlex.split(line)[1:] for line in fence.text.replace("\\\n", " ").splitlines()]


async def test_the_commands_of_the_page_publish_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", policies)
    [example] = [each for each in fences(PAGE) if each.text.startswith("# candidate/catalogue/")]
    file = policies / example.text.splitlines()[0].removeprefix("# candidate/")
    file.write_text(example.text.replace("status: published", "status: draft"))
    requesters = (policies / "requesters.yaml").read_text().rstrip("\n") + "\n" + STEWARDS
    (policies / "requesters.yaml").write_text(requesters)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.acts.cataloguing.history.FRESH", 0.0)
    store: Any = None
    async with served(tmp_path, policies=policies) as gateway:
        for name in ("weber", "nowak"):
            token = gateway.issuer.token(aud=gateway.url, client_id="archives-stewards", sub=name, scope="steward")
            configured.secret(tmp_path / f"{name}.token", token.decode().removeprefix("Bearer "))
        desk = Stewards.__new__(Stewards)
        desk.gateway = gateway
        store = gateway.gateway._store
        for words in commands():
            words = [gateway.url if word == "https://gateway.example" else word for word in words]
            if words[1] == "retire":
                assert left(store, policies) == []
            assert await asyncio.to_thread(run, desk, words) == 0, capsys.readouterr().err
        told = capsys.readouterr().out
        assert "floor area is needed" in told
        assert len(left(store, policies)) == 1


def run(desk: Stewards, words: list[str]) -> int:
    if words[1] == "consult":
        with desk.long_ago():
            return cli.main(words)
    return cli.main(words)


def left(store: Any, policies: Path) -> list[definitions.Unapproved]:
    """What a rule set could not publish of that one dataset, if its status were so."""
    problems: list[Problem] = []
    file = policies / "catalogue" / "archives.yaml"
    file.write_text(file.read_text().replace("status: draft", "status: published"))
    catalogue = load(policies, problems)
    file.write_text(file.read_text().replace("status: published", "status: draft"))
    assert problems == []
    with store.engine.connect() as connection:
        found = definitions.unapproved(catalogue.published.values(), steps.published(connection))
    return [each for each in found if each.dataset == "building-permits"]
