"""What a start runs into on this machine is told by `check` and by `serve`, in words and with the place to mend."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from gateway import cli
from gateway.clock import machines
from gateway.config import settings
from gateway.ledger.log.build import ledger_of
from gateway.ledger.proof import key_files
from gateway.storage.store import open_configured
from tests import configured
from tests.connectors import certificates
from tests.ports import free_port
from tests.stores import make_older

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the shipped policies but nothing published, and a key."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    for file in (tmp_path / "policies" / "catalogue").iterdir():
        file.write_text(file.read_text().replace("status: published", "status: draft"))
    key_files.generate(tmp_path / "ledger.key")
    return tmp_path


REGISTRIES = {name: {"kind": "case-rest", "url": f"https://{name}.example"} for name in ("market", "courts")}


def refused(folder: Path, capsys: pytest.CaptureFixture[str], command: str = "check", **changes: object) -> list[str]:
    configured.write(folder, **{"case_registries": REGISTRIES, **changes})
    capsys.readouterr()
    assert cli.main([command, "--config", "gateway.yaml"]) == 1
    *problems, last = capsys.readouterr().err.splitlines()
    assert last.endswith("; nothing was started"), last
    return [each for each in problems if "can never permit anything" not in each]


def only(folder: Path, capsys: pytest.CaptureFixture[str], says: str, **changes: object) -> None:
    """Both commands refuse the configuration for this, at a line of `gateway.yaml`."""
    for command in ("check", "serve"):
        told = refused(folder, capsys, command, **changes)
        assert any(re.match(r"gateway\.yaml:\d+:\d+: ", each) and says in each for each in told), (command, told)


@pytest.mark.parametrize("rules", ["files", "activated"])
def test_a_store_of_a_version_before_is_named_once_with_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], rules: str
) -> None:
    make_older(folder / "older.db", "0022")
    for command in ("check", "serve"):
        every = refused(folder, capsys, command, store="sqlite:///older.db", rules=rules)
        (told,) = [each for each in every if "its tables are of step" in each]
        assert re.match(r"gateway\.yaml:\d+:\d+: store: its tables are of step 0022, and this version needs ", told)
        assert f"make a backup, and run `dutybound store migrate --config {folder}/gateway.yaml`" in told


STORES = {
    "sqlite:///policies": "is a folder; name a file in it",
    "sqlite:///gateway.yaml/x.db": "which is no folder",
    "sqlite:///a\0b": "has a NUL character",
    "sqlite:///": "an in-memory store would lose the ledger",
}


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_cannot_be_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], store: str) -> None:
    told = refused(folder, capsys, store=store)
    assert any(re.match(r"gateway\.yaml:\d+:\d+: store: ", each) and STORES[store] in each for each in told), told


def test_a_key_of_the_store_that_is_missing_is_told_before_there_is_a_store(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(folder, capsys, store_key_file="store.key", listen=f"127.0.0.1:{free_port()}")
    assert any("store.key: cannot be read" in each and "`dutybound store key`" in each for each in told), told
    assert not (folder / "ledger.db").exists()


def test_a_registry_with_another_key_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A start found it in its workers only, after it had said that it serves."""
    found = settings.load(configured.write(folder, case_registries=REGISTRIES), {})

    async def once() -> None:
        store = open_configured(found)
        ledger = ledger_of(store, found.ledger, key_files.load(found.ledger.key_file), machines)
        await ledger.start()
        await ledger.close()
        store.close()

    asyncio.run(once())
    kept = found.ledger.key_file.rename(folder / "kept")
    key_files.generate(found.ledger.key_file)
    only(folder, capsys, "shard `root` is registered with another key", listen=f"127.0.0.1:{free_port()}")
    kept.replace(found.ledger.key_file)
    for each in folder.glob("ledger.db*"):
        each.unlink()
    told = refused(folder, capsys, listen=f"127.0.0.1:{free_port()}")
    assert any("store: is not there, and the head file" in each for each in told), told


def test_a_file_of_another_program_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(folder / "music.db") as music:
        music.execute("CREATE TABLE songs (name TEXT)")
    music.close()
    (folder / "music.db").chmod(0o600)
    before = (folder / "music.db").read_bytes()
    only(folder, capsys, "it is another program's: it has a table `songs`", store="sqlite:///music.db")
    assert cli.main(["store", "migrate", "--config", "gateway.yaml"]) == 1
    assert "another program's" in capsys.readouterr().err
    assert (folder / "music.db").read_bytes() == before


def test_a_head_file_must_have_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only(folder, capsys, "ledger.head_file: `no/heads.json` would be in", ledger={"head_file": "no/heads.json"})
    only(folder, capsys, "ledger.head_file: `policies` is a folder", ledger={"head_file": "policies"})


def test_an_address_of_another_machine_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only(folder, capsys, "listen: this machine has no address `203.0.113.7`", listen="203.0.113.7:8080")
    only(folder, capsys, "listen: `localhost` must be an address", listen="localhost:8080")


def test_files_that_are_no_certificate_or_no_pair_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = certificates.Authority(folder, "authority")
    authority.issue("gateway")
    good = {"cert_file": "gateway.crt", "key_file": "gateway.key", "client_ca_file": "authority.pem"}
    other = "the file `ledger.key` is not the private key of"
    only(folder, capsys, "tls.cert_file: the file `ledger.key` holds no PEM", tls={**good, "cert_file": "ledger.key"})
    only(folder, capsys, "tls.client_ca_file: ", tls={**good, "client_ca_file": "ledger.key"})
    only(folder, capsys, f"tls.key_file: {other}", tls={**good, "key_file": "ledger.key"})
    assert not [each for each in refused(folder, capsys, tls=good, drain="x") if "tls" in each]


def test_a_case_registry_that_is_not_configured_is_told_where_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "no case registry `market` is configured"
    lines = Path("policies/requesters.yaml").read_text().splitlines()
    place = f"policies/requesters.yaml:{lines.index('    registry: market') + 1}:15: "
    for command in ("check", "serve"):
        told = refused(folder, capsys, command, case_registries={"courts": REGISTRIES["courts"]})
        assert any(each.startswith(place) and says in each for each in told), told


def test_what_is_wrong_with_the_key_is_told_where_it_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_files.write_verifiers(Path("ledger.pub"), key_files.load(Path("ledger.key")), "gateway.example/ledger", "1")
    for name, says in (("none", "cannot be read"), ("policies", "is a folder"), ("ledger.pub", "holds the public key")):
        only(folder, capsys, f"ledger.key_file: the file `{name}` {says}", ledger={"key_file": name})


def test_a_variable_is_named_where_it_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUTYBOUND_STORE", "sqlite:///policies")
    monkeypatch.setenv("DUTYBOUND_LEDGER__KEY_FILE", "none")
    told = refused(folder, capsys)
    assert [each.partition(":")[0] for each in told] == ["DUTYBOUND_LEDGER__KEY_FILE", "DUTYBOUND_STORE"]


def test_values_are_cut_and_nothing_in_them_acts_on_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(folder, capsys, drain="\x1b[31m\u202e" + "x" * 1000)
    (line,) = [each for each in told if "drain" in each]
    assert line.isprintable()
    assert "\\x1b[31m\\u202e" in line
    assert len(line) < 300
