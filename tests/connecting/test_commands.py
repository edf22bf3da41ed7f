"""`dutybound source test` as a person runs it: on the files of a demo, of which one department is there."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import configuration
from gateway import cli
from gateway.ledger.proof import key_files
from tests import configured
from tests.configured import secret
from tests.connectors.servers import Request, answer, serve
from tests.ports import free_port

VALUE = "529900T8BM49AURSDO55"


def permit(number: int) -> dict[str, Any]:
    """A permit as the demo's department of the environment has it."""
    return {
        "ref": f"R-{number}", "revision": number + 3, "act": "D-1", "effect": "2026-01-02", "permitNo": "P-1",
        "operator": {"scheme": "LEI", "id": VALUE}, "substance": "NOx", "capTonnes": "1.5", "runsOut": "2030-01-01",
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = configuration.Place(tmp_path / "var", {name: free_port() for name in configuration.USUAL})
    place.run.mkdir(parents=True)
    configuration.write(place)
    configured.by_folder(place.config)
    key_files.generate(place.run / "ledger.key")
    return place.run


def written(folder: Path, port: int, subjects: str = f"{{LEI: [{VALUE}]}}") -> None:
    """Have the department of the environment at a port, with these test subjects."""
    file = folder / "sources.yaml"
    text = re.sub(r"(environment:.*?base_url: http://127.0.0.1:)\d+", rf"\g<1>{port}", file.read_text(), flags=re.S)
    file.write_text(text.replace("  environment:", f"  environment:\n    test_subjects: {subjects}\n    #", 1))


def lines(folder: Path) -> list[str]:
    """The lines of `sources.yaml`."""
    return (folder / "sources.yaml").read_text().splitlines()


async def run(*arguments: str) -> int:
    """The command, beside the department."""
    return await asyncio.to_thread(cli.main, ["source", *arguments])


async def department(request: Request, writer: asyncio.StreamWriter) -> None:
    sanctions = request.target.endswith("/sanctions")
    results = [{"ref": "S-1", "revision": 1}] if sanctions else [permit(1), permit(2)]
    writer.write(answer({"results": results if VALUE in request.target else [], "paging": {}}))


async def test_a_difference_is_reported_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serve(department) as server:
        written(folder, server.port)
        config = str(folder / "gateway.yaml")
        fits = await run("test", "environment", "--config", config, "--dataset", "emission-permits")
        said = capsys.readouterr().out
        assert (fits, said.splitlines()[0].partition("; ")[0]) == (
            0, "environment: emission-permits: 1 test subject: fits"
        ), said  # fmt: skip
        status = await run("test", "environment", "--config", config, "--subject", f"LEI={VALUE}")
        said = capsys.readouterr().out
        assert status == 1
        assert "environmental-penalties: 1 test subject: " in said
        line = next(each for each in said.splitlines() if "record.subject.value: `operator.id` is not there" in each)
        where, number, _ = line.strip().partition(": ")[0].rsplit(":", 2)
        assert Path(where).name == "sources.yaml"
        assert "operator.id" in lines(folder)[int(number) - 1]
        assert VALUE not in said
        status = await run("test", "environment", "--config", config, "--json")
        told = json.loads(capsys.readouterr().out)
        found = {each["dataset"]: each["differences"] for each in told["datasets"]}
        assert (status, found["emission-permits"]) == (1, [])
        assert int(number) in {each["line"] for each in found["environmental-penalties"]}


async def test_nobody_real_is_asked_about(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serve(department) as server:
        written(folder, server.port)
        config = str(folder / "gateway.yaml")
        status = await run("test", "environment", "--config", config, "--subject", "LEI=5493001KJTIIGC8Y1R12")
    said = capsys.readouterr().err
    assert (status, server.requests) == (1, [])
    assert "none of the `test_subjects`" in said
    assert "5493001KJTIIGC8Y1R12" not in said


async def test_names_that_there_are_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(folder / "gateway.yaml")
    assert await run("test", "enviroment", "--config", config) == 1
    assert "did you mean `environment`?" in capsys.readouterr().err
    assert await run("test", "environment", "--config", config, "--dataset", "emission-permit") == 1
    assert "did you mean `emission-permits`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        ("{LEO: [x]}", "`identifiers.yaml` has no scheme `LEO` (did you mean `LEI`?)"),
        ("{LEI: [12]}", "is not a valid LEI"),
        ("[x]", "must be a mapping"),
    ],
)
def test_a_wrong_test_subject_is_a_mistake_of_the_file(
    folder: Path, subjects: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, 9, subjects)
    assert cli.main(["check", "--config", str(folder / "gateway.yaml")]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "sources.yaml:" in said


@pytest.mark.parametrize("answered", [{"x": 1}, [], None, 5, {"data": None}])
async def test_an_answer_of_another_form_is_no_gateways(
    answered: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def other(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(answered))

    token = secret(tmp_path / "token", "a.b.c")
    async with serve(other) as server:
        whom = ("--gateway", server.url, "--token-file", str(token))
        for command in (("sample", "tax-awards", f"LEI:{VALUE}", "--reason", "x"), ("findings",)):
            assert await run(*command, *whom) == 1
            assert capsys.readouterr().err.endswith("is no gateway of this version: it answered in another form\n")
