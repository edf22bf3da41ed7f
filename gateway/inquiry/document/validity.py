"""Whether a document is valid, by graphql-core's own rules, asked at less than half of its cost. Pure.

For every document anew, graphql-core looks up which of its thirty rules watch which kind of node, and walks to every
name, which none of them watches. Here the first is known once, and names are passed by. Nothing else differs: the
rules and the types that they are told are the library's. What is wrong with a document, `graphql.validate` says.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    TypeInfo,
    TypeInfoVisitor,
    ValidationContext,
    assert_valid_schema,
    specified_rules,
)
from graphql.language import SKIP, ParallelVisitor, visit
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.language.visitor import BREAK, EnterLeaveVisitor

_UNWATCHED = ("name", "alias", "description")
_KEYS = {kind: tuple([key for key in keys if key not in _UNWATCHED]) for kind, keys in QUERY_DOCUMENT_KEYS.items()}
"""Where a walk goes on from each kind of node."""


class _UnfitError(Exception):
    """Some rule has something against the document."""


def fits(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Whether `graphql.validate` has nothing against the document; `False` also where only it could decide that."""
    assert_valid_schema(schema)
    types = TypeInfo(schema)
    context = ValidationContext(schema, document, types, _unfit)
    try:
        visit(document, TypeInfoVisitor(types, _Rules([rule(context) for rule in specified_rules])), _KEYS)
    except (_UnfitError, RecursionError):
        return False
    return True


def _unfit(error: GraphQLError) -> NoReturn:
    raise _UnfitError


@cache
def _methods(rule: type, kind: str) -> tuple[str | None, str | None]:
    """The names of a rule's methods for entering and for leaving a kind of node."""
    enter, leave = (
        next((name for name in (f"{way}_{kind}", way) if hasattr(rule, name)), None) for way in ("enter", "leave")
    )
    return enter, leave


class _Rules(ParallelVisitor):
    """Rules side by side; what a rule skips, it does not see until it has been left."""

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        """See `graphql.language.Visitor`."""
        found = self.enter_leave_map.get(kind)
        if found is None:
            found = self.enter_leave_map[kind] = self._side_by_side(kind)
        return found

    def _side_by_side(self, kind: str) -> EnterLeaveVisitor:
        skipping = self.skipping
        entering, leaving = [], []
        for place, rule in enumerate(self.visitors):
            enters, leaves = _methods(type(rule), kind)  # type: ignore[arg-type]  # a class can be hashed
            if enters:
                entering.append((place, getattr(rule, enters)))
            if enters or leaves:
                leaving.append((place, getattr(rule, leaves) if leaves else None))

        def enter(node: Node, *where: Any) -> None:
            for place, method in entering:
                if skipping[place] is None:
                    told = method(node, *where)
                    if told is not None:
                        skipping[place] = node if told is SKIP or told is False else BREAK

        def leave(node: Node, *where: Any) -> None:
            for place, method in leaving:
                if skipping[place] is node:
                    skipping[place] = None
                elif skipping[place] is None and method is not None:
                    told = method(node, *where)
                    if told is not None and told is not SKIP and told is not False:
                        skipping[place] = BREAK

        return EnterLeaveVisitor(enter if entering else None, leave if leaving else None)
