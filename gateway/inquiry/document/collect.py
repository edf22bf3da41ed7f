"""A validated operation -> its `Variant`: fields collected per type, fragments spread, conditions resolved. Pure.

Follows CollectFields and MergeSelectionSets of the GraphQL specification (section 6.3.2), done once per document
instead of once per object: every subject of a kind, and every record of a dataset, has the same type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
    value_from_ast,
)
from graphql.language import ListValueNode

from connectors.base import SubjectKind
from gateway.catalogue.model import Catalogue, Dataset
from gateway.inquiry.document.acts import lone_act
from gateway.inquiry.document.shapes import (
    Act,
    Chosen,
    Compute,
    DatasetSelection,
    Leaf,
    MetaSelection,
    RegisterLeaf,
    Root,
    SubjectSelection,
    TypeName,
    Values,
    Variant,
)
from gateway.inquiry.types import Selected, Wanted

KINDS: Mapping[str, SubjectKind] = {"Organisation": "organisation", "Person": "person"}
SUBJECT_ROOTS: Mapping[str, tuple[bool, tuple[str, ...], str]] = {
    "organisation": (False, ("Organisation",), "id"),
    "organisations": (True, ("Organisation",), "ids"),
    "person": (False, ("Person",), "id"),
    "_entities": (True, ("Organisation", "Person"), "representations"),
}
"""Root fields that name subjects: whether they give a list, of which types, and by which argument."""


class _Field(NamedTuple):
    name: str
    nodes: tuple[FieldNode, ...]


def asks_about_subjects(document: DocumentNode, operation_name: str | None) -> bool:
    """Whether a document, valid or not, selects a field that names subjects at its root.

    Only the named operation counts where there is one of that name, else every operation does.
    """
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    named = [o for o in operations if o.name is not None and o.name.value == operation_name]
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    todo: list[SelectionSetNode | None] = [operation.selection_set for operation in named or operations]
    while todo:
        selection_set = todo.pop()
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                if node.name.value in SUBJECT_ROOTS:
                    return True
            elif isinstance(node, FragmentSpreadNode):
                fragment = fragments.pop(node.name.value, None)
                todo.append(fragment.selection_set if fragment else None)
            else:
                todo.append(getattr(node, "selection_set", None))
    return False


def condition_variables(operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]) -> list[str]:
    """Names of the variables that `@skip` and `@include` read, in a stable order."""
    found: dict[str, None] = {}
    todo: list[SelectionSetNode | None] = [operation.selection_set, *(f.selection_set for f in fragments)]
    while todo:
        selection_set = todo.pop()
        for node in selection_set.selections if selection_set else ():
            for directive in node.directives or ():
                value = _condition(directive)
                if isinstance(value, VariableNode):
                    found[value.name.value] = None
            todo.append(getattr(node, "selection_set", None))
    return sorted(found)


def _condition(directive: DirectiveNode) -> ValueNode | None:
    if directive.name.value not in ("skip", "include"):
        return None
    return next((a.value for a in directive.arguments or () if a.name.value == "if"), None)


def compute(node: ValueNode, kind: GraphQLInputType) -> Compute:
    """Compile an argument's value: a variable, a constant, or an object or list with variables inside."""
    if isinstance(node, VariableNode):
        name = node.name.value
        return lambda values: values.get(name)
    if isinstance(node, ObjectValueNode | ListValueNode) and has_variable(node):
        return lambda values: value_from_ast(node, kind, dict(values))
    constant = value_from_ast(node, kind)
    return lambda values: constant


def has_variable(node: ValueNode) -> bool:
    """Whether a value depends on the request."""
    if isinstance(node, ObjectValueNode):
        return any(has_variable(field.value) for field in node.fields)
    if isinstance(node, ListValueNode):
        return any(has_variable(value) for value in node.values)
    return isinstance(node, VariableNode)


class Collector:
    """Collects one document's operation; `conditions` are the values of its condition variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        catalogue: Catalogue,
        fragments: Mapping[str, FragmentDefinitionNode],
        conditions: Values,
    ) -> None:
        self.schema, self.fragments, self.conditions = schema, fragments, conditions
        self.datasets: Mapping[tuple[SubjectKind, str], Dataset] = {
            (kind, d.graphql_name): d for d in catalogue.published.values() for kind in d.subjects if d.shape == "list"
        }
        self.registers: Mapping[SubjectKind, Dataset] = {
            kind: d for d in catalogue.published.values() for kind in d.subjects if d.shape == "subject"
        }

    def variant(self, operation: OperationDefinitionNode) -> Variant:
        """The whole operation under these conditions; raises `Refusal` where an act does not stand alone."""
        mutates = operation.operation is OperationType.MUTATION
        collected = self._fields("Mutation" if mutates else "Query", [operation.selection_set])
        key = lone_act({key: field.name for key, field in collected.items()}, mutates=mutates)
        if key is not None:
            return Variant(tuple(collected), (), None, selected_by(()), self._act(key, collected, operation))
        roots: list[Root] = []
        others: list[FieldNode] = []
        for key, field in collected.items():
            if field.name in SUBJECT_ROOTS:
                roots.append(self._root(key, field))
            else:
                others.extend(field.nodes)
        other = None
        if others:
            other = _only(operation, others)
        return Variant(tuple(collected), tuple(roots), other, selected_by(roots))

    def _act(self, key: str, collected: Mapping[str, _Field], operation: OperationDefinitionNode) -> Act:
        root = self.schema.get_root_type(operation.operation)
        assert root is not None
        field = collected[key]
        chosen = Chosen(root.fields[field.name], field.nodes[0])
        below: dict[str, tuple[Chosen, ...]] = {}
        for kind in self._kinds(get_named_type(chosen.definition.type)):
            for part in self._fields(kind.name, [node.selection_set for node in field.nodes]).values():
                if part.name != "__typename":
                    more = Chosen(kind.fields[part.name], part.nodes[0])
                    below[part.name] = (*below.get(part.name, ()), more)
        nodes = [node for each in collected.values() for node in each.nodes]
        alone = _only(operation, nodes)
        document = DocumentNode(definitions=(alone, *self.fragments.values()))
        said = {each.name.value: each.value for each in chosen.node.arguments or ()}
        of = chosen.definition.args["onBehalf"].type if "onBehalf" in said else None
        on_behalf: Compute = compute(said["onBehalf"], of) if of is not None else lambda _: None
        return Act(key, field.name, chosen, below, alone, document, on_behalf)

    def _kinds(self, named: Any) -> Iterable[GraphQLObjectType]:
        """The types that a value of this one may have."""
        if is_abstract_type(named):
            return self.schema.get_possible_types(named)
        return [named] if is_object_type(named) else []

    def _root(self, key: str, field: _Field) -> Root:
        many, type_names, argument_name = SUBJECT_ROOTS[field.name]
        argument = next(a for a in field.nodes[0].arguments or () if a.name.value == argument_name)
        definition = self.schema.query_type.fields[field.name] if self.schema.query_type else None
        if definition is None:
            raise LookupError(field.name)
        identifiers = compute(argument.value, definition.args[argument_name].type)
        selections = {KINDS[name]: self._subject(name, field) for name in type_names}
        return Root(key, field.name, many, identifiers, selections)

    def _subject(self, type_name: str, root: _Field) -> SubjectSelection:
        kind = KINDS[type_name]
        items: list[TypeName | Leaf | RegisterLeaf | DatasetSelection] = []
        for key, field in self._fields(type_name, [n.selection_set for n in root.nodes]).items():
            dataset = self.datasets.get((kind, field.name))
            if field.name == "__typename":
                items.append(TypeName(key))
            elif dataset is not None:
                items.append(self._dataset(key, dataset, field))
            elif field.name in ("scheme", "value"):
                items.append(Leaf(key, field.name))
            else:
                items.append(RegisterLeaf(key, self.registers[kind].id, field.name))
        return SubjectSelection(kind, type_name, tuple(items))

    def _dataset(self, key: str, dataset: Dataset, selection: _Field) -> DatasetSelection:
        items: list[Leaf | MetaSelection | TypeName] = []
        for name, field in self._fields(dataset.type_name, [n.selection_set for n in selection.nodes]).items():
            if field.name == "__typename":
                items.append(TypeName(name))
            elif field.name == "record":
                meta = self._fields("RecordMeta", [n.selection_set for n in field.nodes])
                parts = tuple(TypeName(k) if f.name == "__typename" else Leaf(k, f.name) for k, f in meta.items())
                items.append(MetaSelection(name, parts))
            else:
                items.append(Leaf(name, field.name))
        fields = frozenset(item.field for item in items if isinstance(item, Leaf))
        bare = not fields or any(not isinstance(item, Leaf) for item in items)
        return DatasetSelection(key, dataset, tuple(items), fields, bare)

    def _fields(self, type_name: str, selection_sets: Iterable[SelectionSetNode | None]) -> dict[str, _Field]:
        grouped: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            self._collect(type_name, selection_set, grouped, visited)
        return {key: _Field(nodes[0].name.value, tuple(nodes)) for key, nodes in grouped.items()}

    def _collect(
        self,
        type_name: str,
        selection_set: SelectionSetNode | None,
        grouped: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for node in selection_set.selections if selection_set else ():
            if not self._included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                grouped.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            fragment: SelectionNode | FragmentDefinitionNode = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in visited:
                    continue
                visited.add(node.name.value)
                fragment = self.fragments[node.name.value]
            condition = getattr(fragment, "type_condition", None)
            if condition is None or self._applies(condition.name.value, type_name):
                self._collect(type_name, getattr(fragment, "selection_set", None), grouped, visited)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        abstract = self.schema.type_map.get(condition)
        concrete = self.schema.type_map.get(type_name)
        return is_abstract_type(abstract) and concrete is not None and self.schema.is_sub_type(abstract, concrete)

    def _included(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            node = _condition(directive)
            if node is None:
                continue
            value = self.conditions[node.name.value] if isinstance(node, VariableNode) else getattr(node, "value", None)
            if bool(value) is (directive.name.value == "skip"):
                return False
        return True


def _only(operation: OperationDefinitionNode, nodes: Iterable[FieldNode]) -> OperationDefinitionNode:
    """The operation with these fields at its root, and no others."""
    return OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(nodes)),
    )


def selected_by(roots: Iterable[Root]) -> Selected:
    """All that these root fields select, per kind of subject and dataset."""
    kinds: dict[SubjectKind, dict[str, Wanted]] = {}
    for root in roots:
        for kind, subject in root.selections.items():
            wanted = kinds.setdefault(kind, {})
            for item in subject.items:
                if isinstance(item, RegisterLeaf):
                    name, fields, bare = item.dataset, frozenset((item.field,)), False
                elif isinstance(item, DatasetSelection):
                    name, fields, bare = item.dataset.id, item.fields, item.bare
                else:
                    continue
                before = wanted.get(name, Wanted(frozenset(), False))
                wanted[name] = Wanted(before.fields | fields, before.bare or bare)
    return Selected({kind: dict(wanted) for kind, wanted in kinds.items()})
