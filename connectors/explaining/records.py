"""Why an answer in JSON does not fit its mapping: every field of every record looked at, in words without values.

The decoders say that an answer is wrong as soon as they know; this reads on, slowly, and finds everything at once. What
it finds nothing wrong with, they may still refuse: whoever calls it asks them too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from connectors.base import Subject
from connectors.explaining.noted import Noted, key_of, there, usual
from connectors.explaining.values import Number, unfit, unlike, unnamed
from connectors.mapping.decoding import Const, Mapped
from connectors.mapping.generated import Leaf, Path

_NOTHING = object()
MOST_ROWS = 10_000
"""Records that are looked at."""


class _WrongError(ValueError):
    """Why there is nothing to look at."""


def document(body: bytes, noted: Noted, known: Collection[str] = (), *, null: bool = False) -> Any:
    """The JSON of an answer; None after noting why it is none. Of a key that appears twice, which is noted, the last.

    `known` are names that are mapped. With `null` the answer may be null, and nothing is noted.
    """
    try:
        return _document(body, noted, known, null)
    except _WrongError as error:
        noted.add((), str(error))
        return None


def _document(body: bytes, noted: Noted, known: Collection[str], null: bool) -> Any:
    if not body.strip():
        raise _WrongError("the answer is empty; JSON is needed, also where there are no records")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        said = "UTF-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding, such as ISO 8859-1"
        raise _WrongError(f"the answer is not UTF-8 at byte {error.start + 1}: it may be {said}; send UTF-8") from None
    if text.startswith("\ufeff"):
        raise _WrongError("the answer begins with a byte order mark, which JSON has not; leave it out")
    if text.lstrip().startswith("<"):
        kind = "an HTML page" if "<html" in text[:2000].lower() else "XML or HTML"
        raise _WrongError(f"the answer is {kind}, not JSON; is this the address of the interface, and no login page?")
    repeated: set[str] = set()

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        counted = Counter(name for name, _ in found)
        repeated.update(name for name, times in counted.items() if times > 1)
        return dict(found)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_float=Number, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
            raise _WrongError(f"the answer ends in the middle, after {len(body)} bytes; it was cut off") from None
        raise _WrongError(f"the answer is not JSON at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise _WrongError("the answer is not JSON: NaN, Infinity, a number too long, or nested too deep") from None
    for name in sorted(repeated):
        shown = f"`{name}`" if usual(name, known) else "a name"
        noted.add((), f"{shown} appears twice in one object; send it once")
    if value is None and not null:
        raise _WrongError("the answer is null; give a list, also where there are no records")
    return value


def _refuse(_: str) -> NoReturn:
    raise ValueError


def names_of(mapped: Mapped) -> frozenset[str]:
    """The names that a dataset's mapping has, which are shown as they are."""
    every = tuple(mapped.fields)
    return frozenset(name for path in (mapped.records, *(leaf.path for leaf in mapped.leaves(every))) for name in path)


def rows_at(value: Any, mapped: Mapped, noted: Noted, asked: Subject) -> list[Any] | None:
    """The records in an answer; None after noting what is there instead."""
    path, walked = mapped.records, "the answer"
    for number, name in enumerate(path):
        if not isinstance(value, dict):
            what = f"{walked} is {_kind(value)}, so it has no `{name}`"
            hint = "; leave `records` out" if isinstance(value, list) and not number else ""
            noted.add(("records",), what + hint)
            return None
        if name not in value:
            noted.add(("records",), f"{walked} has no `{name}`: {there(value, name, asked.value, names_of(mapped))}")
            return None
        value, walked = value[name], f"`{'.'.join(path[: number + 1])}`"
    if mapped.one_record:
        return one_at(value, walked, ("records",), noted)
    if isinstance(value, list):
        return value
    hint = "give a list, also of one record or of none"
    if isinstance(value, dict):
        if lists := [name for name, each in value.items() if isinstance(each, list)]:
            names = ", ".join(f"`{name}`" for name in lists if usual(name, names_of(mapped)))
            hint = f"it holds the list {names or '(of a name that could be a value)'}"
        hint += "; where it is the record itself, write `one_record: true`"
    noted.add(("records",), f"{walked} is {_kind(value)}, where the list of records must be; {hint}")
    return None


def one_at(value: Any, walked: str, key: Path, noted: Noted) -> list[Any] | None:
    """The one record that a value is, or none where it is null; None after noting, under `key`, what it is instead."""
    if value is None or isinstance(value, dict):
        return [] if value is None else [value]
    if isinstance(value, list):
        noted.add(("one_record",), f"{walked} is a list of records, not one; leave `one_record` out")
    else:
        noted.add(key, f"{walked} is {_kind(value)}, where the record must be, or null")
    return None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a single value")


def explain(
    rows: Sequence[Any], mapped: Mapped, fields: tuple[str, ...], asked: Subject, noted: Noted, first: int = 1
) -> None:
    """Note all that is wrong with these records, which are about the subject `asked`; `first` numbers the first."""
    leaves, known = mapped.leaves(fields), names_of(mapped)
    absent: Counter[Leaf] = Counter()
    objects = 0
    for number, row in enumerate(rows[:MOST_ROWS], first):
        if not isinstance(row, dict):
            noted.add(("records",), f"a record is {_kind(row)}, not an object", row=number)
            continue
        objects += 1
        for leaf in leaves:
            value = _at(row, leaf.path)
            if value is _NOTHING or value is None:
                if leaf.mandatory:
                    state = "is null" if value is None else f"is not there: {_beside(row, leaf.path, asked, known)}"
                    noted.add(key_of(leaf), f"`{'.'.join(leaf.path)}` {state}; every record must have it", row=number)
                elif value is _NOTHING:
                    absent[leaf] += 1
            else:
                _value(leaf, value, asked, noted, number)
    for leaf, times in absent.items():
        if times == objects:
            sample = next(row for row in rows if isinstance(row, dict))
            noted.add(
                key_of(leaf), f"`{'.'.join(leaf.path)}` is in no record: {_beside(sample, leaf.path, asked, known)}"
            )
    _names(rows, mapped, noted, first)


def _value(leaf: Leaf, value: Any, asked: Subject, noted: Noted, number: int) -> None:
    name = f"`{'.'.join(leaf.path)}`"
    wrong = unfit(leaf.kind, value)
    if wrong is None and leaf.kind in ("id", "document") and (leaf.kind == "id" or str(value).strip()):
        wrong = unnamed(value)
    if wrong is not None:
        noted.add(key_of(leaf), f"{name} {wrong}", row=number)
    elif leaf.attribute == "s_value" and value != asked.value:
        noted.add(key_of(leaf), f"{name} {unlike(value, asked.value)}", row=number)
    elif leaf.attribute == "s_scheme" and value != asked.scheme:
        noted.add(key_of(leaf), f"{name} names another scheme than `{asked.scheme}`, which was asked for", row=number)


def const(mapped: Mapped, asked: Subject, noted: Noted, rows: Sequence[Any]) -> None:
    """Note a constant scheme that is not the one that was asked for, where there are records."""
    scheme = mapped.subject.scheme if mapped.subject is not None else None
    if isinstance(scheme, Const) and scheme.value != asked.scheme and rows:
        noted.add(
            ("record", "subject", "scheme"), f"is `{scheme.value}` for every record, but `{asked.scheme}` was asked for"
        )


def _names(rows: Sequence[Any], mapped: Mapped, noted: Noted, first: int) -> None:
    """Note ids and versions that do not tell records apart."""
    seen: dict[tuple[str, str], Any] = {}
    same = named = 0
    for number, row in enumerate(rows[:MOST_ROWS], first):
        name = name_of(row, mapped)
        if name is None:
            continue
        named, same = named + 1, same + (name[0] == name[1])
        other = seen.setdefault(name, row)
        if other is row:
            continue
        if other == row:
            noted.add(("record", "id"), "a record comes twice with the same id and version", row=number)
        else:
            what = "two records have the same id and version, but other contents; map what distinguishes them"
            noted.add(("record", "id"), what, row=number)
    if named and same == named:
        what = "is the same as the id in every record; map what changes whenever the record does"
        noted.add(("record", "version"), f"`{'.'.join(mapped.version)}` {what}")


def name_of(row: Any, mapped: Mapped) -> tuple[str, str] | None:
    """A record's id and version, where it shows both."""
    id_, version = (_at(row, path) for path in (mapped.id, mapped.version))
    return (str(id_), str(version)) if isinstance(id_, str | int) and isinstance(version, str | int) else None


def text_at(value: Any, path: Path | None) -> str | None:
    """A text or number that stands at a path of an answer, as text; nothing where it is absent or blank."""
    held = _at(value, path) if path else None
    return str(held) if isinstance(held, str | int) and str(held) else None


def no_link(value: Any, path: Path | None) -> str:
    """What stands at a path of an answer where it can lead to no page; nothing where it can, or nothing is there."""
    held = _at(value, path) if path else None
    fits = held is None or held is _NOTHING or (isinstance(held, str | int) and not isinstance(held, bool | Number))
    return "" if fits else _kind(held)


def _at(row: Any, path: Path) -> Any:
    for name in path:
        if row is None:
            return None
        if not isinstance(row, dict) or name not in row:
            return _NOTHING
        row = row[name]
    return row


def _beside(row: dict[str, Any], path: Path, asked: Subject, known: Collection[str]) -> str:
    """What stands where a path ends in nothing."""
    at: Any = row
    for name in path:
        if not isinstance(at, dict):
            return f"{_kind(at)} stands where its parent must be an object"
        if name not in at:
            return there(at, name, asked.value, known)
        at = at[name]
    return "nothing is there"
