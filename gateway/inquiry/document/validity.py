"""Whether a document is valid, by graphql-core's own rules, asked at less than half of its cost. Pure.

For every document anew, graphql-core looks up which of its thirty rules watch which kind of node, walks to every name,
which none of them watches, and keeps what it found of a node by a hash of all that is below it. Here the first is known
once, names are passed by, and a node is itself. Nothing else differs: the rules and the types that they are told are
the library's. What is wrong with a document, `graphql.validate` says.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
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
from graphql.language.visitor import BREAK, EnterLeaveVisitor, VisitorAction
from graphql.pyutils import RefMap
from graphql.validation.validation_context import NodeWithSelectionSet, VariableUsage, VariableUsageVisitor

_UNWATCHED = ("name", "alias", "description")
_KEYS = {kind: tuple([key for key in keys if key not in _UNWATCHED]) for kind, keys in QUERY_DOCUMENT_KEYS.items()}
"""Where a walk goes on from each kind of node."""


class _UnfitError(Exception):
    """Some rule has something against the document."""


def fits(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Whether `graphql.validate` has nothing against the document; `False` also where only it could decide that."""
    assert_valid_schema(schema)
    types = TypeInfo(schema)
    context = _Context(schema, document, types, _unfit)
    try:
        visit(document, TypeInfoVisitor(types, _Rules([rule(context) for rule in specified_rules])), _KEYS)
    except (_UnfitError, RecursionError):
        return False
    return True


def _unfit(error: GraphQLError) -> NoReturn:
    raise _UnfitError


class _Usages(VariableUsageVisitor):
    """Finds variables; below a field that has nothing below it there is none."""

    def enter_field(self, node: FieldNode, *_: Any) -> VisitorAction:
        return None if node.arguments or node.directives or node.selection_set else SKIP


class _Context(ValidationContext):
    """What rules ask for. What was found of a node is kept by the node itself."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._fragment_spreads = RefMap()  # type: ignore[assignment]
        self._variable_usages = RefMap()  # type: ignore[assignment]
        self._recursive_variable_usages = RefMap()  # type: ignore[assignment]

    def get_variable_usages(self, node: NodeWithSelectionSet) -> list[VariableUsage]:
        """See `graphql.ValidationContext`."""
        found = self._variable_usages.get(node)
        if found is None:
            visitor = _Usages(self._type_info, node if isinstance(node, FragmentDefinitionNode) else None)
            visit(node, TypeInfoVisitor(self._type_info, visitor), _KEYS)
            found = self._variable_usages[node] = visitor.usages
        return found


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
