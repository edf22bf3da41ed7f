"""A department as the contract sees it, from the configuration that the gateway serves by."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connectors import kinds
from connectors.base import Answers, Config, Connector, DatasetShape, RecordRequest
from connectors.contract.model import System
from gateway import documents
from gateway.connecting.conforming import subjects
from gateway.connecting.department import opened
from gateway.errors import CommandRefused, Problem
from gateway.sources import Build, as_known, shapes_of
from gateway.values import Document

_BESIDE = ("changes", "test_subjects")
"""Keys of a department that are not its connector's."""


class Opened(NamedTuple):
    """A department to be checked: its kind, its part of the file in short form, and the subjects."""

    system: System
    kind: str
    digest: str
    rule_set: str
    subjects: subjects.Named


@contextlib.asynccontextmanager
async def checked(config: Path, named: str, file: Path, own: Mapping[str, Build]) -> AsyncIterator[Opened]:
    """The department of a `gateway.yaml`, with the file of subjects, and kinds that are not the gateway's own.

    Raises `ConfigurationError` where a start would, and `CommandRefused` where there is no such department.
    """
    async with opened(config, named, own) as found:
        (department,) = found.each
        shapes = shapes_of(named, department.node, found.catalogue)
        said = {
            key: value for key, value in as_known(department.node, shapes, []).plain().items() if key not in _BESIDE
        }
        whom = subjects.load(file, found.catalogue.schemes, shapes)
        if own and said["kind"] not in own:
            raise CommandRefused(
                f"--connector: it has the kind `{min(own)}`, and {found.settings.sources} has `kind: {said['kind']}`"
                f" for `{named}`; write `kind: {min(own)}` there, or leave --connector out"
            )
        make = _maker(found.settings.sources, own, shapes)
        system = System(said, make, shapes, whom.holding, whom.unknown, found.settings.limits.deadline)
        yield Opened(system, str(said["kind"]), department.digest, found.rules.digest, whom)


def _maker(
    file: Path, own: Mapping[str, Build], shapes: Mapping[str, DatasetShape]
) -> Callable[[Mapping[str, Any]], Connector]:
    def make(config: Mapping[str, Any]) -> Connector:
        problems: list[Problem] = []
        node = documents.parse(json.dumps(config), Document(str(file), file.resolve().parent, problems))
        made = None if node is None else documents.of_kind(node, {**kinds.KINDS, **own}, shapes)
        if problems or made is None:
            raise ValueError("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        return made

    return make


def own_kind(text: str) -> dict[str, Build]:
    """The kind of a connector that a department wrote, of `module:function`: its name is the module's last part.

    Raises `CommandRefused`.
    """
    module, mark, function = text.partition(":")
    if not (mark and function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise CommandRefused(f"--connector: `{text}` must be a module and its function, as `folder:build`")
    try:
        build = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise CommandRefused(
            f"--connector: `{module}` cannot be imported ({error}); is its folder in PYTHONPATH?"
        ) from None
    if not callable(build):
        raise CommandRefused(f"--connector: `{module}` has no function `{function}`")

    def made(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
        try:
            connector: Connector = build(config, shapes)
        except Exception as error:  # of code that somebody else wrote
            config.problem(f"`{text}` raised `{type(error).__name__}` ({error}); report it by `config.problem`")
            return _NONE
        if not all(callable(getattr(connector, name, None)) for name in ("fetch", "close")):
            config.problem(f"`{text}` gave no connector, but `{type(connector).__name__}`; return one")
            return _NONE
        return connector

    return {module.rpartition(".")[2]: made}


class _None:
    """What stands for a connector that could not be made: it is never asked."""

    async def fetch(self, request: RecordRequest) -> Answers:
        raise AssertionError("a connector with mistakes never serves")

    async def close(self) -> None:
        """Nothing is open."""


_NONE = _None()
