"""`connectors/README.md` is true: every example loads, every key is told, and its new kind answers."""

from __future__ import annotations

import asyncio
import datetime
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors import files, graphql, rest, sql, xroad
from connectors.base import Connector, DatasetRequest, Failure, Fault, Faulty, RecordRequest, Subject
from connectors.http import auth, endpoint
from connectors.http.calling import read_limits
from connectors.kinds import KINDS
from gateway import sources
from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.model import Catalogue
from gateway.errors import Problem
from tests.configured import secret
from tests.connectors.asking import written
from tests.connectors.certificates import Authority
from tests.connectors.files.delivering import KEY, public
from tests.docs.reading import ROOT, Fence, code, fences, inline, missing, section, table

PAGE = ROOT / "connectors" / "README.md"
EXAMPLES = [fence for fence in fences(PAGE) if fence.text.startswith("# sources.yaml\n")]
[SOURCE] = [fence for fence in fences(PAGE) if fence.language == "python"]
HOLDER = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")


@functools.cache
def catalogue() -> Catalogue:
    problems: list[Problem] = []
    read = load_catalogue(ROOT / "policies", problems)
    assert problems == []
    return read


def kinds() -> Mapping[str, Any]:
    """The kinds that there are, and the one that the page writes."""
    module: dict[str, Any] = {"__name__": "folder"}
    exec(compile(SOURCE.text, str(SOURCE), "exec"), module)
    return {**KINDS, "folder": module["build"]}


def prepare(folder: Path, text: str) -> Path:
    """The example's file, and beside it what it names."""
    authority = Authority(folder, "environment-ca")
    authority.issue("gateway", client=True)
    for name in re.findall(r"(?:signers|known_hosts)_file: ([\w.-]+)", text):
        (folder / name).write_text(f"{'files.tax.example ' if 'hosts' in name else ''}{public(KEY)}\n")
    for name in re.findall(r"file: ([\w.-]+)", text):
        if not (folder / name).exists():
            secret(folder / name, "secret\n")
    (folder / "from-tax" / "tax-awards").mkdir(parents=True)
    file = folder / "sources.yaml"
    file.write_text(text)
    return file


def loaded(folder: Path, text: str) -> dict[str, Connector]:
    """The connectors of an example. It may leave datasets out, and nothing else."""
    problems: list[Problem] = []
    connectors = sources.load(prepare(folder, text), catalogue(), kinds(), problems).connectors
    assert [str(problem) for problem in problems if "has no source; add it" not in problem.message] == []
    return connectors


async def closed(connectors: Mapping[str, Connector]) -> None:
    for connector in connectors.values():
        await connector.close()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
async def test_every_example_loads(example: Fence, tmp_path: Path) -> None:
    connectors = loaded(tmp_path, example.text)
    assert len(connectors) == len(re.findall(r"^  \w+:", example.text, re.MULTILINE))
    await closed(connectors)


def test_there_is_an_example_of_every_kind() -> None:
    assert {*re.findall(r"kind: (\w+)$", "\n".join(e.text for e in EXAMPLES), re.MULTILINE)} >= {*KINDS, "folder"}


async def test_a_mistake_in_an_example_is_told_where_it_stands(tmp_path: Path) -> None:
    problems: list[Problem] = []
    text = EXAMPLES[0].text.replace("amount: amt.total", "amonut: amt.total")
    sources.load(prepare(tmp_path, text), catalogue(), kinds(), problems)
    [told] = [problem for problem in problems if "did you mean `amount`" in problem.message]
    assert text.splitlines()[told.line - 1].startswith("        fields:")


def test_every_key_is_told() -> None:
    told = {part for span in inline(PAGE) for part in re.split(r"[.\s:,{}]+", span)}
    examples = {key for example in EXAMPLES for key in re.findall(r"(\w+):", example.text)}
    departments = {key for kind in (rest, xroad, graphql, sql, files) for key in kind.DEPARTMENT_KEYS}
    known = {*departments, *endpoint.KEYS, *auth.AUTH_KINDS}
    assert sorted(known - {"kind"} - told) == []
    assert sorted(known - {*auth.AUTH_KINDS, "allow_plain_http", "allow_plain"} - examples) == []


def test_the_limits_have_the_defaults_that_are_told() -> None:
    head = "| limit |"
    rows = table(head + section(PAGE, "A department").partition(head)[2])
    told: dict[str, Any] = {"breaker": {}}
    for name, default, _ in rows:
        [key], [said] = code(name), code(default)
        place = told["breaker"] if key.startswith("breaker.") else told
        place[key.removeprefix("breaker.")] = int(said) if said.isdigit() else said
    defaults = read_limits(written({}))
    assert len(rows) == len(defaults.__struct_fields__) - 1 + len(defaults.breaker)
    assert read_limits(written(told)) == defaults


def test_what_fails_how_names_codes_and_tests_that_exist() -> None:
    for what, outcome, _, tests in table(section(PAGE, "What fails how")):
        codes = code(outcome)
        assert {*codes} <= {fault.value for fault in Fault}, what
        assert code(tests), what
        assert missing(code(tests)) == [], what


async def test_the_new_kind_answers(tmp_path: Path) -> None:
    [example] = [example for example in EXAMPLES if "kind: folder" in example.text]
    connectors = loaded(tmp_path, example.text)
    awards = tmp_path / "from-tax" / "tax-awards"
    award = {"no": 7, "rev": 1, "holder": HOLDER.value, "name": "Prize", "day": "2026-01-02", "inner": "note"}
    asked = RecordRequest((DatasetRequest("tax-awards", ("title",), (HOLDER,)),), asyncio.get_running_loop().time() + 5)

    async def outcome() -> Any:
        return (await connectors["tax"].fetch(asked))[HOLDER, "tax-awards"]

    assert await outcome() == []
    file = awards / f"LEI-{HOLDER.value}.json"
    file.write_text(json.dumps({"awards": [award]}))
    [record] = await outcome()
    assert (record.m_id, record.m_version, record.f_title) == ("7", "1", "Prize")
    assert not hasattr(record, "f_awardedOn")
    file.write_text(json.dumps({"awards": [award, {**award, "holder": "529900T8BM49AURSDO55"}]}))
    failure = await outcome()
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.INVALID
    file.write_text(json.dumps({"awards": [award, {**award, "name": 5}]}))
    assert [isinstance(each, Faulty) for each in await outcome()] == [False, True]
    file.unlink()
    awards.rmdir()
    failure = await outcome()
    assert isinstance(failure, Failure)
    assert failure.fault is Fault.UNAVAILABLE
    await closed(connectors)


async def test_the_new_kind_gives_every_type(tmp_path: Path) -> None:
    [example] = [example for example in EXAMPLES if "kind: folder" in example.text]
    connectors = loaded(tmp_path, example.text)
    award = {"no": "A", "rev": "2", "holder": HOLDER.value, "name": "Prize", "day": "2026-01-02"}
    (tmp_path / "from-tax" / "tax-awards" / f"LEI-{HOLDER.value}.json").write_text(json.dumps({"awards": [award]}))
    asked = DatasetRequest("tax-awards", ("awardedOn", "title"), (HOLDER,))
    got = await connectors["tax"].fetch(RecordRequest((asked,), asyncio.get_running_loop().time() + 5))
    [record] = got[HOLDER, "tax-awards"]  # type: ignore[misc]
    assert record.f_awardedOn == datetime.date(2026, 1, 2)  # type: ignore[attr-defined]
    await closed(connectors)
