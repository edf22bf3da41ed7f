"""What it costs to execute root fields that name no subject, known before any of them is executed. Pure.

The unit is a value of the answer. What the schema tells of itself is counted over the schema, by what each type, field
and argument has; rows of `permissions` and `receipts` weigh what making one takes. Each part of the document is counted
once for each thing that it is asked of, so that counting costs little where the answer would cost much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    StringValueNode,
    TypeMetaFieldDef,
    default_field_resolver,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_object_type,
    is_union_type,
    parse,
)

from gateway.catalogue.graphql.act_fields import MOST_ITEMS
from gateway.catalogue.model import Catalogue
from gateway.errors import Code, Refusal
from gateway.inquiry.document.acts import ACT_QUERIES

MOST_COST = 12_000
INTROSPECTIONS = 2
"""As many introspections of the whole schema, as tools ask for them, may be in a document, however large it is."""
_RECEIPT, _PERMISSION, _ITEM = 90, 4, 20
_ROW: dict[str, Any] = {}
"""Stands for a row that is not made yet."""
_THING: dict[str, Any] = {}
"""Stands for what an act gives, or a part of it: how much it has, nobody knows before."""
_FEW = 4
"""Parts that a list of such a thing counts as."""


class Costs:
    """What documents cost on one schema."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue) -> None:
        self._schema = schema
        self._me = {"datasets": [_THING] * len(catalogue.published)}
        self._permissions = sum(2 * len(dataset.fields) for dataset in catalogue.published.values())

    @cached_property
    def most(self) -> int:
        """What one document may cost."""
        return max(MOST_COST, INTROSPECTIONS * self.of(parse(get_introspection_query(input_value_deprecation=True))))

    def check(self, document: DocumentNode) -> None:
        """Refuse a valid document that costs too much to execute, with `LIMIT_EXCEEDED`."""
        cost = self.of(document)
        if cost > self.most:
            message = (
                f"the document's cost is {min(cost, 10**9):,}; at most {self.most:,} is allowed: ask for less at once"
            )
            raise Refusal(Code.LIMIT_EXCEEDED, message)

    def of(self, document: DocumentNode) -> int:
        """The cost of a valid document's costliest operation."""
        fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        walk = _Walk(self._schema, fragments, self._root)
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        kinds = [self._schema.get_root_type(each.operation) for each in operations]
        found = [
            walk.selections(each.selection_set, kind, None)
            for each, kind in zip(operations, kinds, strict=True)
            if kind is not None
        ]
        return max(found, default=0)

    def _root(self, walk: _Walk, node: FieldNode) -> int:
        """A field of `Query`'s cost; nothing for one that names subjects, which is not executed."""
        name = node.name.value
        fields = self._schema.query_type.fields if self._schema.query_type else {}
        if name == "__schema":
            return 1 + walk.below(node, SchemaMetaFieldDef.type, [self._schema])
        if name == "__type":
            said = _argument(node, "name")
            known = self._schema.type_map
            types = [known.get(said.value)] if isinstance(said, StringValueNode) else [*known.values()]
            return 1 + max(walk.below(node, TypeMetaFieldDef.type, [each]) for each in types)
        if name == "receipts":
            return _rows(node, 20) * (_RECEIPT + walk.below(node, fields[name].type, [_ROW]))
        if name == "permissions":
            return self._permissions * (_PERMISSION + walk.below(node, fields[name].type, [_ROW]))
        if name in ("catalogue", "_service"):
            return 1 + walk.field(node, fields[name], None)
        if name in ACT_QUERIES:
            return 1 + walk.field(node, fields[name], {"me": self._me})
        return 1


class _Walk:
    """Counts one document."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        root: Callable[[_Walk, FieldNode], int],
    ) -> None:
        self._schema, self._fragments, self._root = schema, fragments, root
        self._known: dict[tuple[int, int], int] = {}
        self._kept: list[Any] = []  # so that nothing else has the identity of what was counted

    def selections(self, selected: SelectionSetNode | None, kind: GraphQLObjectType, value: Any) -> int:
        key = (id(selected), id(value) if value is not None else id(kind))
        known = self._known.get(key)
        if known is None:
            self._kept.append(value)
            known = self._known[key] = sum(
                self._selection(node, kind, value) for node in (selected.selections if selected else ())
            )
        return known

    def _selection(self, node: Any, kind: GraphQLObjectType, value: Any) -> int:
        if isinstance(node, FragmentSpreadNode):
            return self.selections(self._fragments[node.name.value].selection_set, kind, value)
        if not isinstance(node, FieldNode):
            return self.selections(node.selection_set, kind, value)
        if kind is self._schema.query_type:
            return self._root(self, node)
        definition = kind.fields.get(node.name.value)
        return 1 if definition is None else self.field(node, definition, value)

    def field(self, node: FieldNode, definition: Any, value: Any) -> int:
        """The cost of a field of `value`, and of what is below it; a page has as many rows as it may have."""
        if node.selection_set is None:
            return 1
        if "first" in definition.args:
            rows = _rows(node, definition.args["first"].default_value)
            return 1 + rows * _ITEM + self.below(node, definition.type, [{"items": [_THING] * rows}])
        said = {"includeDeprecated": True} if "includeDeprecated" in definition.args else {}
        info: Any = SimpleNamespace(schema=self._schema, field_name=node.name.value)
        has = (definition.resolve or default_field_resolver)(value, info, **said)
        if has is None and (value is _THING or value is None):
            has = [_THING] * _FEW if is_list_type(get_nullable_type(definition.type)) else _THING
        many = list(has) if isinstance(has, Iterable) and not isinstance(has, str | Mapping) else [has]
        return 1 + self.below(node, definition.type, many)

    def below(self, node: FieldNode, kind: Any, values: Sequence[Any]) -> int:
        """The cost of what is selected of these values."""
        named = get_named_type(kind)
        kinds = self._schema.get_possible_types(named) if is_union_type(named) else [named]
        if node.selection_set is None or not all(map(is_object_type, kinds)):
            return len(values)
        found = [value for value in values if value is not None]
        return sum(1 + self.selections(node.selection_set, each, value) for value in found for each in kinds)


def _argument(node: FieldNode, name: str) -> Any:
    return next((each.value for each in node.arguments or () if each.name.value == name), None)


def _rows(node: FieldNode, usual: int) -> int:
    """How many rows a field asks for; as many as it may, where a variable says it."""
    first = _argument(node, "first")
    rows = int(first.value) if isinstance(first, IntValueNode) else usual if first is None else MOST_ITEMS
    return max(0, min(rows, MOST_ITEMS))
