"""A department of one dataset, tried as `dutybound source test` tries it, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from connectors import kinds
from connectors.base import DatasetShape, FieldType, Subject
from gateway.catalogue.model import Dataset
from gateway.connecting.department import Department, placed
from gateway.connecting.trying.run import Trial, tried
from gateway.errors import Problem
from tests.connecting.trying.planted import FIELDS, VALUE
from tests.connectors.asking import written
from tests.world import rule_set

WHO = Subject("organisation", "LEI", VALUE)
NAME = "tax-awards"


def catalogued(fields: Mapping[str, FieldType] = FIELDS) -> Dataset:
    """The catalogue's dataset, with these fields instead of its own."""
    found = rule_set().policies.catalogue.datasets[NAME]
    (one, *_) = found.fields.values()
    named = {name: msgspec.structs.replace(one, name=name, type=type_) for name, type_ in fields.items()}
    return msgspec.structs.replace(found, fields=named)


def department(config: Mapping[str, Any], folder: Path, subjects: tuple[Subject, ...] = (WHO,)) -> Department:
    """A department as `sources.yaml` has it."""
    node = written({"departments": {"tax": dict(config)}}, folder).at(["departments", "tax"])
    dataset = catalogued()
    shapes = {NAME: DatasetShape(NAME, {each.name: each.type for each in dataset.fields.values()})}
    connector = kinds.KINDS[config["kind"]](node, shapes)
    assert node.problems == []
    return Department("tax", node, connector, {NAME: dataset}, subjects, "")


async def trial(of: Department) -> tuple[Trial, list[Problem]]:
    """What a try of its one dataset finds, each with its place."""
    try:
        found = await tried(of, rule_set().policies.catalogue, (), 60.0, of.datasets[NAME])
    finally:
        await of.connector.close()
    return found, [placed(of, each) for each in found.found]
