"""Where people erase: a folder with a store of some inquiries, its configuration, and copies of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from tests import configured
from tests.ledger.support import (
    AT,
    BY,
    ORIGIN,
    SUBJECT,
    disclosed,
    opened,
    recipients_found,
    refused,
    store_in,
)
from tests.watch.looks import POLICIES

BACKUPS = {"backups": "P35D"}
LEI = f"{SUBJECT.scheme}:{SUBJECT.value}"
OTHER = ("LEI", "969500T3MBS4SQAMHJ45")


class Desk:
    """Where people work: a folder with a store of some inquiries, and its configuration."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.config = folder / "gateway.yaml"

    def run(self, *arguments: object) -> int:
        """Run the command line; `out` and `err` are what it printed."""
        status = cli.main([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        return status

    def __call__(self, *arguments: object) -> int:
        return self.run("ledger", *arguments, "--config", self.config)

    def request(self, subject: str = LEI) -> str:
        asked = ("erase", "request", "--subject", subject, "--by", "A. Clerk", "--reason", "court order 7")
        assert self(*asked) == 0, self.err
        recipients_found(store_in(self.folder))
        return self.out.split()[2].rstrip(",")

    def approve(self, id_: str, *more: object, by: str = "B. Judge") -> int:
        return self("erase", "approve", id_, "--by", by, *more)

    def verify(self) -> None:
        assert self.run("ledger", "verify", "--config", self.config) == 0, self.err
        assert self.run("ledger", "verify", "--config", self.config, "--sample", "1000") == 0, self.err


@pytest.fixture
async def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    private = key_files.generate(tmp_path / "ledger.key")
    key_files.write_verifiers(tmp_path / "ledger.pub", private, ORIGIN, [ROOT, "1", "2", "3", "commands"])
    store = store_in(tmp_path)
    async with opened(store, private=private, registered=True) as ledger:
        (tmp_path / "answer.json").write_bytes(await disclosed(ledger, 1))
        await refused(ledger, 2)
        await about_two(ledger)
    store.close()
    configured.write(tmp_path, ledger=BACKUPS)
    shutil.copytree(POLICIES, tmp_path / "policies", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))
    return Desk(tmp_path, capsys)


async def about_two(ledger: Ledger) -> None:
    """An inquiry about the subject and another one."""
    told = entries.Inquiry(
        v=entries.VERSION,
        id="inquiry-3",
        at=AT,
        requester=entries.Who(*BY),
        grant=None,
        declaration=entries.Declared("LICENCE_RENEWAL", case="LR-3"),
        rule_set="5ec0de",
        obligations=[],
        disclosed=[
            entries.Disclosed("organisation", scheme, value, [entries.Dataset("tax-arrears", ("amount",), [f"{n}@1"])])
            for n, (scheme, value) in enumerate([(SUBJECT.scheme, SUBJECT.value), OTHER])
        ],
    )
    parts = split(told)
    await ledger.append(parts.told, parts.oversight, AT, BY, (), parts.subjects)


def told(folder: Path) -> Iterator[entries.Told]:
    store = store_in(folder)
    with contextlib.closing(store.reader()) as reader:
        for head in read.heads(reader):
            for each in read.read_entries(reader, head.id, 0, head.size):
                yield each.read_told()
    store.close()


def files(folder: Path) -> list[Path]:
    return [folder / f"ledger.db{end}" for end in ("", "-wal", "-shm") if (folder / f"ledger.db{end}").exists()]


def copy(folder: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for file in files(folder):
        shutil.copy(file, to)


def restore(folder: Path, of: Path) -> None:
    for file in files(folder):
        file.unlink()
    for file in files(of):
        shutil.copy(file, folder)
