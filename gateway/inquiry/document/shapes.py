"""What a document selects, over schema coordinates: the shapes that `plan` compiles and `render` projects. Pure.

Response names live only in `key`; every decision is made on `dataset` and `field` (invariant 14).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from graphql import DocumentNode, FieldNode, GraphQLField, OperationDefinitionNode, OperationType

from connectors.base import SubjectKind
from gateway.catalogue.model import Dataset
from gateway.inquiry.types import Selected

Values = Mapping[str, Any]
"""Coerced variables, by name."""

Compute = Callable[[Values], Any]
"""An argument compiled once: gives its value from the variables of a request."""


class TypeName(NamedTuple):
    """`__typename` under a response name."""

    key: str


class Leaf(NamedTuple):
    """A catalogue field, a field of `record`, or the subject's own `scheme` and `value`."""

    key: str
    field: str


class MetaSelection(NamedTuple):
    """A selection of `record`: leaves are names of `RecordMeta`."""

    key: str
    items: tuple[Leaf | TypeName, ...]


class RegisterLeaf(NamedTuple):
    """A field of the `subject`-shaped dataset, which stands on the subject itself."""

    key: str
    dataset: str
    field: str


class DatasetSelection(msgspec.Struct, frozen=True, eq=False):
    """One selection of one dataset. `bare`: `record` or `__typename` is selected or, under its conditions, nothing."""

    key: str
    dataset: Dataset
    items: tuple[Leaf | MetaSelection | TypeName, ...]
    fields: frozenset[str]
    bare: bool


class SubjectSelection(msgspec.Struct, frozen=True, eq=False):
    """All that one root field selects of one subject, in response order."""

    kind: SubjectKind
    type_name: str
    items: tuple[TypeName | Leaf | RegisterLeaf | DatasetSelection, ...]


class Root(msgspec.Struct, frozen=True, eq=False):
    """A root field that names subjects. `many`: it gives a list. `identifiers` computes its argument's value."""

    key: str
    field: str
    many: bool
    identifiers: Compute
    selections: Mapping[SubjectKind, SubjectSelection]


class Chosen(NamedTuple):
    """A field that is selected, by its name in the schema."""

    definition: GraphQLField
    node: FieldNode


class Act(msgspec.Struct, frozen=True, eq=False):
    """An operation that is one act: its only root field, beside `__typename` at most.

    `operation`, and the `document` around it, hold nothing else that could be executed. `below` is what is selected of
    what the field gives, by name; a name stands for several where aliases do. `on_behalf` computes the argument
    `onBehalf`.
    """

    key: str
    field: str
    chosen: Chosen
    below: Mapping[str, tuple[Chosen, ...]]
    operation: OperationDefinitionNode
    document: DocumentNode
    on_behalf: Compute

    @property
    def mutates(self) -> bool:
        """Whether something is done, and not only read."""
        return self.operation.operation is OperationType.MUTATION


class Variant(msgspec.Struct, frozen=True, eq=False):
    """A document under one assignment of its `@skip` and `@include` conditions.

    `keys` are the response names of the root fields in order. `other` is an operation of only those root fields that
    name no subject (catalogue, permissions, receipts, introspection), `None` where there are none. Where there is an
    `act`, there is nothing else.
    """

    keys: tuple[str, ...]
    roots: tuple[Root, ...]
    other: OperationDefinitionNode | None
    selected: Selected
    act: Act | None = None
