"""`rules bootstrap`: the first set that people approve, by two signatures, once; and approvals verified by files."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from gateway.activation.activating import by_files
from gateway.activation.archive import packed
from gateway.errors import CommandRefused
from gateway.ledger.entry import entries
from gateway.ledger.entry.registry import COMMANDS, ROOT
from gateway.ledger.log import operator
from gateway.ledger.proof import key_files
from gateway.ledger.verify.store import verify_store
from gateway.proposals.examination import Asked
from gateway.proposals.examiner import Examiner, examined
from gateway.rules.load import load
from gateway.rules.sshsig import NAMESPACE
from tests import configured, stores
from tests.activation.test_activating import told
from tests.docs.reading import ROOT as CHECKOUT
from tests.docs.reading import fences
from tests.ledger.support import verifiers
from tests.rules.policies import copy, fewer_tests

NAMES = ("costa", "ilves", "olsen")
PAGE = CHECKOUT / "policies" / "README.md"


class Office:
    """A configured store, policies whose officers have keys, and `ssh-keygen` in their hands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.policies = folder, fewer_tests(copy(folder))
        self.config = configured.write(folder, rules="activated")
        key_files.generate(folder / "ledger.key")
        for name in NAMES:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], cwd=folder, check=True)
        self.write_officers(NAMES)

    def write_officers(self, names: tuple[str, ...]) -> None:
        keys = {name: (self.folder / f"{name}.pub").read_text().strip() for name in names}
        lines = [f"  {name}: {{issuer: login, sub: p.{name}, key: {key}}}\n" for name, key in keys.items()]
        (self.policies / "officers.yaml").write_text("".join(["approvals: signed\nofficers:\n", *lines]))

    def sign(self, by: str, statement: Path, namespace: str = NAMESPACE) -> Path:
        made = self.folder / f"{statement.name}.{by}.{namespace}"
        made.write_bytes(statement.read_bytes())
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", by, made.name]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return made.with_name(f"{made.name}.sig")

    def run(self, *words: str) -> int:
        return cli.main(["rules", "bootstrap", "--config", str(self.config), *words])

    def statement(self, name: str = "approval.txt", *words: str) -> Path:
        file = self.folder / name
        assert self.run("--statement", str(file), "--reason", "The Exchange Act enters into force.", *words) == 0
        return file

    def activate(self, statement: Path, *signatures: Path) -> int:
        given = [word for each in signatures for word in ("--signature", str(each))]
        return self.run("--signed", str(statement), *given)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    stores.make(tmp_path / "ledger.db")
    return Office(tmp_path)


def status(office: Office, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert cli.main(["rules", "status", "--config", str(office.config)]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_first_set_is_activated_once_by_two(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(office, capsys)["active"] is None
    statement = office.statement()
    digest = load(office.policies).digest
    assert f"rule set {digest}\nbase none\n" in statement.read_text()
    one, two = office.sign("costa", statement), office.sign("olsen", statement)
    assert office.activate(statement, one, two) == 0
    assert f"rule set {digest} is active since epoch 1, approved by costa and olsen" in capsys.readouterr().out
    active = status(office, capsys)["active"]
    assert (active["epoch"], active["digest"], active["how"]) == (1, digest, "bootstrap")

    assert office.activate(statement, one, two) == 1
    assert "people activated a rule set of this store already" in capsys.readouterr().err
    with operator.opened(office.config) as at:
        said, *brought = [each for each in told(at.store) if isinstance(each, entries.Acted)]
        assert {each.what for each in brought} == {"catalogue-published"}
        assert (said.how, said.approvers, said.reason) == (
            "bootstrap", ("costa", "olsen"), "The Exchange Act enters into force.",
        )  # fmt: skip
        assert said.signature == f"{one.read_text().strip()}\n{two.read_text().strip()}"
        verify_store(at.store, verifiers(at.private, configured.ORIGIN, [ROOT, *COMMANDS]))

    for signature in (one, two):
        command = ["rules", "verify-approval", str(statement), str(signature), "--policies", str(office.policies)]
        assert cli.main(command) == 0
        assert f"approved rule set {digest}" in capsys.readouterr().out


@pytest.mark.usefixtures("in_this_process")
def test_the_commands_of_the_page_activate_the_first_set(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(office.folder)
    [fence] = [each for each in fences(PAGE) if each.language == "sh first"]
    for line in fence.text.splitlines():
        words = shlex.split(line)
        if words[0] == "dutybound":
            assert cli.main(words[1:]) == 0, f"{line}: {capsys.readouterr().err}"
        else:
            assert words[0] in ("cp", "ssh-keygen")
            subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    active = status(office, capsys)["active"]
    assert (active["epoch"], active["digest"], active["how"]) == (1, load(office.policies).digest, "bootstrap")


@pytest.mark.usefixtures("in_this_process")
def test_what_is_wrong_activates_nothing(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    statement = office.statement()
    one, two, other = (office.sign(name, statement) for name in ("costa", "olsen", "ilves"))
    elsewhere = office.sign("ilves", statement, "file")
    altered = office.folder / "altered.txt"
    altered.write_text(statement.read_text().replace("enters into", "is in"))
    for words, says in (
        ([statement], "signatures: 0; give exactly 2"),
        ([statement, one], "signatures: 1; give exactly 2"),
        ([statement, one, one], "signature 2 is by `costa` again"),
        ([statement, one, two, other], "signatures: 3; give exactly 2"),
        ([statement, one, elsewhere], "signature 2: the SSH signature is for another namespace"),
        ([altered, one, two], "signature 1: the SSH signature is not over these words"),
        ([one, one, two], "is no statement of an approval"),
    ):
        assert office.activate(*words) == 1
        assert says in capsys.readouterr().err
    office.write_officers(("costa", "ilves"))
    assert office.activate(statement, one, two) == 1
    assert "the signatures are not over these files" in capsys.readouterr().err
    later = office.statement("later.txt")
    signatures = [office.sign(name, later) for name in ("costa", "olsen")]
    assert office.activate(later, *signatures) == 1
    assert "by a key that no officer in `officers.yaml` of these files has" in capsys.readouterr().err
    for until, says in (("2026-01-01", "counted until 2026-01-01"), ("9999-12-31", "would count until 9999-12-31")):
        moment = f"{until}T00:00:00Z"
        written = office.folder / f"{until}.txt"
        assert office.run("--statement", str(written), "--reason", "x", "--until", moment) == 1
        assert "(`until`)" in capsys.readouterr().err
        assert not written.exists()
        written.write_text(re.sub("until .*", f"until {moment}", later.read_text()))
        assert office.activate(written, *(office.sign(name, written) for name in ("costa", "ilves"))) == 1
        assert says in capsys.readouterr().err
    officers = office.policies / "officers.yaml"
    officers.write_text(re.sub(", key: [^}]*", "", officers.read_text(), count=1).replace("signed", "token"))
    assert office.run("--statement", str(office.folder / "unsigned.txt"), "--reason", "x") == 1
    assert "it takes the signatures of 2 officers, and 1 of `officers.yaml` have a `key`" in capsys.readouterr().err
    assert not (office.folder / "unsigned.txt").exists()
    office.write_officers(("costa", "ilves"))
    assert office.run("--reason", "x") == 1
    assert office.run("--statement", str(later), "--reason", "x") == 1
    assert "cannot be written (File exists)" in capsys.readouterr().err
    assert status(office, capsys)["active"] is None


@pytest.mark.usefixtures("in_this_process")
def test_it_takes_the_place_of_what_a_start_activated(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    configured.write(office.folder, rules="files")
    with operator.opened(office.config) as at:
        by_files(at, load(office.policies).digest, packed(office.policies))
    text = (office.policies / "calendar.yaml").read_text()
    (office.policies / "calendar.yaml").write_text(text.replace("objection: 7", "objection: 5"))
    statement = office.statement()
    assert "base none" not in statement.read_text()
    assert office.activate(statement, *(office.sign(name, statement) for name in ("costa", "ilves"))) == 0
    told_ = status(office, capsys)
    assert [each["how"] for each in told_["activations"]] == ["bootstrap", "files"]


async def test_what_cannot_be_examined_is_told(tmp_path: Path) -> None:
    found = await Examiner({}, None).of(b"\x01damaged", None)
    assert found.problems == ("rule set: is damaged",)
    files = packed(fewer_tests(copy(tmp_path)))
    found = await Examiner({"login": "https://login.example"}, None).of(files, files)
    assert (found.problems, found.failures, found.digest) == ((), (), load(tmp_path / "policies").digest)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Traceback:\nIndexError: tuple index out of range", "(IndexError): a fault of this program"),
        ("Traceback:\nMemoryError", "make it smaller"),
        ("", "make it smaller"),
    ],
)
def test_an_examination_that_fails_is_not_called_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, why: str
) -> None:
    failing = tmp_path / "failing"
    failing.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '{said}' >&2\nexit 1\n")
    failing.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(CommandRefused) as refused:
        examined(Asked(b"", None, {}, None))
    assert why in str(refused.value)
