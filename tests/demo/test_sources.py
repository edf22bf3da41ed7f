"""The demo's sources against the departments' real servers, through the gateway's own connectors."""

from __future__ import annotations

import asyncio
import datetime
import re
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any

import msgspec
import pytest

from connectors.base import Connector, DatasetRequest, DatasetShape, Failure, Fault, Record, RecordRequest, Subject
from connectors.kinds import KINDS
from connectors.mapping.numbers import plain
from deploy.demo import region
from deploy.demo.configuration import DEPARTMENTS, USUAL
from deploy.demo.records import Row
from deploy.demo.region import NAMED
from deploy.demo.values import DATASETS, Who
from gateway.catalogue.load import load
from gateway.documents import read
from gateway.errors import Problem
from tests.demo.conftest import DAY, Start
from tests.waiting import until_async

ROOT = Path(__file__).parents[2]


def connected(department: str, port: int, tmp_path: Path, also: dict[str, str] | None = None) -> Connector:
    """The department's connector by `sources.yaml`, with the department at `port`, and what it says `also`."""
    file = tmp_path / "sources.yaml"
    text = Template((ROOT / "deploy/demo/sources.yaml").read_text()).substitute(dict.fromkeys(USUAL, port))
    head = re.compile(rf"^  {department}:.*\n", re.MULTILINE)
    lines = "".join(f"    {key}: {value}\n" for key, value in (also or {}).items())
    text, found = head.subn(lambda match: match[0] + lines, text)
    assert found == 1
    file.write_text(text)
    problems: list[Problem] = []
    node = read(file, problems)
    assert node is not None
    config = node.at(["departments", department])
    connector = KINDS[config.at(["kind"]).text()](config, shapes(department))
    assert not problems
    return connector


def shapes(department: str) -> dict[str, DatasetShape]:
    problems: list[Problem] = []
    catalogue = load(ROOT / "policies", problems)
    return {
        dataset.id: DatasetShape(dataset.id, {field.name: field.type for field in dataset.fields.values()})
        for dataset in catalogue.published.values()
        if dataset.department == department
    }


def expected(row: Row, fields: tuple[str, ...]) -> dict[str, Any]:
    """What a connector's record must hold of a row."""
    values = {name: plain(value) if isinstance(value := row.fields[name], Decimal) else value for name in fields}
    return {"id": row.id, "version": row.version, "document": row.document, "effective": row.effective,
            "mitigation": row.mitigation, **values}  # fmt: skip


def found(record: Record, fields: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(record, f"f_{name}") for name in fields}
    return {"id": record.m_id, "version": record.m_version, "document": record.m_document,
            "effective": record.m_effective, "mitigation": record.m_mitigation, **values}  # fmt: skip


def subjects_of(department: str) -> list[Who]:
    """The named subjects, and some of the crowd."""
    kinds = {scheme for shape in DATASETS.values() if shape.department == department for scheme in shape.schemes}
    crowd = [who for number, who in enumerate(region.subjects()) if number % 400 == 7]
    return [who for who in [*(named.who for named in NAMED.values()), *crowd] if who.identifier[0] in kinds]


@pytest.mark.parametrize("department", sorted(DEPARTMENTS))
async def test_every_record_comes_through_unchanged(department: str, start: Start, tmp_path: Path) -> None:
    """Over HTTP on both transports."""
    _, port = start(f"departments.{department}")
    await compare(department, connected(department, port, tmp_path))
    if DEPARTMENTS[department][0] != "sql":
        await compare(department, connected(department, port, tmp_path, {"transport": "httpx"}))


async def compare(department: str, connector: Connector) -> None:
    """Hold what a connector gives of the named subjects, and of some of the crowd, to the region's records."""
    own = shapes(department)
    compared = 0
    try:
        for who in subjects_of(department):
            scheme, value = who.identifier
            subject = Subject("organisation" if scheme == "LEI" else "person", scheme, value)
            known = [] if who == NAMED["unknown"].who else list(region.records_of(who, DAY))
            asked = tuple(
                DatasetRequest(name, tuple(sorted(shape.fields)), (subject,))
                for name, shape in own.items()
                if scheme in DATASETS[name].schemes
            )
            if not asked:
                continue
            answer = await connector.fetch(RecordRequest(asked, asyncio.get_running_loop().time() + 10))
            for request in asked:
                outcome = answer[subject, request.dataset]
                assert not isinstance(outcome, Failure), (request.dataset, outcome)
                rows = [row for row in known if row.dataset == request.dataset]
                if DEPARTMENTS[department][0] == "sql":  # these come by date
                    rows.sort(key=lambda row: (row.effective or datetime.date.max, row.id))
                assert [found(record, request.fields) for record in outcome] == [
                    expected(row, request.fields) for row in rows
                ]
                compared += len(rows)
    finally:
        await connector.close()
    assert compared > 15


@pytest.mark.parametrize("department", sorted(DEPARTMENTS))
async def test_a_killed_department_is_unavailable(department: str, start: Start, tmp_path: Path) -> None:
    child, port = start(f"departments.{department}")
    connector = connected(department, port, tmp_path)
    who = NAMED["person_with_consent" if department == "labour" else "ordinary"].who
    scheme, value = who.identifier
    subject = Subject("organisation" if scheme == "LEI" else "person", scheme, value)
    name, shape = next((n, s) for n, s in shapes(department).items() if scheme in DATASETS[n].schemes)
    request = RecordRequest((DatasetRequest(name, tuple(sorted(shape.fields)), (subject,)),), 0.0)

    got: list[Any] = []

    async def fails() -> bool:
        answer = await connector.fetch(msgspec.structs.replace(request, deadline=asyncio.get_running_loop().time() + 5))
        got.append(answer[subject, name])
        return isinstance(got[-1], Failure)

    try:
        assert not await fails()
        child.kill()
        await until_async("it to be gone, with a database that it started", fails)
        outcome = got[-1]
        assert outcome.fault is Fault.UNAVAILABLE
        assert outcome.retryable
    finally:
        await connector.close()


def test_values_have_the_types_of_the_catalogue() -> None:
    ordinary = list(region.records_of(NAMED["ordinary"].who, DAY))
    kinds = {type(value) for row in ordinary for value in row.fields.values()}
    assert {str, Decimal, datetime.date, datetime.datetime, bool, int} >= kinds
