"""What the connector tests share: subjects, shapes, and how to ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.base import (
    Connector,
    DatasetRequest,
    DatasetShape,
    Failure,
    FieldType,
    Outcome,
    RecordRequest,
    Subject,
)
from connectors.prompt.fan import asked
from gateway.documents import Node, parse
from gateway.values import Document

ACME = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
BETA = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
ANN = Subject("person", "PIN", "1234567895")

SHAPES = {
    "arrears": DatasetShape(
        "arrears", {"period": FieldType.STRING, "amount": FieldType.DECIMAL, "secret": FieldType.STRING}
    ),
    "awards": DatasetShape("awards", {"title": FieldType.STRING}),
}


def written(config: Mapping[str, Any], folder: Path = Path(), file: str = "sources.yaml") -> Node:
    """A configuration as its file would be read; a key whose value is `None` is not written."""
    text = json.dumps({key: value for key, value in config.items() if value is not None}, indent=1)
    node = parse(text, Document(file, folder.resolve(), []))
    assert node is not None
    return node


def places(node: Node, words: str) -> list[str]:
    """Where problems with these words are told. Each has a line and a column."""
    assert all(problem.line and problem.column for problem in node.problems)
    return [problem.path for problem in node.problems if words in problem.message]


@asynccontextmanager
async def connected(
    build: Callable[..., Connector], config: Mapping[str, Any], base_dir: Path = Path()
) -> AsyncIterator[Connector]:
    """A connector for `SHAPES`, closed at the end."""
    node = written(config, base_dir)
    connector = build(node, SHAPES)
    assert node.problems == []
    try:
        yield connector
    finally:
        await connector.close()


def ask(dataset: str, fields: str, *subjects: Subject) -> DatasetRequest:
    return DatasetRequest(dataset, tuple(sorted(fields.split())), subjects or (ACME,))


async def fetch(
    connector: Connector, *datasets: DatasetRequest, within: float = 10.0
) -> dict[tuple[Subject, str], Outcome]:
    """Ask, and see that every subject and dataset has its outcome, and no other, in the end."""
    async with asyncio.timeout(30):
        deadline = asyncio.get_running_loop().time() + within
        outcomes = await asked(connector, RecordRequest(datasets, deadline))
    assert set(outcomes) == {(subject, dataset.dataset) for dataset in datasets for subject in dataset.subjects}
    return dict(outcomes)


async def fault(connector: Connector, *datasets: DatasetRequest, within: float = 10.0) -> str:
    """The one fault of everything asked for."""
    outcomes = await fetch(connector, *(datasets or (ask("arrears", "period amount"),)), within=within)
    faults = {outcome.fault.value for outcome in outcomes.values() if isinstance(outcome, Failure)}
    assert len(faults) == 1
    assert all(isinstance(outcome, Failure) for outcome in outcomes.values())
    return faults.pop()


def told(outcome: Outcome, *names: str) -> list[tuple[Any, ...]]:
    """The named fields of an outcome's records."""
    assert not isinstance(outcome, Failure), outcome
    return [tuple(getattr(record, f"f_{name}") for name in names) for record in outcome]
