"""Bounds on a document, counted before it is validated, so that no document is costly to refuse. Pure.

Depth, aliases and the number of fields are counted over the operation with its fragments spread, each fragment visited
once: a document cannot hide its size behind fragments, and counting is linear in its text.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.errors import Code, Refusal

INTROSPECTION_DEPTH = 20


class Limits(msgspec.Struct, frozen=True):
    """What one document may weigh; `fields` counts fields after fragments are spread."""

    depth: int = 8
    aliases: int = 30
    tokens: int = 2000
    fields: int = 500
    organisations: int = 20


class _Weight(msgspec.Struct, frozen=True):
    depth: int
    aliases: int
    fields: int
    introspection: int


_NOTHING = _Weight(0, 0, 0, 0)


def check(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document that is too deep, or has too many aliases or fields, with `LIMIT_EXCEEDED`."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    known: dict[str, _Weight] = {}
    for definition in document.definitions:
        if not isinstance(definition, OperationDefinitionNode):
            continue  # a fragment weighs where it is spread: below `__schema` more depth is allowed than elsewhere
        weight = _weigh(definition.selection_set, fragments, known)
        for what, value, most in (
            ("depth", weight.depth, limits.depth),
            ("depth of introspection", weight.introspection, INTROSPECTION_DEPTH),
            ("number of aliases", weight.aliases, limits.aliases),
            ("number of fields", weight.fields, limits.fields),
        ):
            if value > most:
                raise Refusal(Code.LIMIT_EXCEEDED, f"the {what} is {min(value, 10**6)}; at most {most} is allowed")


def _weigh(
    selections: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode], known: dict[str, _Weight]
) -> _Weight:
    depth = aliases = fields = introspection = 0
    for node in selections.selections if selections else ():
        if isinstance(node, FieldNode):
            below = _weigh(node.selection_set, fragments, known)
            if node.name.value in ("__schema", "__type"):
                introspection = max(introspection, below.depth + 1, below.introspection + 1)
                depth = max(depth, 1)
            else:
                depth = max(depth, below.depth + 1)
                introspection = max(introspection, below.introspection)
            aliases += below.aliases + (node.alias is not None)
            fields += below.fields + 1
            continue
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in known:
                known[name] = _NOTHING  # a cycle, which validation refuses
                fragment = fragments.get(name)
                known[name] = _weigh(fragment.selection_set if fragment else None, fragments, known)
            below = known[name]
        else:
            below = _weigh(node.selection_set if isinstance(node, InlineFragmentNode) else None, fragments, known)
        depth, introspection = max(depth, below.depth), max(introspection, below.introspection)
        aliases, fields = aliases + below.aliases, fields + below.fields
    return _Weight(depth, aliases, fields, introspection)
