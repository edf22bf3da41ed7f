"""Which value of a record is its id, its version, its subject: guessed by names, each with the reason. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from connectors.base import FieldType
from gateway.connecting.starting.model import Lookup, Said, Value
from gateway.connecting.starting.naming import pieces

_NUMBERS = frozenset(["id", "no", "nr", "number", "num", "ref", "reference", "uuid", "guid", "docket", "key", "code"])
_VERSIONS = frozenset(["version", "rev", "revision", "edition", "etag"])
_CHANGED = frozenset(["updated", "modified", "changed", "update", "change"])
_DECIDED = frozenset(
    ["decision", "judgment", "judgement", "ruling", "writ", "verdict", "award", "document", "notice", "order", "act"]
)
_EFFECTIVE = frozenset(["effective", "effect", "force", "binding"])
_GENERIC = frozenset(["id", "value", "identifier", "number", "no", "nr", "subject", "key", "code"])
_SCHEMES = frozenset(["scheme", "type", "kind", "system"])
_NAMED = frozenset([FieldType.STRING, FieldType.INT, FieldType.DECIMAL, None])

_TECHNICAL = (["id"], ["uuid"], ["guid"], ["key"])

BY_NAME = "by its name"


class Record(NamedTuple):
    """Which values identify a record: its id, version, document, and day of effect, and whom it names."""

    identity: Value | None
    version: Value | None
    document: Value | None
    effective: Value | None
    subject: Value | None
    scheme: Value | None

    def is_field(self, value: Value) -> bool:
        """Whether it is something to ask for, and not only a fact of the record itself."""
        own = (self.version, self.subject, self.scheme)
        return value not in own and not (value == self.identity and pieces(value.name) in _TECHNICAL)


def record(lookup: Lookup, schemes: Mapping[str, Sequence[str]]) -> Record:
    """What each value of a list's records is; None where nothing is called so."""
    who, scheme = subject(lookup.values, lookup.value, schemes)
    others = [value for value in lookup.values if value not in (who, scheme)]
    changing = version(others)
    names = identity([value for value in others if value != changing], lookup.called)
    return Record(names, changing, document(others, names), effective(others), who, scheme)


def is_scheme(name: str) -> bool:
    """Whether something is named like the scheme of an identifier: `scheme`, `idType`."""
    found = pieces(name)
    return bool(found) and found[-1] in _SCHEMES and len(found) <= 3


def is_identifier(name: str, schemes: Iterable[str]) -> bool:
    """Whether something is called as what names a subject: `id`, `companyNo`, `lei`."""
    found = pieces(name)
    return bool(found) and (found[-1] in _GENERIC or bool({*found} & {scheme.lower() for scheme in schemes}))


def subject(
    values: Sequence[Value], asked: str, schemes: Mapping[str, Sequence[str]]
) -> tuple[Value | None, Value | None]:
    """The values that name a record's subject: the identifier, and its scheme where the record has that.

    `asked` is the name by which the question names the subject.
    """
    texts = [value for value in values if value.type in (FieldType.STRING, None)]
    own = pieces(asked)
    tries: list[Callable[[Value], bool]] = [
        lambda value: bool({*pieces(value.path[-1])} & {scheme.lower() for scheme in schemes}),
        lambda value: _beside(value, texts) is not None and is_identifier(value.path[-1], ()),
        lambda value: len(words := pieces(value.path[-1])) > 1 and {*words} <= _GENERIC,
    ]
    if own and not {*own} <= _GENERIC:
        tries.insert(0, lambda value: pieces(value.path[-1]) == own or pieces(value.name) == own)
    for fits in tries:
        found = [value for value in texts if not value.key and not is_scheme(value.path[-1]) and fits(value)]
        if found:
            return found[0], _beside(found[0], texts)
    return None, None


def _beside(value: Value, values: Sequence[Value]) -> Value | None:
    """The scheme of an identifier: it stands in the same object, and is called alike but for `scheme`."""
    own = {*pieces(value.path[-1])}
    for each in values:
        if each.path[:-1] == value.path[:-1] and is_scheme(each.path[-1]):
            about = {*pieces(each.path[-1])} - _SCHEMES
            if about & own if about else own <= _GENERIC:
                return each
    return None


def identity(values: Sequence[Value], called: str) -> Value | None:
    """The value that names a record, of a list that is `called` so."""
    keys = [value for value in values if value.key and value.type in _NAMED]
    if len(keys) == 1:
        return keys[0]
    about = {word.rstrip("s") for word in pieces(called)}
    numbers = [
        value
        for value in values
        if value.type in _NAMED and len(value.path) == 1 and (words := pieces(value.name)) and words[-1] in _NUMBERS
    ]
    exact = [value for value in numbers if pieces(value.name) in (["id"], ["uuid"])]
    near = [value for value in numbers if {word.rstrip("s") for word in pieces(value.name)} & about]
    return next(iter([*exact, *near, *numbers]), None)


def version(values: Sequence[Value]) -> Value | None:
    """The value that changes whenever the record does."""
    for value in values:
        words = pieces(value.path[-1])
        if len(value.path) > 2 or not words or value.type is FieldType.BOOLEAN:
            continue
        if words[-1] in _VERSIONS or (len(words) > 1 and {*words} & _CHANGED and words[-1] in ("at", "on", "time")):
            return value
    return None


def document(values: Sequence[Value], identity: Value | None) -> Value | None:
    """The number of the decision that a record rests on."""
    for value in values:
        words = pieces(value.path[-1])
        titled = {word.lower() for word in value.title.split()} if value.titled else set()
        if value.type in (FieldType.STRING, None) and value != identity and {*words, *titled} & _DECIDED:
            numbered = bool({*words, *titled} & _NUMBERS) or {*words} <= _DECIDED
            if numbered:
                return value
    return None


def effective(values: Sequence[Value]) -> Value | None:
    """The day that a record's display counts from."""
    for value in values:
        words = pieces(value.path[-1])
        if value.type is FieldType.DATE and ({*words} & _EFFECTIVE or words[:2] == ["valid", "from"]):
            return value
    return None


def scheme_of(value: str, schemes: Mapping[str, Sequence[str]]) -> Said:
    """The scheme that every identifier is of, where nothing gives it: by a name, or because there is one only."""
    for scheme in schemes:
        if scheme.lower() in pieces(value):
            return Said(scheme, f"`{value}` is called so")
    if len(schemes) == 1:
        return Said(next(iter(schemes)), "`identifiers.yaml` has no other")
    return Said(None, f"the scheme of `{value}`, one of {', '.join(schemes) or 'identifiers.yaml'}")
