"""`dutybound init`: asked or not, whole or not at all, over nothing; and what `dutybound example` serves."""

from __future__ import annotations

import filecmp
import io
import os
import sys
from pathlib import Path

import httpx
import pytest

from gateway import cli
from gateway.check import load
from gateway.init import shipped, writing
from gateway.init.example_server import Example
from gateway.rules.decide.base import BASE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the commands are run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Terminal(io.StringIO):
    """Somebody who types these lines, and then ends."""

    def isatty(self) -> bool:
        return True


def types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_what_it_writes_is_small_fine_and_for_its_owner(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", "--yes"]) == 0
    said = capsys.readouterr().out
    for name in writing.NAMES:
        assert f"wrote {name}" in said
        assert (folder / name).exists()
    for key in folder.glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0
    settings, loaded = load(Path("gateway.yaml"), {})
    policies = loaded.rules.policies
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
    assert [*policies.catalogue.datasets] == ["business-licences"]
    assert [*policies.purposes] == ["LICENCE_CHECK"]
    assert [[grant.purpose for grant in entry.grants] for entry in policies.requesters.values()] == [["LICENCE_CHECK"]]
    assert cli.main(["check"]) == 0
    assert cli.main(["rules", "test"]) == 0
    own = folder.rglob("*.yaml")
    assert sum(len(each.read_text().splitlines()) for each in own) < 150


def test_its_base_rules_are_those_that_come_along(folder: Path) -> None:
    assert cli.main(["init", "--yes"]) == 0
    made = {each.stem for each in (folder / "policies" / "rules").iterdir()}
    assert made == {*BASE, "licence-check"}
    for name in BASE:
        rule = f"rules/{name}.cedar"
        assert filecmp.cmp(folder / "policies" / rule, shipped.policies() / rule, shallow=False)


def test_nothing_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", "--yes"]) == 0
    before = files(folder)
    assert cli.main(["init", "--yes"]) == 1
    assert "`gateway.yaml`" in (said := capsys.readouterr().err)
    assert "nothing is written over" in said
    assert files(folder) == before


@pytest.mark.parametrize("name", writing.NAMES)
def test_one_thing_that_is_there_is_enough(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).symlink_to(folder / "nowhere")
    assert cli.main(["init", "--yes"]) == 1
    assert f"`{name}` is there already" in capsys.readouterr().err
    assert [each.name for each in folder.iterdir()] == [name]


def test_answers_are_asked_for_and_flags_are_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "127.0.0.1:9080", "", "https://login.example", "office")
    assert cli.main(["init", "--out", "new", "--department", "https://register.example/api"]) == 0
    settings, loaded = load(folder / "new" / "gateway.yaml", {})
    assert (settings.port, settings.public_url) == (9080, "http://127.0.0.1:9080")
    assert [*loaded.rules.policies.requesters] == [("https://login.example", "office")]
    assert "https://register.example/api" in (folder / "new" / "sources.yaml").read_text()
    said = capsys.readouterr().out
    assert said.count("[") == 4
    assert "  cd new\n  dutybound check --connect\n  dutybound serve" in said
    assert not (folder / "new" / "example.key").exists()


def test_who_has_an_issuer_and_no_department_is_asked_to_name_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dutybound example` serves its department beside its own authorization server only."""
    assert cli.main(["init", "--yes", "--issuer", "https://login.example", "--example", "127.0.0.1:9"]) == 0
    told = "First, name your department in sources.yaml"
    assert f"{told}: without the example's server nobody is at http://127.0.0.1:9/register" in capsys.readouterr().out
    for number, more in enumerate([["--department", "https://register.example"], []]):
        issuer = ["--issuer", "https://login.example"] if more else []
        assert cli.main(["init", "--yes", "--out", str(number), *issuer, *more]) == 0
        assert told not in capsys.readouterr().out


def test_who_leaves_has_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "127.0.0.1:9080")
    assert cli.main(["init"]) == 1
    assert "nothing was written" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli.main(["init"]) == 2
    assert "add `--yes`" in capsys.readouterr().err
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--listen", "here", "gateway.yaml:2:9: listen: `here` must be `host:port`"),
        ("--public-url", "http://gateway.example", "must be https"),
        ("--issuer", "login.example", "oauth.issuers.0.issuer"),
        ("--department", "http://register.example", "sources.yaml:6"),
        ("--client", 'a"\nb: c', "policies/requesters.yaml"),
    ],
)
def test_what_could_not_start_is_not_written(
    flag: str, value: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "--yes", flag, value]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert ".init-" not in told
    assert told.endswith("nothing was written: call it again with other answers\n")
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--example", "127.0.0.1:8080", "cannot both listen at `127.0.0.1:8080`"),
        ("--listen", "[::1]:8080", "name one, such as `--public-url http://localhost:8080`"),
        ("--client", "", "`--client` is empty; leave it out for the default"),
    ],
)
def test_a_flag_that_cannot_be_meant_is_named(
    flag: str, value: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "--yes", flag, value]) == 1
    assert said in capsys.readouterr().err
    assert [*folder.iterdir()] == []


def test_a_folder_that_cannot_be_made_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    assert cli.main(["init", "--yes", "--out", "file/new"]) == 1
    assert "`file/new` cannot be written to" in capsys.readouterr().err


async def test_the_example_publishes_its_key_and_holds_one_organisation(folder: Path) -> None:
    assert cli.main(["init", "--yes"]) == 0
    application = Example(Path("gateway.yaml")).application()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://127.0.0.1:8081") as asked:
        described = (await asked.get("/.well-known/oauth-authorization-server")).json()
        assert (described["issuer"], described["jwks_uri"]) == ("http://127.0.0.1:8081", "http://127.0.0.1:8081/jwks")
        [key] = (await asked.get("/jwks")).json()["keys"]
        assert "d" not in key
        held = await asked.get(f"/register/subjects/LEI/{writing.SUBJECT}/licences")
        assert [each["licenceNo"] for each in held.json()["licences"]] == ["BL-0001"]
        assert (await asked.get("/register/subjects/LEI/529900T8BM49AURSDO55/licences")).json() == {"licences": []}


@pytest.mark.parametrize("command", [["example"], ["example", "token"]])
@pytest.mark.parametrize("flags", [("--issuer", "https://login.example"), ("--issuer", "http://127.0.0.1:9081")])
def test_only_an_example_has_one(
    command: list[str], flags: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "--yes", *flags]) == 0
    assert cli.main(command) == 1
    assert "is no example's authorization server" in capsys.readouterr().err


def test_an_example_s_key_that_others_may_read_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", "--yes"]) == 0
    os.chmod("example.key", 0o644)
    assert cli.main(["example", "token"]) == 1
    assert "may be read by others" in capsys.readouterr().err
