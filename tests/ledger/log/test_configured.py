"""`ledger` in `gateway.yaml`: what is read of it, what is warned about, and a real witness process that it names."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.clock import machines
from gateway.config import settings
from gateway.config.ledger import LedgerSettings, WitnessSettings
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, LedgerUnavailable
from gateway.ledger.entry.registry import ROOT
from gateway.ledger.log.build import UNREQUIRED, UNWITNESSED, check_witnesses, ledger_of, warnings
from gateway.ledger.log.publish import read_published
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import open_note, parse_verifier
from tests import configured
from tests.ledger.support import KEY, ORIGIN, VERIFIERS, refused, store_in
from tests.ledger.witness.test_witness import COSIGNER
from tests.ports import free_port
from tests.waiting import until


def read(folder: Path, **ledger: Any) -> Settings:
    return settings.load(configured.write(folder, ledger=ledger), {})


def test_what_is_read(tmp_path: Path) -> None:
    witness = {"name": "w1", "url": "https://w1.example", "key": str(COSIGNER)}
    found = read(tmp_path, witnesses=[witness], require=1, within="4s").ledger
    assert found.witnesses == (WitnessSettings("w1", "https://w1.example", str(COSIGNER)),)
    assert (found.require, found.within, found.head_file) == (
        1,
        4.0,
        tmp_path / "ledger.heads.json",
    )
    assert warnings(found) == []
    assert found.archive is None
    assert read(tmp_path, archive="old").ledger.archive == str(tmp_path / "old")
    assert read(tmp_path, archive="s3://kept/ledger").ledger.archive == "s3://kept/ledger"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="2 cosignatures cannot be had of 0 witnesses"):
        read(tmp_path, require=2)
    for key, told in ((COSIGNER, []), (VERIFIERS[0], ["ledger.witnesses.0.key"])):
        found = read(tmp_path, witnesses=[{"name": "w", "url": "https://w.example", "key": str(key)}])
        check_witnesses(found.ledger, found.root)
        assert [problem.path for problem in found.root.problems if problem.line] == told


def test_what_is_let_pass_is_said() -> None:
    witness = WitnessSettings("w", "https://w.example", str(COSIGNER))
    assert warnings(LedgerSettings(ORIGIN, Path(), Path())) == [UNWITNESSED]
    assert warnings(LedgerSettings(ORIGIN, Path(), Path(), (witness,))) == [UNREQUIRED]


@contextlib.contextmanager
def witness(folder: Path, port: int) -> Iterator[str]:
    """A running `dutybound ledger witness`; gives its verifier key."""
    arguments = ("--name", "witness.example/w1", "--key", folder / "w.key", "--logs", folder / "ledger.pub")
    command = ("ledger", "witness", *arguments, "--state", folder / "seen.json", "--listen", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *map(str, command)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    try:
        key = process.stdout.readline().removeprefix("witness key: ").strip()

        def answers() -> httpx.Response:
            assert process.poll() is None
            return httpx.get(f"http://127.0.0.1:{port}/0/checkpoint")

        until("the witness to answer", answers, despite=(httpx.TransportError,))
        yield key
    finally:
        process.terminate()
        process.wait()


async def test_a_witness_process_cosigns_what_a_ledger_publishes(tmp_path: Path) -> None:
    key_files.write_verifiers(tmp_path / "ledger.pub", KEY, ORIGIN, [ROOT, "1"])
    port, store = free_port(), store_in(tmp_path)
    with witness(tmp_path, port) as key:
        named = WitnessSettings("w1", f"http://127.0.0.1:{port}", key)
        told = LedgerSettings(ORIGIN, tmp_path, tmp_path / "heads.json", (named,), 1, 5.0)
        ledger = ledger_of(store, told, KEY, machines)
        await ledger.start()
        await refused(ledger)
        await ledger.close()
    with contextlib.closing(store.reader()) as reader:
        for shard, size in (("1", 1), (ROOT, 3)):
            found = read_published(reader, shard)
            assert found is not None
            assert found.size == size
            public = [parse_verifier(key), *key_files.read_verifiers(tmp_path / "ledger.pub")]
            assert len(open_note(found.checkpoint, public)[1]) == 2, "the log's signature, and the witness's"
    with pytest.raises(LedgerUnavailable, match="1 witnesses are required, and 0 answer"):
        await ledger_of(store, told, KEY, machines).start()
