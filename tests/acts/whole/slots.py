"""Every place of the schema where somebody's id can be put: what takes an id, a cursor, or names a subject."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
)

from tests.acts.whole.asking import fields

NAMING = ("ID", "_Any", "IdentifierInput")
CURSORS = ("after",)


def slots(schema: GraphQLSchema) -> set[str]:
    """Each as `field.argument.member`, or `@directive.argument`; below a root field by that field's name too."""
    found = set[str]()
    for name, field in fields(schema).items():
        found |= set(_arguments(name, field.args))
        found |= set(_below(name, field.type, ()))
    for directive in schema.directives:
        found |= set(_arguments(f"@{directive.name}", directive.args))
    return found


def _arguments(of: str, arguments: dict[str, GraphQLArgument]) -> Iterator[str]:
    for name, argument in arguments.items():
        yield from _inputs(f"{of}.{name}", name, argument.type)


def _inputs(path: str, name: str, of: GraphQLInputType) -> Iterator[str]:
    named = get_named_type(of)
    if named.name in NAMING or name in CURSORS:
        yield path
    elif isinstance(named, GraphQLInputObjectType):
        for member, field in named.fields.items():
            yield from _inputs(f"{path}.{member}", member, field.type)


def _below(path: str, of: GraphQLOutputType, seen: tuple[str, ...]) -> Iterator[str]:
    named = get_named_type(of)
    if isinstance(named, GraphQLObjectType) and named.name not in seen:
        for name, field in named.fields.items():
            yield from _arguments(f"{path}.{name}", field.args)
            yield from _below(f"{path}.{name}", field.type, (*seen, named.name))
