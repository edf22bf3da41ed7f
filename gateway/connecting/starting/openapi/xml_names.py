"""What elements and attributes are called in XML, by the `xml` of a schema: OpenAPI 3.1, section 4.8.26. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.connecting.starting.reading import mapping, text

_NAME = re.compile(r"[^\s.@:[\]]{1,100}")
Says = Mapping[str, Any]
"""What a schema says of itself."""


def is_name(name: str) -> bool:
    """Whether `sources.yaml` can name an element or an attribute so."""
    return bool(_NAME.fullmatch(name)) and name.isprintable()


def is_attribute(says: Says) -> bool:
    return mapping(says.get("xml")).get("attribute") is True


def below(path: tuple[str, ...], name: str, says: Says, items: Says | None) -> tuple[str, ...]:
    """The path to a property `name` of what is at `path`; of a list, with its `items`, to each of its elements."""
    own = _own(says) or name
    if is_attribute(says):
        return (*path[:-1], f"{path[-1]}@{own}") if path else (f"@{own}",)
    if items is None:
        return (*path, own)
    wrapped = mapping(says.get("xml")).get("wrapped") is True
    return (*path, own, _own(items) or own) if wrapped else (*path, _own(items) or name)


def root(says: Says, references: tuple[str, ...], items: Says | None) -> tuple[tuple[str, ...], str]:
    """The path to an answer's root, or to the elements of a list that it is, and why that is a guess.

    The first name is empty where nothing says it.
    """
    named = _own(says)
    own = named or (references[-1].rpartition("/")[2] if references else "")
    why = "" if named else "the root is called as its schema"
    if not is_name(own):
        return ("",), why
    return ((own,) if items is None else (own, _own(items) or own)), why


def _own(says: Says) -> str:
    name = text(mapping(says.get("xml")).get("name"))
    return name if is_name(name) else ""
