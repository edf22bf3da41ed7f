"""What the gateway has already: the catalogue, the schemes, and where parts of its files go.

A rule set that was activated is read from the store, as the gateway serves it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.activation import naming, stored
from gateway.catalogue.load import load
from gateway.config import settings
from gateway.connecting.starting.model import Known
from gateway.documents import Node, read
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.values import NOWHERE

SOURCES, PURPOSES, REQUESTERS = "sources.yaml", "purposes.yaml", "requesters.yaml"


class Place(NamedTuple):
    """What a gateway's files have: their paths as they are called, and behind how many spaces a part is written."""

    known: Known
    sources: Path
    indents: dict[str, int]


def place(config: Path, department: str, purpose: str, client: str) -> Place:
    """What there is beside a new department, purpose and client; empty for none.

    Raises `CommandRefused` where one of them is there already, `ConfigurationError` where the files cannot be read.
    """
    problems: list[Problem] = []
    found = settings.read(config, os.environ, problems)
    if found is None or found.sources == NOWHERE:
        raise ConfigurationError(problems)
    departments = _below(found.sources, "departments", problems)
    if departments is not None and department in (held := _keys(departments)):
        raise _there(held[department], department, "take it out first, or add to it")
    with _policies(found, config) as folder:
        catalogue = load(folder, problems)
        if not catalogue.whole:
            raise ConfigurationError(problems)
        purposes, requesters = folder / PURPOSES, folder / REQUESTERS
        listing = _keys(read(purposes, problems)) if purpose else {}
        if purpose in listing:
            raise _there(listing[purpose], purpose, "add the datasets to its `fields`")
        listed = _below(requesters, "requesters", problems) if client else None
        for each in listed.items() if listed is not None else ():
            keys = each.mapping(any_key=True)
            if "client" in keys and keys["client"].plain() == client:
                raise _there(each, client, "add the grant to it")
    own = {name: each for name, each in catalogue.datasets.items() if each.department == department}
    known = Known(
        {name: scheme.subjects for name, scheme in catalogue.schemes.items()},
        {name: {field.name: field.type for field in each.fields.values()} for name, each in own.items()},
        frozenset(catalogue.datasets),
        catalogue.departments.get(department, ""),
    )
    return Place(known, found.sources, {SOURCES: _indent(departments), REQUESTERS: _indent(listed)})


@contextlib.contextmanager
def _policies(found: settings.Settings, config: Path) -> Iterator[Path]:
    if found.rules != stored.FILES:
        with naming.folder(naming.ACTIVE, config) as folder:
            yield folder
    elif found.policies == NOWHERE:
        raise CommandRefused(f"{config}: names no folder with policies; mend `policies`")
    else:
        yield found.policies


def _below(file: Path, key: str, problems: list[Problem]) -> Node | None:
    return _keys(read(file, problems)).get(key)


def _keys(node: Node | None) -> dict[str, Node]:
    return dict(node.mapping(any_key=True)) if node is not None and node.is_mapping else {}


def _there(node: Node, name: str, fix: str) -> CommandRefused:
    """The refusal of what stands in a file already, with its line."""
    apart = node.apart()
    apart.key_problem(f"`{name}` is there already; {fix}")
    return CommandRefused(str(apart.problems[0]))


def _indent(node: Node | None) -> int:
    """How deep the entries of a block stand; 2 where there are none yet, or not in lines of their own."""
    if node is None or node.column > 20 or node.column % 2 == 0:
        return 2
    return int(node.column) - 1
