"""A GraphQL schema, by its introspection, as what a department of `kind: graphql` can be asked. Pure.

A subject is found by a field of `Query` that takes an identifier, or as an entity of a federation; the lists of objects
on it are datasets, and so are objects with a version, itself included. GraphQL October 2021, section 4; Apollo
Federation v2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from connectors.base import FieldType
from gateway.connecting.starting import naming
from gateway.connecting.starting.guessing import BY_NAME, identity, is_identifier, is_scheme, version
from gateway.connecting.starting.model import (
    MOST_FIELDS,
    MOST_PASSED,
    YES,
    Described,
    Lines,
    Lookup,
    Note,
    Part,
    Said,
    Value,
)
from gateway.connecting.starting.reading import mapping, sequence, text
from gateway.errors import CommandRefused, printable

_OF_TYPE = "kind name ofType { " * 6 + "kind name" + " }" * 6
_FIELDS = f"fields {{ name description args {{ name defaultValue type {{ {_OF_TYPE} }} }} type {{ {_OF_TYPE} }} }}"
_TYPES = f"types {{ kind name description possibleTypes {{ name }} {_FIELDS} }}"
QUESTION = msgspec.json.encode({"query": f"{{ __schema {{ queryType {{ name }} {_TYPES} }} }}"})
"""The body of an introspection: all that is read here, and nothing else."""

MOST_TYPES = 5_000
MOST_STEPS = 3
MOST_WALKED = 500
"""Types that are gone into for the values of records, of one schema: what holds each other has no end."""
_SCALARS: Mapping[str, FieldType] = {
    "String": FieldType.STRING,
    "ID": FieldType.STRING,
    "Int": FieldType.INT,
    "Float": FieldType.DECIMAL,
    "Boolean": FieldType.BOOLEAN,
}
_CUSTOM: Mapping[str, FieldType] = {
    "date": FieldType.DATE,
    "localdate": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "timestamp": FieldType.DATETIME,
    "offsetdatetime": FieldType.DATETIME,
    "instant": FieldType.DATETIME,
    "decimal": FieldType.DECIMAL,
    "bigdecimal": FieldType.DECIMAL,
    "uuid": FieldType.STRING,
    "url": FieldType.STRING,
}


class _Type(NamedTuple):
    """What a field gives: the type's kind and name, and whether it is a list of them."""

    kind: str
    name: str
    many: bool
    mandatory: bool


class _Finding(NamedTuple):
    """A field of `Query` that finds a subject: its name, the type it gives, and the arguments that name the subject."""

    field: str
    type: str
    value: str
    value_type: str
    scheme: str
    scheme_type: str


class _Records(NamedTuple):
    """Records on a type: what has them and what describes that, the way there, and the type of a record.

    With `one` it is one record; where the way is empty it is the subject itself.
    """

    name: str
    said: Mapping[str, Any]
    way: str
    type: str
    one: bool = False


class Schema:
    """The types of an introspection, by name."""

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        data = mapping(document.get("data", document))
        schema = mapping(data.get("__schema"))
        if not schema:
            said = ""
            if "data" in document or "errors" in document:
                said = (
                    "; it may need a token (--token-file), or introspection is switched off there: then have it saved"
                    " as JSON, and name the file"
                )
            raise CommandRefused(f"{name}: has no `__schema`, so it is no introspection{said}")
        types = [mapping(each) for each in sequence(schema.get("types"))]
        if len(types) > MOST_TYPES:
            raise CommandRefused(f"{name}: has more than {MOST_TYPES} types")
        self.types = {text(each.get("name")): each for each in types}
        self.walked = 0
        self._fields: dict[str, dict[str, Mapping[str, Any]]] = {}
        self.query = self.fields(text(mapping(schema.get("queryType")).get("name")))

    def fields(self, name: str) -> dict[str, Mapping[str, Any]]:
        """The fields of a type, by name; only those whose names GraphQL allows."""
        if name not in self._fields:
            listed = sequence(mapping(self.types.get(name)).get("fields"))[: 2 * MOST_FIELDS]
            found = [(text(mapping(each).get("name")), mapping(each)) for each in listed]
            self._fields[name] = {called: each for called, each in found if _is_name(called)}
        return self._fields[name]


def described(
    document: Mapping[str, Any], name: str, department: str, schemes: Mapping[str, Any], address: str
) -> Described:
    """What the introspection describes; raises `CommandRefused` where it is none, or finds no subject.

    `name` is what it is called in messages, `address` the endpoint, empty for a file; of an endpoint the name is its
    address, without what in it may be a secret.
    """
    schema = Schema(document, name)
    passed: list[str] = []
    url = Said(address) if address else Said(None, "the endpoint, as https://courts.example/graphql")
    if address and name != address:
        url = Said(name, "its query is left out: what stands in an address is no secret; see `auth`")
    keys: list[tuple[str, Part]] = [("kind", Said("graphql")), ("url", url), _auth(department)]
    entity = _entity(schema)
    if entity:
        subject, value, scheme, called = entity, "", "", entity
        keys += _entities(schema, entity)
    else:
        found = list(_findings(schema, [*schemes], passed))
        if not found:
            reasons = "".join(f"\n  {printable(line)}" for line in passed[:MOST_PASSED])
            raise CommandRefused(f"{name}: has no field of `Query` that finds one subject by an identifier{reasons}")
        best = next((each for each in found if any(_lists(schema, each.type, []))), found[0])
        passed += [
            f"`Query.{each.field}`: a department has one field that finds a subject" for each in found if each != best
        ]
        subject, value, scheme, called = best.type, best.value, best.scheme, best.field
        keys += _query(best)
    ones = list(_ones(schema, subject, passed))
    lookups = [_lookup(schema, each, value, scheme) for each in (*_lists(schema, subject, passed), *ones)]
    if _is_versioned(schema, subject) or not any(each.values for each in lookups):
        itself = _Records(called, mapping(schema.types.get(subject)), "", subject, True)
        lookups.append(_lookup(schema, itself, value, scheme, tuple(each.type for each in ones)))
    lookups = [each for each in lookups if each.values]
    if not lookups:
        reasons = "".join(f"\n  {printable(line)}" for line in passed[:MOST_PASSED])
        raise CommandRefused(
            f"{name}: `{subject}` has no list of objects, and no values of its own, that could be records{reasons}"
        )
    return Described(tuple(keys), tuple(lookups), tuple(passed))


def _auth(department: str) -> tuple[str, Part]:
    token = Said(f"{department}.token", "a file that holds the token")
    note = Note("guess: an introspection does not show how it knows the gateway")
    return "auth", Lines(
        (("", note), ("kind", Said("bearer_file", "of none, bearer_file, client_credentials, mtls")), ("file", token))
    )


def _entity(schema: Schema) -> str:
    """The entity type that subjects are, where the schema is a subgraph of a federation."""
    if "_entities" not in schema.query:
        return ""
    union = mapping(schema.types.get("_Entity"))
    names = [text(mapping(each).get("name")) for each in sequence(union.get("possibleTypes"))[:50]]
    return next((name for name in names if _is_name(name) and any(_lists(schema, name, []))), "")


def _entities(schema: Schema, entity: str) -> list[tuple[str, Part]]:
    own = [name for name, each in schema.fields(entity).items() if _type(each).kind == "SCALAR"]
    scheme = next((name for name in own if is_scheme(name)), None)
    value = next((name for name in own if name != scheme and is_identifier(name, ())), None)
    what = "the key field of the entity that holds the subject's"
    keys = Lines((("scheme", Said(scheme, BY_NAME if scheme else f"{what} scheme")),
                  ("value", Said(value, BY_NAME if value else f"{what} identifier"))))  # fmt: skip
    types = Lines(
        tuple((kind, Said(entity, "the entity with lists of objects")) for kind in ("organisation", "person"))
    )
    return [("entities", YES), ("types", types), ("keys", keys)]


def _findings(schema: Schema, schemes: list[str], passed: list[str]) -> Iterator[_Finding]:
    for name, field in schema.query.items():
        of = _type(field)
        if name.startswith("_"):
            continue
        arguments, needed = _arguments(field), _needed(field)
        called = [each for each in arguments if is_identifier(each, schemes) and not is_scheme(each)]
        value = next((each for each in called if each in needed), next(iter(called), ""))
        scheme = next((each for each in needed if is_scheme(each)), "")
        why = naming.refused(name, of.name)
        if not why and (of.kind != "OBJECT" or of.many):
            why = "it gives no single object that a subject could be"
        if not why and (not value or not _is_name(value) or _type(arguments[value]).kind != "SCALAR"):
            why = "it takes nothing that names one subject"
        if not why and (others := [each for each in needed if each not in (value, scheme)]):
            why = f"it needs `{others[0]}`, which no inquiry has"
        if why:
            passed.append(f"`Query.{name}`: {why}")
        else:
            asked = [_written(arguments[each]) if each else "" for each in (value, scheme)]
            yield _Finding(name, of.name, value, asked[0], scheme, asked[1])


def _query(found: _Finding) -> list[tuple[str, Part]]:
    arguments = f"{found.scheme}: $scheme, " if found.scheme else ""
    variables = [("scheme", Said(found.scheme_type))] if found.scheme else []
    field = f"{found.field}({arguments}{found.value}: $value)"
    why = "the first field of `Query` that finds one object by an identifier"
    return [("query", Said(field, why)), ("variables", Lines((*variables, ("value", Said(found.value_type)))))]


def _ones(schema: Schema, owner: str, passed: list[str]) -> Iterator[_Records]:
    """The objects on a type that are records by themselves: they have versions of their own."""
    for name, field in schema.fields(owner).items():
        of = _type(field)
        if of.kind != "OBJECT" or of.many or of.name == owner or not _is_versioned(schema, of.name):
            continue
        if needed := _needed(field):
            passed.append(f"`{owner}.{name}`: it needs `{needed[0]}`, which no inquiry has")
        elif why := naming.refused(name, of.name):
            passed.append(f"`{owner}.{name}`: {why}")
        else:
            yield _Records(name, field, name, of.name, True)


def _is_versioned(schema: Schema, owner: str) -> bool:
    """Whether a type has what is called like a record's id, and like its version."""
    own = [
        Value((name,), _SCALARS.get(of.name), name)
        for name, field in schema.fields(owner).items()
        if (of := _type(field)).kind == "SCALAR" and not of.many
    ]
    changing = version(own)
    return changing is not None and identity([value for value in own if value != changing], "") is not None


def _lists(schema: Schema, owner: str, passed: list[str]) -> Iterator[_Records]:
    """The lists of objects on a type."""
    for name, field in schema.fields(owner).items():
        of, way = _type(field), name
        steps = schema.fields(of.name) if of.kind == "OBJECT" and not of.many else {}
        for step in ("nodes", "items", "entries", "edges"):
            if step in steps:
                of, way = _type(steps[step]), f"{name} > {step}"
                break
        if of.kind != "OBJECT" or not of.many:
            continue
        if needed := _needed(field):
            passed.append(f"`{owner}.{name}`: it needs `{needed[0]}`, which no inquiry has")
        elif why := naming.refused(name, of.name):
            passed.append(f"`{owner}.{name}`: {why}")
        else:
            yield _Records(name, field, way, of.name)


def _lookup(schema: Schema, found: _Records, value: str, scheme: str, around: tuple[str, ...] = ()) -> Lookup:
    """What is proposed of them; objects of the types `around` are not gone into."""
    passed: list[str] = []
    record, before = found.type, tuple[str, ...]()
    if found.way.endswith("> edges") and "node" in schema.fields(record):
        record, before = _type(schema.fields(record)["node"]).name, ("node",)
    values = list(itertools.islice(_values(schema, record, before, (record, *around), passed), MOST_FIELDS))
    title = naming.subject_of(naming.clean(found.said.get("description")))
    title = "" if naming.refused(title) else title
    if "first" in _arguments(found.said):
        passed.append("it may answer in pages: this kind of source asks for one page; see that one has all")
    place: list[tuple[str, Part]] = [("field", Said(found.way))] if found.way else []
    if found.one:
        place.append(("one_record", YES))
    return Lookup(
        found.name, title or naming.spoken(found.name), f"field {found.name}", tuple(place), tuple(values), value,
        scheme, tuple(passed), bool(title), found.one,
    )  # fmt: skip


def _arguments(field: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = [mapping(each) for each in sequence(field.get("args"))[:MOST_FIELDS]]
    return {text(each.get("name")): each for each in found}


def _needed(field: Mapping[str, Any]) -> list[str]:
    """The arguments that have to be given."""
    given = _arguments(field).items()
    return [name for name, each in given if _type(each).mandatory and each.get("defaultValue") is None]


def _values(
    schema: Schema, owner: str, path: tuple[str, ...], above: tuple[str, ...], passed: list[str]
) -> Iterator[Value]:
    schema.walked += 1
    if schema.walked > MOST_WALKED:
        passed.append(f"`{'.'.join(path)}`: more than {MOST_WALKED} types were followed")
        return
    for name, field in schema.fields(owner).items():
        of, here = _type(field), (*path, name)
        title = naming.clean(field.get("description"))
        why = naming.refused(name, title)
        if not why and (needed := _needed(field)):
            why = f"it needs `{needed[0]}`"
        if not why and of.many:
            why = "it is a list, and a field is a single value"
        if not why and of.kind == "OBJECT" and of.name not in above and len(here) < MOST_STEPS:
            yield from _values(schema, of.name, here, (*above, of.name), passed)
            continue
        if not why and of.kind not in ("SCALAR", "ENUM"):
            why = "it is no single value"
        if why:
            passed.append(f"`{'.'.join(here)}`: {why}")
            continue
        type_ = FieldType.STRING if of.kind == "ENUM" else _SCALARS.get(of.name)
        guessed = "" if type_ else f"of the scalar `{of.name}`"
        yield Value(here, type_ or _CUSTOM.get(of.name.lower()), title or naming.spoken(name), guessed, bool(title))


def _type(field: Mapping[str, Any]) -> _Type:
    said, many = mapping(field.get("type")), False
    mandatory = text(said.get("kind")) == "NON_NULL"
    for _ in range(8):
        kind = text(said.get("kind"))
        if kind not in ("NON_NULL", "LIST"):
            return _Type(kind, text(said.get("name")), many, mandatory)
        many |= kind == "LIST"
        said = mapping(said.get("ofType"))
    return _Type("", "", many, mandatory)


def _written(argument: Mapping[str, Any]) -> str:
    of = _type(argument)
    return f"{of.name}{'!' if of.mandatory else ''}"


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not name.startswith("__") and len(name) <= 100
