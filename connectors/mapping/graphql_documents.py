"""The GraphQL documents that are sent to a department: its `types`, `keys` and `query`, and one document per shape.

A document selects, for each subject, each dataset's list under an alias (`d0`, `d1`, ...) and in it the mapped source
names of exactly the requested fields. Identifiers travel as variables, never as text of the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from graphql import (
    FieldNode,
    GraphQLError,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from connectors.base import Config, DatasetShape, Record, Subject, SubjectKind
from connectors.kit.source import different, one_of_each_scheme, read_datasets
from connectors.mapping.decoding import Decoder, Mapped, read_mapping, read_path
from connectors.mapping.generated import Tree, build_tree

KINDS: tuple[SubjectKind, ...] = ("organisation", "person")
_NAME = "(?!__)[_A-Za-z][_0-9A-Za-z]*"
_encode = msgspec.json.Encoder().encode


class Part(NamedTuple):
    """What is asked of some subjects alike: their kind, and per dataset its fields."""

    kind: SubjectKind
    datasets: tuple[tuple[str, tuple[str, ...]], ...]


class Dataset:
    """One dataset of a GraphQL department: `field` is the way from the subject to its records, arguments included.

    Without any step the subject itself is the one record.
    """

    def __init__(self, mapped: Mapped, field: tuple[str, ...]) -> None:
        self.field = field
        self.named = mapped.subject is not None
        self.mapped = mapped
        self._decoders: dict[tuple[str, ...], tuple[Decoder, Any]] = {}

    def read(self, raw: msgspec.Raw | None, fields: tuple[str, ...], subject: Subject) -> list[Record] | str:
        """The records of one subject, or what is wrong, in words. `raw` is what stands under the dataset's alias."""
        held = self._decoders.get(fields)
        if held is None:
            unwrap: Any = msgspec.Raw
            for _ in self.field[1:]:
                unwrap = msgspec.defstruct("SourceStep", [("step", unwrap)])
            held = self._decoders[fields] = (Decoder(self.mapped, fields), msgspec.json.Decoder(unwrap).decode)
        decoder, decode = held
        if raw is None:
            return "a dataset is missing from the answer"
        try:
            value = decode(raw)
        except (ValueError, RecursionError):
            return "a dataset's parent is no object"
        for _ in self.field[1:]:
            value = value.step
        return decoder.rows(value, subject)

    def held(self, place: Mapping[str, msgspec.Raw], alias: str) -> msgspec.Raw | None:
        """What stands for the dataset in an answer's subject; nothing where it is missing."""
        return place.get(alias) if self.field else msgspec.Raw(_encode(place))

    def names(self, alias: str, fields: tuple[str, ...]) -> list[str]:
        """What of an answer's subject is the dataset's."""
        return [alias] if self.field else [*build_tree(self.mapped.leaves(fields)).children]

    def selection(self, alias: str, fields: tuple[str, ...]) -> str:
        """The dataset's part of a document."""
        own = _selection(build_tree(self.mapped.leaves(fields)))
        if not self.field:
            return own
        head, *rest = self.field
        text = f"{alias}: {head} {{ "
        for step in rest:
            text += f"step: {step} {{ "
        return text + own + " }" * len(self.field)


def _selection(tree: Tree) -> str:
    return " ".join(
        f"{name} {{ {_selection(child)} }}" if isinstance(child, Tree) else name
        for name, child in tree.children.items()
    )


class Source(NamedTuple):
    """A GraphQL department. `types` name its entity types, `queries` its query fields, by kind of subject."""

    entities: bool
    types: Mapping[SubjectKind, str]
    keys: tuple[str, str]
    queries: Mapping[SubjectKind, str]
    variables: tuple[str, str]
    datasets: Mapping[str, Dataset]

    def knows(self, kind: SubjectKind) -> bool:
        """Whether subjects of this kind can be asked for."""
        return kind in (self.types if self.entities else self.queries)


class Operation:
    """A compiled document, and how subjects become its variables."""

    def __init__(self, source: Source, parts: tuple[Part, ...], document: str) -> None:
        self.document = document
        self._source = source
        self._parts = parts

    def body(self, groups: list[list[Subject]]) -> bytes:
        """The request's body; `groups` holds the subjects of each part in order."""
        variables: dict[str, Any] = {}
        if self._source.entities:
            scheme, value = self._source.keys
            for index, (part, subjects) in enumerate(zip(self._parts, groups, strict=True)):
                name = self._source.types[part.kind]
                variables[f"r{index}"] = [{"__typename": name, scheme: s.scheme, value: s.value} for s in subjects]
        else:
            for index, subject in enumerate(subject for subjects in groups for subject in subjects):
                variables[f"s{index}"], variables[f"v{index}"] = subject.scheme, subject.value
        used = {name: value for name, value in variables.items() if f"${name}:" in self.document}
        return _encode({"query": self.document, "variables": used})


def compile_operation(source: Source, parts: tuple[Part, ...]) -> Operation:
    """The document for these parts: with entities one part per group of subjects, otherwise one part per subject."""
    variables, fields = [], []
    for index, part in enumerate(parts):
        selection = " ".join(
            source.datasets[name].selection(f"d{number}", names) for number, (name, names) in enumerate(part.datasets)
        )
        if source.entities:
            variables.append(f"$r{index}: [_Any!]!")
            on = source.types[part.kind]
            fields.append(f"q{index}: _entities(representations: $r{index}) {{ ... on {on} {{ {selection} }} }}")
        else:
            query, used = _rename(source.queries[part.kind], index)
            variables += [
                f"${name}{index}: {type_}" for name, type_ in zip("sv", source.variables, strict=True) if name in used
            ]
            fields.append(f"q{index}: {query} {{ {selection} }}")
    return Operation(source, parts, f"query({', '.join(variables)}) {{ {' '.join(fields)} }}")


def _rename(query: str, index: int) -> tuple[str, set[str]]:
    """The query field with `$scheme` and `$value` numbered, and which of the two it uses."""
    document = parse(f"{{ {query} }}", no_location=True)
    used = set()

    class Rename(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> VariableNode:
            letter = node.name.value[0]
            used.add(letter)
            return VariableNode(name=NameNode(value=f"{letter}{index}"))

    document = visit(document, Rename())
    return print_ast(_only_field(document)), used


def _only_field(document: Any) -> FieldNode:
    definition = document.definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    assert isinstance(definition.selection_set, SelectionSetNode)
    field = definition.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    return field


def _read_field(config: Config, text: str, variables: tuple[str, ...]) -> str:
    """One GraphQL field with its arguments, without alias or selection; anything else is told."""
    try:
        document = parse(f"{{ {text} }}", no_location=True)
    except GraphQLError as error:
        config.problem(f"`{text}` is not a GraphQL field: {error.message}")
        return text
    definition = document.definitions[0]
    fields = definition.selection_set.selections if isinstance(definition, OperationDefinitionNode) else ()
    field = fields[0] if len(document.definitions) == 1 and len(fields) == 1 else None
    if not isinstance(field, FieldNode) or field.alias or field.selection_set or field.directives:
        config.problem(f"`{text}` must be one field with its arguments, without alias, directive or selection")

    class Check(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            if node.name.value not in variables:
                known = ", ".join(f"`${name}`" for name in variables) or "no variable"
                config.problem(f"`${node.name.value}` is unknown here; use {known}")

    visit(document, Check())
    return text


def read_source(keys: Mapping[str, Config], shapes: Mapping[str, DatasetShape]) -> Source:
    """The GraphQL keys of a department."""
    entities = keys["entities"].boolean(False)
    for key in ("query", "variables") if entities else ("types", "keys"):
        if key in keys:
            keys[key].problem(f"has no use {'with' if entities else 'without'} `entities: true`; remove it")
    by_query = not entities and "query" in keys
    if not entities and not by_query:
        keys["query"].problem("is missing: a field such as `subject(scheme: $scheme, id: $value)`, or `entities: true`")
    types = keys["types"].mapping((), KINDS)
    names = keys["keys"].mapping((), ("scheme", "value"))
    variables = keys["variables"].mapping((), ("scheme", "value"))
    scheme, value = _name(names["scheme"], "scheme"), _name(names["value"], "value")
    if scheme == value:
        names["value" if "value" in names else "scheme"].problem(f"`{value}` is both keys; each has its own field")
    parts = [(part, shape.id, _read_dataset(part, shape)) for part, shape in read_datasets(keys["datasets"], shapes)]
    places = [
        (part, name, dataset.field if dataset.field or dataset.mapped.one_record else None)
        for part, name, dataset in parts
    ]
    different(places, "`field`")
    silent = [shapes[name] for _, name, dataset in parts if not dataset.named]
    return Source(
        entities=entities,
        types={kind: _name(types[kind], kind.capitalize()) for kind in KINDS if kind in types or "types" not in keys},
        keys=(scheme, value),
        queries=_read_queries(keys["query"], silent) if by_query else {},
        variables=(_type(variables["scheme"]), _type(variables["value"])),
        datasets={name: dataset for _, name, dataset in parts},
    )


def _name(config: Config, default: str) -> str:
    return config.text(default, pattern=_NAME, what="a GraphQL name")


def _type(config: Config) -> str:
    return config.text("String!", pattern=f"{_NAME}!?", what="the GraphQL type of a variable, such as `ID!`")


def _read_queries(config: Config, silent: list[DatasetShape]) -> dict[SubjectKind, str]:
    """The fields that find subjects; of the datasets `silent` no record names its subject."""
    places: dict[SubjectKind, Config] = dict.fromkeys(KINDS, config)
    if config.is_mapping:
        by_kind = config.mapping((), KINDS)
        places = {kind: by_kind[kind] for kind in KINDS if kind in by_kind}
        if not places:
            config.problem("must name a field for at least one kind of subject")
    queries: dict[SubjectKind, str] = {}
    for kind, place in places.items():
        text = place.text(what="a field such as `subject(scheme: $scheme, id: $value)`")
        queries[kind] = _read_field(place, text, ("scheme", "value")) if text else ""
        if text and "$value" not in text:
            place.problem("must use `$value`, the subject's identifier")
        elif text and "$scheme" not in text:
            asked = (kind,) if config.is_mapping else KINDS
            one_of_each_scheme(
                place, "$scheme", (n for each in silent for of in asked for n in each.schemes.get(of, ()))
            )
    return queries


def _read_path(config: Config) -> tuple[str, ...]:
    path = read_path(config)
    if not all(re.fullmatch(_NAME, part) for part in path):
        config.problem(f"`{'.'.join(path)}` must be of GraphQL names, with dots between")
    return path


def _read_dataset(config: Config, shape: DatasetShape) -> Dataset:
    keys = config.mapping(("record", "fields"), ("field", "one_record"))
    mapped = read_mapping(keys, shape, _read_path)
    text = keys["field"].text() if "field" in keys or not mapped.one_record else ""
    steps = [_read_field(keys["field"], step.strip(), ()) for step in text.split(">")] if text else []
    return Dataset(mapped, tuple(steps))
