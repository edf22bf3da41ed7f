"""Operations written from the schema itself, so that what is added to it is asked for too."""

from __future__ import annotations

import functools
from collections.abc import Collection

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

DEEPEST = 6


def fields(schema: GraphQLSchema) -> dict[str, GraphQLField]:
    """Every root field, by its name."""
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    return {**schema.query_type.fields, **schema.mutation_type.fields}


def operation(schema: GraphQLSchema, name: str, given: Collection[str]) -> str:
    """An operation with one root field, all of whose value it selects; the arguments given come by variables."""
    return _operation(schema, name, frozenset(given))


@functools.lru_cache(maxsize=256)
def _operation(schema: GraphQLSchema, name: str, given: frozenset[str]) -> str:
    assert schema.mutation_type is not None
    field = fields(schema)[name]
    kind = "mutation" if name in schema.mutation_type.fields else "query"
    taken = {each: argument for each, argument in field.args.items() if each in given}
    declared = _within("(", [f"${each}: {_type(argument)}" for each, argument in taken.items()], ")")
    passed = _within("(", [f"{each}: ${each}" for each in taken], ")")
    return f"{kind}{declared} {{ it: {name}{passed} {selected(field.type)} }}"


def _type(argument: GraphQLArgument) -> str:
    return str(argument.type)


def _within(opening: str, parts: list[str], closing: str) -> str:
    return f"{opening}{', '.join(parts)}{closing}" if parts else ""


def selected(of: GraphQLOutputType, depth: int = 0, alias: str = "") -> str:
    """The selection of everything of a type; of a union's types, all but the first by `Type_field`."""
    named = get_named_type(of)
    if isinstance(named, GraphQLUnionType):
        first = named.types[0]
        each = [f"... on {one.name} {selected(one, depth, '' if one is first else one.name)}" for one in named.types]
        return f"{{ __typename {' '.join(each)} }}"
    if not isinstance(named, GraphQLObjectType) or depth == DEEPEST:
        return ""
    parts = []
    for name, field in named.fields.items():
        below = selected(field.type, depth + 1)
        if below or not isinstance(get_named_type(field.type), GraphQLObjectType | GraphQLUnionType):
            parts.append(f"{alias}_{name}: {name} {below}" if alias else f"{name} {below}")
    return f"{{ {' '.join(parts)} }}" if parts else ""
