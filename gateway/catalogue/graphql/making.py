"""How Strawberry types are made from what is known only with a catalogue: enums, types, and fields with arguments."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import strawberry

_E = TypeVar("_E", bound=enum.StrEnum)


def described(description: str, values: Mapping[str, str]) -> Callable[[type[_E]], type[_E]]:
    """Makes an enum one of the schema, with a description of it and of each value."""

    def made(members: type[_E]) -> type[_E]:
        strawberry.enum(members, description=description)
        for value in vars(members)["__strawberry_definition__"].values:
            value.description = values[value.name]
        return members

    return made


def made_enum(name: str, description: str, values: Mapping[str, str]) -> Any:
    """An enum of these values, each with its description."""
    functional: Any = enum.StrEnum
    return described(description, values)(functional(name, {value: value for value in values}))


def list_of(of: Any) -> Any:
    """The type of a list of what is known only now."""
    return list[of]


def made_type(
    name: str, description: str, fields: Mapping[str, tuple[Any, str]], base: type = object, **options: Any
) -> Any:
    """A Strawberry type with fields of the given types and descriptions; Python's own words are fine as names."""
    names = {field: f"f_{field}" for field in fields}
    namespace: dict[str, Any] = {
        names[field]: strawberry.field(name=field, description=text) for field, (_, text) in fields.items()
    }
    namespace["__annotations__"] = {names[field]: type_ for field, (type_, _) in fields.items()}
    bases = (base,) if base is not object else ()
    return strawberry.type(type(name, bases, namespace), name=name, description=description, **options)


class Argument(NamedTuple):
    """An argument of a field; one that may be null has a default in the schema only where one is given."""

    of: Any
    description: str
    default: Any = strawberry.UNSET


def asked(returns: Any, description: str, **arguments: Argument) -> Any:
    """A field with these arguments; the schema gives every field graphql-core's own resolver."""

    def read(**given: Any) -> Any:
        """Only says which arguments there are."""
        raise LookupError("resolved by name")

    return strawberry.field(resolver=declared(read, returns, arguments), description=description)


def _may_be_null(of: Any) -> bool:
    return type(None) in getattr(of, "__args__", ())


def declared(function: Any, returns: Any, arguments: Mapping[str, Argument]) -> Any:
    """The function as one with these keyword arguments; those that may not be null must be given."""
    types = {
        name: Annotated[each.of, strawberry.argument(description=each.description)] for name, each in arguments.items()
    }
    defaults = {name: each.default for name, each in arguments.items() if _may_be_null(each.of)}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=type_,
            default=defaults.get(name, inspect.Parameter.empty),
        )
        for name, type_ in types.items()
    ]
    function.__signature__ = inspect.Signature(parameters, return_annotation=returns)
    function.__annotations__ = {**types, "return": returns}
    return function
