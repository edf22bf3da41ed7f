"""Values of any type that an entry is made of, each leaf of them recognisable wherever it turns up."""

from __future__ import annotations

import base64
import datetime
import functools
import itertools
import types
from collections.abc import Callable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from gateway.ledger.entry import entries

KINDS: tuple[type[Any], ...] = get_args(entries.Known)
AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

Draw = Callable[[st.SearchStrategy[Any]], Any]

# Made once: entries have hundreds of members, and to make a strategy or to work out a struct's types takes longer than
# to draw a value.
_BOOLEANS, _TEXTS = st.booleans(), st.text(max_size=3)
_fields = functools.cache(msgspec.structs.fields)
_one_of = functools.cache(st.sampled_from)
_count = functools.cache(st.integers)


class Values:
    """Draws values; no two of its texts, numbers or byte strings are the same, and none is part of another."""

    def __init__(self, draw: Draw) -> None:
        self._draw, self._numbers = draw, itertools.count(1)

    def of(self, type_: Any, *, some: bool = False) -> Any:
        """A value of the type; with `some`, one that is there: no None, nothing empty."""
        origin, args = get_origin(type_), get_args(type_)
        if origin in (Union, types.UnionType):
            chosen = tuple(each for each in args if each is not type(None))
            if not some and type(None) in args and self._draw(_BOOLEANS):
                return None
            return self.of(self._draw(_one_of(chosen)), some=some)
        if origin is Literal:
            return self._draw(_one_of(args))
        if origin in (list, tuple):
            return origin(self.of(args[0], some=some) for _ in range(self._draw(_count(int(some), 3))))
        if origin is dict:
            return {self.of(args[0]): self.of(args[1], some=some) for _ in range(self._draw(_count(int(some), 3)))}
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self.struct(type_, some=some)
        return self._leaf(type_)

    def struct(self, type_: type[Any], *, some: bool = False, **given: Any) -> Any:
        """A struct, with the members that are given."""
        drawn = {field.name: self.of(field.type, some=some) for field in _fields(type_) if field.name not in given}
        return type_(**drawn, **given)

    def _leaf(self, type_: Any) -> Any:
        number = next(self._numbers)
        if type_ is str:
            return f"<{number}>" + self._draw(_TEXTS)
        if type_ is int:
            return 10**9 + number
        if type_ is bytes:
            return b"<%07d>" % number
        if type_ is bool:
            return self._draw(_BOOLEANS)
        if type_ is datetime.datetime:
            return AT + datetime.timedelta(microseconds=number)
        assert type_ is datetime.date, f"no values of {type_} are known here: teach this function"
        return AT.date() + datetime.timedelta(days=number)


def leaves(value: Any) -> Iterator[bytes]:
    """How the leaves of a value are written in an entry, as far as they can be recognised."""
    if isinstance(value, str) and value.startswith("<"):
        yield value.partition(">")[0].encode() + b">"
    elif isinstance(value, bytes):
        yield base64.b64encode(value)
    elif isinstance(value, int) and value >= 10**9:
        yield b"%d" % value
    elif isinstance(value, msgspec.Struct):
        for field in _fields(type(value)):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, dict):
        for each in [*value.keys(), *value.values()]:
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)


def at(value: Any, member: str) -> Any:
    """The member of a row of `parts.OF_SUBJECT`; None where what holds it is."""
    for name in member.split("."):
        value = None if value is None else getattr(value, name)
    return value


@st.composite
def told(draw: Draw, kind: type[Any], *, named: bool = False) -> Any:
    """What an entry of a kind tells; with `named`, one that names a subject, or two where its kind can."""
    values = Values(draw)
    given: dict[str, Any] = {"v": entries.VERSION}
    if named and kind is entries.Inquiry:
        given["disclosed"] = [values.of(entries.Disclosed, some=True) for _ in range(2)]
    elif named and kind is entries.Refused:
        given["subjects"] = [values.of(entries.Named, some=True) for _ in range(2)]
    elif named and kind is entries.View:
        given["looked"] = values.struct(entries.Looked, value=values.of(str))
    elif named:
        given |= {"scheme": values.of(str), "value": values.of(str)}
    return values.struct(kind, **given)


@st.composite
def oversight(draw: Draw, subjects: int) -> entries.Oversight:
    """The other side of an entry with so many subjects, in the order that the gateway enters it."""
    values = Values(draw)
    values._numbers = itertools.count(10**6)
    given: dict[str, Any] = {"v": entries.VERSION, "withheld": [], "denied": [], "decided": []}
    given |= {"consents": (), "consents_of": ()}
    given["keys"] = b""  # the ledger's own to say
    for place in range(subjects):
        for _ in range(draw(_count(0, 2))):
            given["withheld"].append(values.struct(entries.WithheldRecord, subject=place))
        if denied := values.of(list[entries.DeniedField]):
            given["denied"].append(entries.DeniedFields(place, denied))
        consents = values.of(tuple[str, ...])
        if draw(_BOOLEANS):
            given["decided"].append(values.struct(entries.DecidedOn, subject=place))
        given["consents"] += consents
        given["consents_of"] += (place,) * len(consents)
    made: entries.Oversight = values.struct(entries.Oversight, **given)
    return made
