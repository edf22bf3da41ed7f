"""A JSON Schema of an OpenAPI document as the values of one record, and where a list of records stands in an answer.

OpenAPI 3.0 and 3.1 (type arrays, `const`). What is combined (`allOf`) is laid together; of alternatives (`oneOf`,
`anyOf`) that is taken which all have, for a record may be any of them. Schemas that hold themselves end; the number of
values and the steps to each are bounded. A `pattern` is never run. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from connectors.base import FieldType
from gateway.connecting.starting import naming
from gateway.connecting.starting.model import MOST_FIELDS, Value
from gateway.connecting.starting.openapi import xml_names
from gateway.connecting.starting.openapi.references import LeavesError, References
from gateway.connecting.starting.reading import mapping, sequence, text

MOST_STEPS = 4
"""Steps of a path to a value of a record, or to the list of records."""
MOST_ALTERNATIVES = 8
_MOST_SCHEMAS = 2_000
"""Schemas that are looked at for one answer."""

_BESIDE = frozenset(["meta", "links", "_links", "included", "errors", "status", "message", "success"])
"""Names of what stands beside the one object of an answer."""
_TEXTS: Mapping[str, FieldType] = {
    "date": FieldType.DATE,
    "date-time": FieldType.DATETIME,
    "decimal": FieldType.DECIMAL,
    "number": FieldType.DECIMAL,
}
_BYTES = frozenset(["binary", "byte", "base64", "base64url"])


class Shape(NamedTuple):
    """A schema with all that it combines: its properties, its type, and its description.

    `references` led to it; `apart` are properties that some of its alternatives have and others have not.
    """

    type: str
    properties: Mapping[str, Any]
    says: Mapping[str, Any]
    references: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where records stand in an answer, their schema and what it comes to, and why the path is a guess."""

    path: tuple[str, ...]
    schema: Any
    shape: Shape
    why: str = ""


class Input(NamedTuple):
    """One value of a question's body; `demanded` has for each step of its path whether it must be given."""

    path: tuple[str, ...]
    shape: Shape
    demanded: tuple[bool, ...]

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def required(self) -> bool:
        return all(self.demanded)

    @property
    def is_text(self) -> bool:
        return self.shape.type in ("string", "")

    def needed(self, other: Input) -> bool:
        """Whether it has to be given where the other is."""
        steps = enumerate(self.demanded, 1)
        return all(demanded or other.path[:step] == self.path[:step] for step, demanded in steps)


class Schemas:
    """The schemas of one body; at most `_MOST_SCHEMAS` of them are looked at. `xml`: paths are those of elements."""

    def __init__(self, references: References, *, xml: bool = False) -> None:
        self._references = references
        self._xml = xml
        self._left = _MOST_SCHEMAS

    def shape(self, schema: Any, depth: int = 0) -> Shape:
        """What a schema comes to. Raises `LeavesError`."""
        self._left -= 1
        if depth > 2 * MOST_STEPS or self._left < 0:
            raise LeavesError("it holds more schemas within each other than are looked at")
        found, walked = self._references.schema(schema)
        says, properties = dict(found), dict[str, Any]()
        apart: tuple[str, ...] = ()
        for each in sequence(found.get("allOf"))[:MOST_ALTERNATIVES]:
            part = self.shape(each, depth + 1)
            properties |= part.properties
            says = {**part.says, **says}
            walked, apart = walked + part.references, apart + part.apart
        for key in ("oneOf", "anyOf"):
            several = [each for each in sequence(found.get(key))[:MOST_ALTERNATIVES] if not _is_null(each)]
            if several:
                parts = [self.shape(each, depth + 1) for each in several]
                common = set(parts[0].properties).intersection(*(part.properties for part in parts))
                properties |= {name: each for name, each in parts[0].properties.items() if name in common}
                if len({_type(part.says) for part in parts}) == 1:
                    says = {**parts[0].says, **says}
                walked += tuple(step for part in parts for step in part.references)
                apart += tuple(dict.fromkeys(n for part in parts for n in part.properties if n not in common))
        properties |= _some(found.get("properties"))
        kind = _type(says) or ("object" if properties else "")
        return Shape(kind, _some(properties), says, walked, apart[:MOST_FIELDS])

    def values(self, schema: Any, passed: list[str]) -> list[Value]:
        """The single values of a record; what is not proposed goes to `passed`, with the reason."""
        found: list[Value] = []
        for value in self._values(schema, (), (), passed):
            if len(found) >= MOST_FIELDS:
                passed.append(f"all after `{found[-1].name}`: a record has more than {MOST_FIELDS} values")
                break
            found.append(value)
        return found

    def _values(self, schema: Any, path: tuple[str, ...], above: tuple[str, ...], passed: list[str]) -> Iterator[Value]:
        try:
            shape = self.shape(schema)
        except LeavesError as error:
            passed.append(f"`{'.'.join(path)}`: {error}")
            return
        passed += [f"`{'.'.join((*path, name))}`: not all alternatives have it" for name in shape.apart]
        for name, inner in shape.properties.items():
            here = (*path, name)
            why = "" if self._legible(name) else "`sources.yaml` cannot name it, by a dot, a bracket or a space in it"
            try:
                its = self.shape(inner)
                here = self._below(path, name, its)
            except LeavesError as error:
                its, why = Shape("", {}, {}), str(error)
            title = naming.clean(its.says.get("title")) or naming.clean(its.says.get("description"))
            why = why or naming.refused(name, title, text(its.says.get("format")))
            if not why and its.type == "object" and its.properties:
                around = {*above, *shape.references}
                if len(here) >= MOST_STEPS or around & {*its.references}:
                    why = "it holds itself, or stands too deep"
                else:
                    yield from self._values(inner, here, (*above, *its.references), passed)
                    continue
            if not why:
                type_, guessed, why = _single(its)
            if why:
                passed.append(f"`{'.'.join(here)}`: {why}")
            else:
                yield Value(here, type_, title or naming.spoken(name), guessed, bool(title))

    def lists(self, schema: Any) -> Iterator[Place]:
        """Where lists of objects stand in an answer, the nearest first."""
        shape = self.shape(schema)
        path, why = self._root(shape)
        for place in self._lists(shape, path):
            yield place._replace(why=why)

    def _lists(self, shape: Shape, path: tuple[str, ...]) -> Iterator[Place]:
        if shape.type == "array":
            items = shape.says.get("items")
            its = self.shape(items)
            if its.properties:
                yield Place(path, items, its)
            return
        if len(path) >= MOST_STEPS - 1:
            return
        deeper: list[tuple[str, Shape]] = []
        for name, inner in shape.properties.items():
            if not self._legible(name):
                continue
            try:
                its = self.shape(inner)
                if its.type == "array":
                    yield from self._lists(its, self._below(path, name, its))
                elif its.properties:
                    deeper.append((name, its))
            except LeavesError:
                continue
        for name, its in deeper:
            yield from self._lists(its, self._below(path, name, its))

    def one(self, schema: Any) -> Place | None:
        """Where an answer has one object: the first one that is not only around another."""
        shape = self.shape(schema)
        path, why = self._root(shape)
        while shape.properties and shape.type != "array":
            below = [(name, inner) for name, inner in shape.properties.items() if name not in _BESIDE]
            name, inner = below[0] if len(below) == 1 else ("", None)
            try:
                its = self.shape(inner)
            except LeavesError:
                return None
            if not its.properties or len(path) >= MOST_STEPS - 1:
                return Place(path, schema, shape, why)
            if not self._legible(name):
                return None
            schema, shape, path = inner, its, self._below(path, name, its)
        return None

    def texts(self, schema: Any) -> Iterator[tuple[tuple[str, ...], Shape]]:
        """The single values that stand beside a list in an answer."""
        shape = self.shape(schema)
        yield from self._texts(shape, self._root(shape)[0])

    def _texts(self, shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Shape]]:
        for name, inner in shape.properties.items():
            try:
                its = self.shape(inner)
            except LeavesError:
                continue
            if not self._legible(name) or (self._xml and xml_names.is_attribute(its.says)):
                continue
            if its.properties and len(path) < MOST_STEPS - 1:
                yield from self._texts(its, self._below(path, name, its))
            elif its.type in ("string", "integer"):
                yield self._below(path, name, its), its

    def inputs(self, schema: Any) -> Iterator[Input]:
        """The values of a question's body."""
        yield from self._inputs(self.shape(schema), (), ())

    def _inputs(self, shape: Shape, path: tuple[str, ...], demanded: tuple[bool, ...]) -> Iterator[Input]:
        required = sequence(shape.says.get("required"))
        for name, inner in shape.properties.items():
            its, here = self.shape(inner), (*demanded, name in required)
            if its.type == "object" and its.properties and len(path) < MOST_STEPS - 1:
                yield from self._inputs(its, (*path, name), here)
            else:
                yield Input((*path, name), its, here)

    def _root(self, shape: Shape) -> tuple[tuple[str, ...], str]:
        if not self._xml:
            return (), ""
        return xml_names.root(shape.says, shape.references, self._items(shape))

    def _below(self, path: tuple[str, ...], name: str, its: Shape) -> tuple[str, ...]:
        return xml_names.below(path, name, its.says, self._items(its)) if self._xml else (*path, name)

    def _items(self, shape: Shape) -> Mapping[str, Any] | None:
        return self.shape(shape.says.get("items")).says if shape.type == "array" else None

    def _legible(self, name: str) -> bool:
        return xml_names.is_name(name) if self._xml else naming.legible(name)


def _some(properties: Any) -> dict[str, Any]:
    """The first properties of a schema: more than can be fields, and not without end."""
    return dict(itertools.islice(mapping(properties).items(), 2 * MOST_FIELDS))


def _is_null(schema: Any) -> bool:
    return mapping(schema).get("type") == "null" or mapping(schema).get("const", 0) is None


def _type(says: Mapping[str, Any]) -> str:
    said = says.get("type")
    if isinstance(said, list):
        several = [each for each in said if each != "null"]
        return text(several[0]) if len(several) == 1 else ""
    if text(said):
        return text(said)
    if "items" in says:
        return "array"
    examples = [says["const"]] if "const" in says else sequence(says.get("enum"))
    kinds = {type(each) for each in examples if each is not None}
    return {str: "string", bool: "boolean"}.get(next(iter(kinds)), "") if len(kinds) == 1 else ""


def _single(shape: Shape) -> tuple[FieldType | None, str, str]:
    """The catalogue's type, why it is a guess, and why there is none where the value cannot be a field."""
    form = text(shape.says.get("format")).lower()
    match shape.type:
        case "string" if form in _BYTES or "contentEncoding" in shape.says:
            return None, "", "it holds bytes, and a field is a single value"
        case "string" if form == "time":
            return FieldType.STRING, "a time of day has no type of its own", ""
        case "string":
            return _TEXTS.get(form, FieldType.STRING), "", ""
        case "boolean":
            return FieldType.BOOLEAN, "", ""
        case "integer" if form == "int64" or _exceeds(shape.says):
            return FieldType.DECIMAL, "an Int has 32 bits, and this may have more", ""
        case "integer":
            return FieldType.INT, "" if form == "int32" else "of 32 bits, which the description does not state", ""
        case "number":
            return FieldType.DECIMAL, "", ""
        case "array":
            return None, "", "it is a list, and a field is a single value"
        case "object":
            return None, "", "it is an object whose values are not named"
        case _:
            return None, "", "the description does not give it one type"


def _exceeds(says: Mapping[str, Any]) -> bool:
    bounds = [says.get(key) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    return any(isinstance(b, int | float) and abs(b) > 2**31 for b in bounds if not isinstance(b, bool))
