"""Why a GraphQL department's answer does not fit: first its errors about the document, then its records.

An error's own text is never shown, since it may quote a value. Where it is one of the errors that GraphQL's validation
knows, the names in it are found, and said in our words with the key that they stand under.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from connectors.base import DatasetRequest, Subject
from connectors.explaining import records
from connectors.explaining.answers import Asked
from connectors.explaining.answers import usable as usable_answer
from connectors.explaining.noted import Noted, key_of
from connectors.http.calling import Caller, Tried
from connectors.http.transport import Response
from connectors.mapping.graphql_documents import Source

_N = r"[\"'`]?\$?([_A-Za-z][_0-9A-Za-z]{0,99})[\"'`]?"
_T = r"[\"'`]?\[?([_A-Za-z][_0-9A-Za-z\[\]!]{0,99})[\"'`]?"


class _Known(NamedTuple):
    """An error of validation: how to know it, and what it says; `{0}`, `{1}`, ... are the names in it.

    `of_argument`: it is about an argument or a variable, so about no field of a record.
    """

    found: re.Pattern[str]
    words: str
    of_argument: bool = False


_ROOT = "Query"
"""What the type of questions is called, where a schema does not say otherwise."""
_NO_FIELD = _Known(re.compile(rf"Cannot query field {_N} on type {_N}"), "the type `{1}` has no field `{0}`")
_NO_TYPE = _Known(re.compile(rf"Unknown type {_N}"), "there is no type `{0}`")
_KNOWN = (
    _NO_FIELD,
    _Known(re.compile(rf"Unknown argument {_N} on field [\"'`]?(?:{_N}\.)?{_N}"), "the field has no argument `{0}`",
           True),
    _NO_TYPE,
    _Known(re.compile(rf"Fragment cannot be spread here as objects of type {_N} can never be of type {_N}"),
           "`{1}` is no entity that can be asked for"),
    _Known(re.compile(rf"Variable {_N} of type {_T} used in position expecting type {_T}"),
           "a variable has the type `{1}`, and the department expects `{2}`", True),
    _Known(re.compile(rf"(?:Field|Argument) {_N} argument {_N} of type {_T} is required"),
           "the field `{0}` needs the argument `{1}` of the type `{2}`", True),
    _Known(re.compile(rf"Argument [\"'`]?(?:{_N}\.)?{_N}\({_N}:\)[\"'`]? of type {_T} is required"),
           "the field `{1}` needs the argument `{2}` of the type `{3}`", True),
    _Known(re.compile(rf"Argument {_N} of required type {_T} was not provided"), "the argument `{0}` is needed", True),
    _Known(re.compile(rf"Field {_N} of type {_T} must have a selection of (?:sub)?fields"),
           "`{0}` is an object; map a path into it, such as `{0}.value`"),
    _Known(re.compile(rf"Field {_N} must not have a selection since type {_T} has no subfields"),
           "`{0}` is a plain value, and nothing stands below it"),
    _Known(re.compile(rf"Expected value of type {_T}"), "an argument must be of the type `{0}`", True),
)  # fmt: skip
_NEAR = re.compile(rf"Did you mean {_N}")
_CODE = re.compile(r"[A-Z][A-Z_]{2,40}").fullmatch
_OF_ACCESS = {"UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN", "ACCESS_DENIED"}


async def usable(caller: Caller, tried: Tried, asked: Asked, of_all: Noted, of_one: Noted) -> Response | None:
    """As `answers.usable`; a status of 400 or above with GraphQL's errors in its body is an answer too."""
    held = tried.answer
    if isinstance(held, Response) and held.status in (400, 422) and b'"errors"' in held.body:
        tried = tried._replace(answer=msgspec.structs.replace(held, status=200))
    return await usable_answer(caller, tried, asked, of_all, of_one)


def explain(
    body: bytes, source: Source, dataset: DatasetRequest, subject: Subject, of_all: Noted, noted: Noted
) -> None:
    """Note what is wrong with the answer to a question about one dataset of one subject."""
    answer = records.document(body, noted)
    if answer is None:
        return
    if not isinstance(answer, dict) or not ({"data", "errors"} & answer.keys()):
        of_all.add(("url",), "the answer is JSON, but no GraphQL answer: neither `data` nor `errors` is in it")
        return
    errors = answer.get("errors")
    for error in errors if isinstance(errors, list) else ():
        _error(error, source, dataset, of_all, noted)
    data = answer.get("data")
    if not isinstance(data, dict):
        if not errors:
            of_all.add(("url",), "`data` is null, without an error that explains it")
        return
    place: Any = data.get("q0")
    if source.entities:
        if not isinstance(place, list) or len(place) != 1:
            of_all.add(("entities",), "`_entities` is no list with one entry for each subject")
            return
        place = place[0]
    if place is None:
        return
    field, mapped = source.datasets[dataset.dataset].field, source.datasets[dataset.dataset].mapped
    value = place.get("d0") if isinstance(place, dict) and field else place
    for _ in field[1:]:
        value = value.get("step") if isinstance(value, dict) else value
    if mapped.one_record:
        found = records.one_at(value, "the field" if field else "the subject", ("field",), noted)
        value = [] if found is None else found
    if not isinstance(value, list):
        if value is not None or not errors:
            kind = "null" if value is None else "no list"
            what = f"the field gives {kind}; it must give a list of records, empty where there are none"
            itself = "; where it gives the record itself, write `one_record: true`" if isinstance(value, dict) else ""
            noted.add(("field",), what + itself)
        return
    records.const(mapped, subject, noted, value)
    records.explain(value, mapped, dataset.fields, subject, noted)


def _error(error: Any, source: Source, dataset: DatasetRequest, of_all: Noted, noted: Noted) -> None:
    said = error.get("message") if isinstance(error, dict) else None
    path = error.get("path") if isinstance(error, dict) else None
    extensions = error.get("extensions") if isinstance(error, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    code = code if isinstance(code, str) and _CODE(code) else ""
    if code in _OF_ACCESS:
        of_all.add(("auth",), f"the department reports `{code}`; is the credential right, and may it look here?")
        return
    for known in _KNOWN if isinstance(said, str) else ():
        if match := known.found.search(str(said)[:2000]):
            names = [name or "" for name in match.groups()]
            key, of_dataset = _key(known, names, source, dataset)
            near = _NEAR.search(str(said)[:2000])
            hint = f" (did you mean `{near[1]}`?)" if near else ""
            what = f"the department refuses the document: {known.words.format(*names)}{hint}"
            (noted if of_dataset else of_all).add(key, what)
            return
    coded = f" (`{code}`)" if code else ""
    if isinstance(path, list) and path:
        last = next((each for each in reversed(path) if isinstance(each, str)), "")
        leaves = source.datasets[dataset.dataset].mapped.leaves(dataset.fields)
        key = next((key_of(leaf) for leaf in leaves if last == leaf.path[-1]), ("field",))
        noted.add(key, f"the department reports an error while it answers{coded}; see its own log")
    else:
        what = f"the department refuses the whole question{coded}; see its own log"
        of_all.add(("url",), what)


def _key(known: _Known, names: list[str], source: Source, dataset: DatasetRequest) -> tuple[tuple[str, ...], bool]:
    """The key that holds what an error names, and whether it is the dataset's."""
    held = source.datasets[dataset.dataset]
    if known is _NO_FIELD and names[1] == _ROOT:
        return ("query",), False
    if known is _NO_TYPE and any(names[0] in re.findall(r"\w+", type_) for type_ in source.variables):
        return ("variables",), False
    for leaf in held.mapped.leaves(dataset.fields):
        if names[0] in leaf.path and not known.of_argument:
            return key_of(leaf), True
    words = {name for step in held.field for name in re.findall(r"\w+", step)}
    if words & set(names):
        return ("field",), True
    if source.entities:
        return (("keys",) if set(names) & {*source.keys} else ("types",)), False
    if "variable" in known.words:
        return ("variables",), False
    return ("query",), False
