"""The commonest variables: what each must be to need no coercion by the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SIMPLE: Mapping[str, type] = {"String": str, "Boolean": bool}


def quick(definitions: Sequence[Any]) -> list[tuple[str, type | None]] | None:
    """Each variable and its type, None for an identifier's; `None` instead where graphql-core has to look."""
    found: list[tuple[str, type | None]] = []
    for definition in definitions:
        inner = getattr(definition.type, "type", None)  # set where the type is non-null
        name = str(getattr(getattr(inner, "name", None), "value", ""))
        if name == "IdentifierInput":
            found.append((definition.variable.name.value, None))
        elif name in _SIMPLE and definition.type.kind == "non_null_type":
            found.append((definition.variable.name.value, _SIMPLE[name]))
        else:
            return None
    return found
