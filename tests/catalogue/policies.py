"""Small catalogues for tests, written to a folder as policy files."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue
from gateway.errors import Problem

IDENTIFIERS: dict[str, Any] = {
    "LEI": {"title": "Legal Entity Identifier", "subjects": ["organisation"], "module": "stdnum.lei"},
    "PIN": {"title": "Personal number", "subjects": ["person"], "pattern": "[0-9]{10}"},
}


def dataset(fields: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A dataset that nothing refuses, with some keys changed; a key changed to `None` is left out.

    A field is given by its type, or by its whole entry.
    """
    entry: dict[str, Any] = {
        "title": "Notices",
        "status": "published",
        "subjects": ["organisation"],
        "information": "public",
        "disclosure": "shared",
        "nature": "neutral",
        "basis": [{"law": "Notices Act", "article": "1"}],
        "fields": {
            name: field if isinstance(field, dict) else {"type": field, "title": "What it holds"}
            for name, field in (fields or {"number": "String"}).items()
        },
    }
    entry |= changes
    return {key: value for key, value in entry.items() if value is not None}


def adverse(fields: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An adverse dataset that nothing refuses, with some keys changed."""
    display = {"min": "P3M", "max": "P3Y", "from": "effective"}
    return dataset(fields, **{"nature": "adverse", "display": display, **changes})


def write(
    folder: Path,
    datasets: Mapping[str, Any],
    identifiers: Mapping[str, Any] | None = None,
    department: str = "tax",
) -> Path:
    """Write a policies folder with one department; JSON is YAML, so every value stands on a line of its own."""
    (folder / "catalogue").mkdir(parents=True, exist_ok=True)
    content = {
        "department": department,
        "title": f"The {department} service",
        "datasets": copy.deepcopy(dict(datasets)),
    }
    (folder / "catalogue" / f"{department}.yaml").write_text(json.dumps(content, indent=1), encoding="utf-8")
    (folder / "identifiers.yaml").write_text(json.dumps(identifiers or IDENTIFIERS, indent=1), encoding="utf-8")
    return folder


def problems_of(
    folder: Path, datasets: Mapping[str, Any], identifiers: Mapping[str, Any] | None = None
) -> list[Problem]:
    """What is wrong with a catalogue of one department."""
    problems: list[Problem] = []
    load(write(folder, datasets, identifiers), problems)
    return problems


def catalogue_of(folder: Path, datasets: Mapping[str, Any]) -> Catalogue:
    """A catalogue of one department that has nothing wrong."""
    problems: list[Problem] = []
    catalogue = load(write(folder, datasets), problems)
    assert problems == []
    return catalogue
