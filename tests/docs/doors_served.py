"""Finds doors in what is built: routes of the applications, root fields of the schema, commands, kinds of source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from graphql import GraphQLSchema
from graphql.type.introspection import SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef
from starlette.routing import BaseRoute, Mount, Route

from connectors import kinds
from gateway import app, check
from gateway.ledger.proof import key_files
from gateway.ledger.witness.server import Witness, application
from gateway.storage.sealing import key_file
from tests.docs import place
from tests.docs.commands import commands
from tests.docs.doors_in_code import COMMANDS, OUTGOING, ROUTES, Found
from tests.docs.reading import ROOT, fences
from tests.ledger import support

FIELDS = "Root fields"
_INTROSPECTION = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef, "__typename": TypeNameMetaFieldDef}


def built(folder: Path) -> app.Gateway:
    """The gateway that the deployment page configures, not started."""
    [configuration] = [
        each for each in fences(ROOT / "deploy" / "README.md") if each.text.startswith("# gateway.yaml\n")
    ]
    place.prepare(folder, configuration.text)
    key_files.generate(folder / "ledger.key")
    key_file.generate(folder / "store.key")
    return app.build(*check.load(folder / "gateway.yaml", {}))


def found(gateway: app.Gateway, folder: Path) -> set[Found]:
    """Every door of a built gateway, and of a witness that keeps its state in the folder."""
    witness = Witness("witness.example/w", support.KEY, support.VERIFIERS, folder / "witness.json")
    try:
        witnessing = routes(application(witness).routes, "witness: ")
    finally:
        witness.close()
    schema = gateway._serving.planner._schema
    return routes(gateway._pages.routes) | witnessing | root_fields(schema) | named_commands(commands()) | sources()


def routes(given: Iterable[BaseRoute], before: str = "") -> set[Found]:
    """A door for each method of each path; HEAD goes with GET."""
    return {Found(ROUTES, f"{before}{door}") for door in _routes(given)}


def _routes(given: Iterable[BaseRoute], path: str = "") -> Iterator[str]:
    for route in given:
        if isinstance(route, Mount):
            yield from _routes(route.routes, path + route.path) if route.routes else [f"ANY {path}{route.path}"]
            continue
        place = path + str(getattr(route, "path", route))
        methods = (route.methods if isinstance(route, Route) else None) or {type(route).__name__}
        yield from (f"{method} {place}" for method in methods if method != "HEAD" or "GET" not in methods)


def root_fields(schema: GraphQLSchema) -> set[Found]:
    """The fields of the operations' types, and those that introspection has without being in the schema."""
    types = (schema.query_type, schema.mutation_type, schema.subscription_type)
    names = {f"{type_.name}.{name}" for type_ in types if type_ for name in type_.fields}
    return {Found(FIELDS, name) for name in names | {f"Query.{name}" for name in _INTROSPECTION}}


def named_commands(known: Mapping[tuple[str, ...], object]) -> set[Found]:
    """`dutybound` and the words of each command."""
    return {Found(COMMANDS, " ".join(("dutybound", *words))) for words in known}


def sources(known: Iterable[str] = kinds.KINDS) -> set[Found]:
    """The kinds of department, and of case registry."""
    return {Found(OUTGOING, f"kind: {name}") for name in (*known, *kinds.CASES)}
