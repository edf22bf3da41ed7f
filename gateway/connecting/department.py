"""One department as `sources.yaml` and the catalogue have it, for commands that ask its system outside any inquiry."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from connectors.base import Connector, Mismatch, Subject
from gateway import check, documents
from gateway.catalogue.model import Catalogue, Dataset
from gateway.config.settings import Settings
from gateway.documents import Node
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.rules.ruleset import RuleSet
from gateway.sources import Build, Sources
from gateway.values import suggest


class Department(NamedTuple):
    """A department: its part of the file, its connector, and its datasets that are mapped, by id.

    `test_subjects` are those that the file declares: nobody's, so that anybody may ask about them. `digest` is the
    SHA-256, in hexadecimal, of what the file says of it and the catalogue of its datasets.
    """

    name: str
    node: Node
    connector: Connector
    datasets: Mapping[str, Dataset]
    test_subjects: Sequence[Subject]
    digest: str


class Departments(NamedTuple):
    """All that the files have about the departments that were asked for."""

    settings: Settings
    rules: RuleSet
    catalogue: Catalogue
    each: Sequence[Department]


@contextlib.asynccontextmanager
async def opened(
    config: Path, named: str | None = None, own: Mapping[str, Build] | None = None
) -> AsyncIterator[Departments]:
    """One department, or all where none is named; their connectors are closed at the end.

    `own` are kinds of source beside the gateway's.

    Raises `ConfigurationError` where a start would, and `CommandRefused` where there is no such department.
    """
    problems: list[Problem] = []
    read = check.read(config, os.environ, problems, own)
    if problems or read is None or read.parts is None:
        raise ConfigurationError(problems)
    found, catalogue = read.parts.departments, read.parts.rules.policies.catalogue
    try:
        if named is not None and named not in found.connectors:
            raise CommandRefused(
                f"`{read.settings.sources}` has no department `{named}`{suggest(named, found.connectors)}"
            )
        file = documents.read(read.settings.sources, problems)
        if file is None:
            raise ConfigurationError(problems)
        names = [named] if named is not None else list(found.connectors)
        each = [_one(name, file, found, catalogue) for name in names]
        yield Departments(read.settings, read.parts.rules, catalogue, each)
    finally:
        for connector in found.connectors.values():
            with contextlib.suppress(*([Exception] if own else [])):  # the contract's checks find that
                await connector.close()


def _one(name: str, file: Node, found: Sources, catalogue: Catalogue) -> Department:
    node = file.at(["departments", name])
    mapped = node.mapping(any_key=True)["datasets"].mapping(any_key=True)
    own = {each.id: each for each in catalogue.datasets.values() if each.department == name and each.id in mapped}
    digest = hashlib.sha256(found.made_of[name]).hexdigest()
    return Department(name, node, found.connectors[name], own, found.test_subjects.get(name, ()), digest)


def placed(department: Department, found: Mismatch) -> Problem:
    """Where in `sources.yaml` a mismatch stands: the line of its key, or of the nearest that is written."""
    node = department.node.at(found.key)
    # A key that is not written has its default: its parent is where it would stand.
    path = ".".join(["departments", department.name, *found.key])
    where = f", {found.address}" if found.address else ""
    status = f", status {found.status}" if found.status else ""
    more = f" and {found.rows - 1} more" if found.rows > 1 else ""
    row = f", record {found.row}{more}" if found.row else ""
    said = f"{found.what} ({(where + status + row).lstrip(', ')})" if where or status or row else found.what
    return Problem(node.file, node.line, node.column, path, said)
