"""`sources.yaml`: which real system holds which department's datasets, and by which protocol.

Every published dataset needs exactly one source, at the department that the catalogue names. An adverse dataset needs a
mapping of its records' source document (Art. 37), and one with a display period a mapping of `effective` (Art. 44):
without them every record would be withheld, which is never what the department meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connectors.base import Connector, DatasetShape, SourceConfigError
from gateway.catalogue.checks import needs_document
from gateway.catalogue.model import Catalogue, Dataset
from gateway.documents import Node, read, suggest
from gateway.errors import Problem

Build = Callable[[Mapping[str, Any], str, Mapping[str, DatasetShape], Path], Connector]
"""A connector kind: (configuration, department, shapes of its datasets, folder of relative paths) -> connector."""


def load(path: Path, catalogue: Catalogue, kinds: Mapping[str, Build], problems: list[Problem]) -> dict[str, Connector]:
    """The connectors by department; what is wrong goes to `problems`, with file and line."""
    node = read(path, problems)
    if node is None:
        return {}
    departments = node.mapping(["departments"]).get("departments")
    connectors: dict[str, Connector] = {}
    entries = departments.mapping(any_key=True) if departments else {}
    for name, entry in entries.items():
        if name not in catalogue.departments:
            entry.problem(f"the catalogue has no department `{name}`{suggest(name, catalogue.departments)}")
            continue
        before = len(problems)
        shapes = _shapes(name, entry, catalogue)
        connector = _connector(name, entry, shapes, kinds, path.parent) if len(problems) == before else None
        if connector is not None:
            connectors[name] = connector
    served = {d for e in entries.values() for d in _datasets(e)}
    for dataset in catalogue.published.values():
        if departments is not None and dataset.id not in served:
            departments.problem(
                f"the published dataset `{dataset.id}` has no source; add it to `{dataset.department}.datasets`"
            )
    return connectors


def _datasets(entry: Node) -> dict[str, Node]:
    if not entry.is_mapping:
        return {}
    node = entry.mapping(any_key=True).get("datasets")
    return node.mapping(any_key=True) if node is not None and node.is_mapping else {}


def _shapes(department: str, entry: Node, catalogue: Catalogue) -> dict[str, DatasetShape]:
    shapes: dict[str, DatasetShape] = {}
    for name, node in _datasets(entry).items():
        dataset = catalogue.datasets.get(name)
        if dataset is None or dataset.department != department:
            own = [d.id for d in catalogue.datasets.values() if d.department == department]
            node.problem(f"`{department}` has no dataset `{name}` in the catalogue{suggest(name, own)}")
            continue
        _record(dataset, node)
        shapes[name] = DatasetShape(name, {field.name: field.type for field in dataset.fields.values()})
    return shapes


def _record(dataset: Dataset, node: Node) -> None:
    record = node.mapping(any_key=True).get("record")
    if record is None or not record.is_mapping:
        return  # the connector says what is missing
    says = record.mapping(any_key=True)
    if needs_document(dataset) and "document" not in says:
        record.problem(f"`{dataset.id}` is adverse: map `document`, the decision that each record rests on")
    if dataset.display is not None and "effective" not in says:
        record.problem(f"`{dataset.id}` has a display period: map `effective`, the day it counts from")


def _connector(
    department: str, entry: Node, shapes: Mapping[str, DatasetShape], kinds: Mapping[str, Build], folder: Path
) -> Connector | None:
    kind_node = entry.mapping(any_key=True).get("kind")
    if kind_node is None:
        entry.problem(f"`kind` is missing; one of {', '.join(kinds)}")
        return None
    kind = kind_node.choice(kinds)
    config = {key: value for key, value in entry.plain().items() if key != "kind"}
    try:
        return kinds[kind](config, department, shapes, folder)
    except SourceConfigError as error:
        entry.at(error.path).problem(error.message)
        return None
