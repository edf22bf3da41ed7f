"""`gateway.errors` says where errors stand: every exception class of the gateway and of the connectors is looked at."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from gateway import errors
from gateway.errors import DutyboundError, StoreUnavailable

FILES = [
    file
    for top in ("gateway", "connectors")
    for file in sorted(Path(top).rglob("*.py"))
    if "migrations" not in file.parts  # Alembic runs those, and imports nothing from them
]
OURS = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DutyboundError)}


def name_of(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def defined() -> list[type[BaseException]]:
    """Every exception class that stands on its own in a module."""
    found = []
    for file in FILES:
        module = importlib.import_module(name_of(file))
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, BaseException) and each.__module__ == module.__name__:
                found.append(each)
    return found


def imported() -> Mapping[str, set[str]]:
    """By `module.name`, the parts that import it."""
    found: dict[str, set[str]] = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found.setdefault(f"{node.module}.{alias.name}", set()).add(part_of(name_of(file)))
    return found


def astray(classes: Iterable[type[BaseException]], importers: Mapping[str, set[str]]) -> list[str]:
    """The exception classes that stand where `gateway.errors` says that none does."""
    found = []
    for each in classes:
        name, module = each.__name__, each.__module__
        if module == "gateway.errors":
            fine = issubclass(each, DutyboundError)
        elif module.startswith("connectors."):
            users = importers.get(f"{module}.{name}", set())
            fine = module == "connectors.base" or all(user.startswith("connectors.") for user in users)
        elif issubclass(each, DutyboundError):
            fine = any(base in OURS and base is not DutyboundError for base in each.__mro__)
        else:
            fine = importers.get(f"{module}.{name}", set()) <= {part_of(module)}
        if not fine:
            found.append(f"{module}.{name}")
    return found


def test_every_error_stands_where_the_page_says() -> None:
    assert astray(defined(), imported()) == []


def test_all_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(\w+)`", errors.__doc__ or "")) - {"Problem"}
    assert len(named) > 1
    assert {each.__name__ for each in defined()} >= named


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^    (?:│   )?(?:[├└]── )?(\w+)", errors.__doc__ or "", re.MULTILINE)
    assert drawn[0] == "DutyboundError"
    assert sorted(drawn) == sorted(each.__name__ for each in OURS)
    closer = set(re.findall(r"^    │   [├└]── (\w+)", errors.__doc__ or "", re.MULTILINE))
    for each in OURS - {DutyboundError}:
        assert each.__bases__ == ((StoreUnavailable,) if each.__name__ in closer else (DutyboundError,))


def _made(name: str, base: type[BaseException], module: str) -> type[BaseException]:
    return type(name, (base,), {"__module__": module})


@pytest.mark.parametrize(
    ("made", "importers", "stray"),
    [
        (_made("Away", Exception, "gateway.ledger.log.shard"), {"gateway.ledger"}, False),
        (_made("Away", Exception, "gateway.ledger.log.shard"), {"gateway.ledger", "gateway.web"}, True),
        (_made("Superseded", StoreUnavailable, "gateway.storage.port"), {"gateway.ledger"}, False),
        (_made("Alone", DutyboundError, "gateway.watch.follow"), set(), True),
        (_made("Odd", Exception, "gateway.errors"), set(), True),
        (_made("TooLong", ValueError, "connectors.rest"), {"gateway.sources"}, True),
        (_made("TooLong", ValueError, "connectors.rest"), {"connectors.delivered"}, False),
        (_made("_TooLong", ValueError, "connectors.rest"), set(), False),
    ],
)
def test_what_stands_elsewhere_is_found(made: type[BaseException], importers: set[str], stray: bool) -> None:
    assert bool(astray([made], {f"{made.__module__}.{made.__name__}": importers})) is stray
