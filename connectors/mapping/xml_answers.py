"""An answer in XML, brought to the JSON that a `Decoder` reads: by the mapping, and nothing else of it.

A path names elements by their local names, from the answer's root for `records` and from the record for the rest; its
last name may end in an attribute (`amount@unit`, `@id`). So one set of rules judges values, whichever way a source
writes them. XML has text alone: an Int and a Boolean are read from theirs, and an element without any is no value, but
where text is meant. White space around any other value is none of it, and a number may have a `+`: XML Schema has both.

Invariants: no DTD, no entity, nothing fetched (defusedxml); depth and elements are bounded, bytes by the transport; an
element or attribute that is mapped and appears twice where one is meant makes all invalid; where no record stands, the
place of the records must be empty, since anything else may be records by another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from connectors.base import Config, FieldType, Record, Subject
from connectors.mapping.decoding import Decoder, Mapped, Page
from connectors.mapping.generated import Leaf, Path, Tree, build_tree

DEPTH = 64
"""Elements within each other."""
ELEMENTS = 20_000
"""Elements of one answer."""

_TEXTS = frozenset({"id", "document", "note", "subject", FieldType.STRING})
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_INT = re.compile(r"[+-]?[0-9]{1,18}")
_PLUS = re.compile(r"\+[0-9]").match
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class _WrongError(ValueError):
    """The answer cannot be used; the text names the check that failed."""


def read_xml_path(config: Config) -> Path:
    """A path of local names, such as `amount.total` or `amount@unit`; an empty one where it is wrong."""
    name = r"[^\s.@:[\]]+"
    what = "local names with dots between, and an attribute's after `@`, such as `amount.total@unit`, without prefixes"
    text = config.text(pattern=rf"({name}(\.{name})*)?(@{name})?", what=what)
    return tuple(text.split(".")) if text else ()


class XmlDecoder:
    """Decodes as `Decoder` does, which decodes the rest."""

    def __init__(self, mapped: Mapped, fields: tuple[str, ...], next_path: Path | None = None) -> None:
        self._decoder = Decoder(mapped, fields, next_path)
        self._records, self._next = mapped.records, next_path
        self._one_record = mapped.one_record
        self._plan = _planned(build_tree(mapped.leaves(fields)))

    def one(self, body: bytes, subject: Subject) -> list[Record] | str:
        """See `Decoder`."""
        made = self.json(body)
        return made if isinstance(made, str) else self._decoder.one(made, subject)

    def page(self, body: bytes, subject: Subject) -> Page | str:
        """See `Decoder`."""
        made = self.json(body)
        return made if isinstance(made, str) else self._decoder.page(made, subject)

    def many(self, body: bytes, subjects: tuple[Subject, ...]) -> Mapping[Subject, list[Record]] | str:
        """See `Decoder`."""
        made = self.json(body)
        return made if isinstance(made, str) else self._decoder.many(made, subjects)

    def json(self, body: bytes) -> bytes | str:
        """The answer as JSON; or what is wrong with it, in words."""
        try:
            root = _parsed(body)
            found = [_object(row, self._plan) for row in self._rows(root)]
            made: dict[str, Any] = {}
            _put(made, self._records, next(iter(found), None) if self._one_record else found)
            if self._next is not None:
                _put(made, self._next, _at(root, self._next[1:]))
        except _WrongError as error:
            return str(error)
        return msgspec.json.encode(made)

    def _rows(self, root: Element) -> list[Element]:
        """The elements that are records. Raises where their place is missing."""
        if _local(root.tag) != self._records[0]:
            raise _WrongError("the answer is not the document that `records` names")
        place, rows = root, [root]
        for name in self._records[1:-1]:
            found = _only(place, name)
            if found is None:
                raise _WrongError("the place of the records is missing")
            place = found
        if len(self._records) > 1:
            rows = [each for each in place if _local(each.tag) == self._records[-1]]
        if not rows:
            self._see_empty(place)
        if not self._one_record:
            return rows
        if len(rows) > 1:
            raise _WrongError("several records stand where `one_record` is")
        return [row for row in rows if row.get(_NIL) not in ("true", "1")]

    def _see_empty(self, place: Element) -> None:
        """Raise where something stands instead of records, but for what leads to the next page."""
        beside = self._next[len(self._records) - 1].partition("@")[0] if self._beside() and self._next else ""
        others = [each for each in place if _local(each.tag) != beside]
        if others or (place.text or "").strip() or place.get(_NIL) is not None:
            raise _WrongError("no record is there, and something else is; `records` may name it wrongly")

    def _beside(self) -> bool:
        shared = len(self._records) - 1
        return self._next is not None and len(self._next) > shared and self._next[:shared] == self._records[:-1]


def _parsed(body: bytes) -> Element:
    if body.count(b"<") > 2 * ELEMENTS:  # each element has one or two
        raise _WrongError("more elements than an answer may have")
    parser = DefusedXMLParser(target=TreeBuilder(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except DefusedXmlException:
        raise _WrongError("XML with a DTD or an entity of its own") from None
    except (ParseError, LookupError, ValueError):  # also what expat cannot decode, as UTF-7 or Shift JIS
        raise _WrongError("not XML") from None
    level, elements = [root], 1
    for _ in range(DEPTH):
        level = [below for each in level for below in each]
        elements += len(level)
        if elements > ELEMENTS:
            raise _WrongError("more elements than an answer may have")
        if not level:
            return root
    raise _WrongError("nested too deep")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2] if tag[:1] == "{" else tag


def _only(place: Element, name: str) -> Element | None:
    found = [each for each in place if _local(each.tag) == name]
    if len(found) > 1:
        raise _WrongError("an element appears twice where one is mapped")
    return found[0] if found else None


def _attribute(place: Element, name: str) -> str | None:
    if name in place.attrib and len(place.attrib) == 1:
        return place.attrib[name]
    found = [value for each, value in place.attrib.items() if _local(each) == name]
    if len(found) > 1:
        raise _WrongError("an attribute appears twice where one is mapped")
    return found[0] if found else None


class _Plan(NamedTuple):
    """What is read of an element: its children that are wanted, and of each value its name and where it is."""

    wanted: frozenset[str]
    values: list[tuple[str, str, str, _Plan | list[Leaf]]]


def _planned(tree: Tree) -> _Plan:
    values = []
    for name, child in tree.children.items():
        element, _, attribute = name.partition("@")
        values.append((name, element, attribute, _planned(child) if isinstance(child, Tree) else child))
    return _Plan(frozenset(element for _, element, _, _ in values), values)


def _object(place: Element, plan: _Plan) -> dict[str, Any]:
    """The mapped values of an element, by their names in the mapping; what is not there is left out."""
    wanted = plan.wanted
    held: dict[str, Element] = {"": place}
    for each in place:
        local = _local(each.tag)
        if local in wanted and held.setdefault(local, each) is not each:
            raise _WrongError("an element appears twice where one is mapped")
    made: dict[str, Any] = {}
    for name, element, attribute, child in plan.values:
        below = held.get(element)
        if below is None:
            continue
        if isinstance(child, _Plan):
            if below.get(_NIL) not in ("true", "1"):
                made[name] = _object(below, child)
        elif not attribute:
            made[name] = _value(_content(below), child)
        elif (text := _attribute(below, attribute)) is not None:
            made[name] = _value(text, child)
    return made


def _content(element: Element) -> Any:
    """Its text; nothing where it is nil, and an object where it is no text."""
    if element.attrib and element.get(_NIL) in ("true", "1"):
        return None
    return {} if len(element) else element.text or ""


def _value(text: Any, leaves: list[Leaf]) -> Any:
    """A text as the JSON value that its leaves want; where it is none, as it stands, so that the decoder refuses it."""
    kind = leaves[0].kind
    if type(text) is not str or kind in _TEXTS:
        return text
    plain = text.strip(" \t\r\n")
    if not plain:
        return None
    if kind == FieldType.INT and _INT.fullmatch(plain):
        return int(plain)
    if kind == FieldType.DECIMAL and _PLUS(plain):
        return plain[1:]
    if kind == FieldType.BOOLEAN:
        return _BOOLEANS.get(plain, plain)
    return plain


def _put(made: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        made = made.setdefault(name, {})
    made[path[-1]] = value


def _at(place: Element, path: Path) -> Any:
    """The text at a path, or nothing."""
    element, mark, attribute = path[-1].partition("@")
    for name in (*path[:-1], element):
        found = _only(place, name) if name else place
        if found is None:
            return None
        place = found
    return _attribute(place, attribute) if mark else _content(place)
