"""How an operation asks for one subject: by its address, or by the body of a look-up by POST. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from connectors.kit.headers import HEADER, OURS, may_be_credential
from gateway.connecting.starting import naming
from gateway.connecting.starting.guessing import is_identifier, is_scheme
from gateway.connecting.starting.model import YES, Lines, Note, Part, Said
from gateway.connecting.starting.openapi.references import References
from gateway.connecting.starting.openapi.shapes import Input, Schemas
from gateway.connecting.starting.reading import mapping, sequence, text

_HOLE = re.compile(r"\{([^{}]*)\}")
_WRITTEN = re.compile(r"[A-Za-z0-9._~-]{1,60}")
"""What can stand in an address as it is."""
_PAGES = frozenset(["page", "offset", "cursor", "skip", "start", "token", "after", "limit", "size", "per", "top"])
_MOST_PARAMETERS = 40
_SET = frozenset(["accept", "authorization", "content-type"])
"""Headers that a description may not speak of: they are the client's own."""
_LOOKING = frozenset(["search", "query", "find", "lookup", "look", "filter", "list", "get", "fetch", "retrieve", "read",
                      "check", "inquire", "inquiry"])  # fmt: skip
"""Words of a POST that only looks up."""
_CHANGING = frozenset(["create", "add", "insert", "submit", "save", "store", "update", "change", "delete", "remove",
                       "set", "import", "upload", "start", "cancel", "send", "report"])  # fmt: skip


class PassedOverError(Exception):
    """The operation is not proposed; the text explains why, for a person."""


class _Parameter(NamedTuple):
    name: str
    within: str
    required: bool
    schema: Mapping[str, Any]


class Asked(NamedTuple):
    """How a subject is asked for: keys of `sources.yaml`, and the names that stand for its identifier and scheme.

    `pages` are parameters of the address that choose a page, `headers` what every question has in its headers.
    """

    place: tuple[tuple[str, Part], ...]
    value: str
    scheme: str
    pages: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def called(path: str) -> str:
    """What a path gives: its last step that is no parameter and no word for looking up."""
    steps = [step for step in path.partition("?")[0].split("/") if step and "{" not in step]
    named = [step for step in steps if not {*naming.pieces(step)} <= _LOOKING]
    return next(reversed(named or steps), "records")


def by_address(
    references: References, path: str, item: Mapping[str, Any], operation: Mapping[str, Any], schemes: list[str]
) -> Asked:
    """How a GET asks for a subject. Raises `PassedOverError`, `LeavesError`."""
    holes = _holes(path)
    fixed, others, headers = _parameters(references, item, operation)
    value, scheme, query = _subject(holes, others, schemes)
    _see_needed(others, (value, scheme))
    if not all(_WRITTEN.fullmatch(each.name) for each in others if each.name in query):
        raise PassedOverError("a parameter's name cannot be used in an address")
    for name in query:
        fixed += f"{'&' if fixed else ''}{name}={{{'scheme' if name == scheme else 'value'}}}"
    whole = _HOLE.sub(lambda hole: "{scheme}" if hole[1] == scheme else "{value}", path)
    pages = tuple(each.name for each in others if {*naming.pieces(each.name)} & _PAGES and each.name != value)
    place: tuple[tuple[str, Part], ...] = (("path", Said(_with(whole, fixed), _names(value, scheme))),)
    return Asked(place, value, scheme, pages, headers)


def by_body(
    references: References, path: str, item: Mapping[str, Any], operation: Mapping[str, Any], schemes: list[str]
) -> Asked:
    """How a look-up by POST asks for a subject. Raises `PassedOverError`, `LeavesError`."""
    if not _only_looks(path, operation):
        raise PassedOverError("by its name it does not only look up, as `search` or `find` would; only such a POST is")
    holes = _holes(path)
    if [hole for hole in holes if not is_scheme(hole)] or len(holes) > 1:
        raise PassedOverError("its path has a parameter, and a look-up by POST has its identifier in the body alone")
    fixed, others, headers = _parameters(references, item, operation)
    _see_needed(others, ())
    asked, _ = references.followed(operation.get("requestBody"))
    schemas = Schemas(references)
    inputs = list(schemas.inputs(content(asked, "its question", json=True)[0]))
    value = _one_of([each for each in inputs if each.is_text], schemes)
    if value is None:
        raise PassedOverError("its body has no value that names one subject, so it would list or search all")
    needed = [each for each in inputs if each.needed(value)]
    scheme = next((each for each in needed if each.is_text and is_scheme(each.name)), None) if not holes else None
    body: dict[str, Any] = {}
    for each in inputs:
        if each == value:
            _put(body, each.path, Said("{value}"))
        elif each == scheme:
            _put(body, each.path, Said("{scheme}"))
        elif each in needed:
            _put(body, each.path, _constant(each))
    spoken = holes[0] if holes else scheme.name if scheme is not None else ""
    place: tuple[tuple[str, Part], ...] = (
        ("method", Said("POST", "by its name it only looks up; ask the department")),
        ("", Note("safe: true, where the department states that asking again changes nothing")),
        ("path", Said(_with(_HOLE.sub("{scheme}", path), fixed), _names(".".join(value.path), spoken))),
        ("body", _lines(body)),
    )
    return Asked(place, value.name, spoken, headers=headers)


def content(described: Mapping[str, Any], what: str, *, json: bool = False) -> tuple[Any, bool]:
    """The schema of a body, and whether that is XML; with `json` it is not. Raises `PassedOverError`."""
    kinds = {kind.partition(";")[0].strip().lower(): each for kind, each in mapping(described.get("content")).items()}
    for kind, each in kinds.items():
        if kind == "application/json" or kind.endswith("+json"):
            return mapping(each).get("schema"), False
    for kind, each in kinds.items():
        if not json and (kind in ("application/xml", "text/xml") or kind.endswith("+xml")):
            return mapping(each).get("schema"), True
    raise PassedOverError(f"{what} is not described as JSON{'' if json else ' or XML'}")


def _only_looks(path: str, operation: Mapping[str, Any]) -> bool:
    """Whether a POST is called as what only looks up."""
    steps = [step for step in path.split("/") if step and "{" not in step]
    first = [naming.pieces(text(operation.get(key))[:200])[:1] for key in ("operationId", "summary")]
    verbs = {word for words in first for word in words}
    last = {*naming.pieces(steps[-1])} if steps else set[str]()
    return not verbs & _CHANGING and bool((verbs | last) & _LOOKING)


def _holes(path: str) -> list[str]:
    holes = _HOLE.findall(path)
    if len({*holes}) != len(holes) or re.search(r"[{}]", _HOLE.sub("", path)):
        raise PassedOverError("its path has braces that are no parameters")
    return holes


def _parameters(
    references: References, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> tuple[str, list[_Parameter], tuple[tuple[str, str], ...]]:
    """What every question has behind the path, the other parameters of the query, and headers of one value."""
    found: dict[tuple[str, str], _Parameter] = {}
    for each in [*sequence(item.get("parameters")), *sequence(operation.get("parameters"))][:_MOST_PARAMETERS]:
        said, _ = references.followed(each)
        name, within = text(said.get("name")), text(said.get("in"))
        schema, _ = references.followed(said.get("schema"))
        found[name, within] = _Parameter(name, within, said.get("required") is True, schema)
    needed = [each for each in found.values() if each.required and each.within in ("header", "cookie")]
    headers = tuple((each.name, _header(each)) for each in needed if each.name.lower() not in _SET)
    fixed, others = "", list[_Parameter]()
    for parameter in found.values():
        if parameter.within != "query":
            continue
        if parameter.required and (only := _only(parameter.schema)):
            fixed += f"{'&' if fixed else ''}{parameter.name}={only}"
        else:
            others.append(parameter)
    return fixed, others, headers


def _header(parameter: _Parameter) -> str:
    """The one value of a header that is needed. Raises `PassedOverError` where there is none that can be written."""
    name = parameter.name
    if parameter.within == "cookie":
        raise PassedOverError(f"it needs the cookie `{name}`, which no inquiry has")
    if may_be_credential(name):
        raise PassedOverError(f"it needs the header `{name}`, which looks like a credential: it would be `auth` here")
    if not HEADER.fullmatch(name) or name.lower() in OURS:
        raise PassedOverError("it needs a header that cannot be set here")
    if not (only := _only(parameter.schema)):
        raise PassedOverError(
            f"it needs the header `{name}`; map it by hand. Write `headers: {{{name}: VALUE}}` in the department"
            f" where it is always the same, or `forward: {{inquiry: {name}}}` where it is the id of each question"
        )
    return only


def _see_needed(others: list[_Parameter], filled: Sequence[str]) -> None:
    for each in others:
        if each.required and each.name not in filled:
            raise PassedOverError(f"it needs the parameter `{each.name}`, which no inquiry has")


def _with(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


def _names(value: str, scheme: str) -> str:
    return f"`{value}` names the subject" + (f", `{scheme}` its scheme" if scheme else "")


def _only(schema: Mapping[str, Any]) -> str:
    """The one value that a parameter can have, or has where nobody chooses; nothing where there is none."""
    said = _single(schema)
    written = {True: "true", False: "false"}.get(said) if isinstance(said, bool) else said
    written = str(written) if isinstance(written, str | int) else ""
    return written if _WRITTEN.fullmatch(written) else ""


def _single(schema: Mapping[str, Any]) -> Any:
    several = sequence(schema.get("enum"))
    return schema.get("const", several[0] if len(several) == 1 else schema.get("default"))


def _subject(holes: list[str], queries: list[_Parameter], schemes: list[str]) -> tuple[str, str, list[str]]:
    """The names that stand for the identifier and its scheme, and which of them are parameters of the query."""
    if len(holes) == 1:
        scheme = next((each.name for each in queries if each.required and is_scheme(each.name)), "")
        return holes[0], scheme, [scheme] if scheme else []
    if len(holes) == 2 and is_scheme(holes[0]) != is_scheme(holes[1]):
        value, scheme = (holes[1], holes[0]) if is_scheme(holes[0]) else (holes[0], holes[1])
        return value, scheme, []
    if holes:
        raise PassedOverError("it asks for more than a subject: its path has several parameters")
    named = _one_of(queries, schemes)
    if named is None:
        raise PassedOverError("it has no parameter that names one subject, so it would list or search all")
    scheme = next((each.name for each in queries if is_scheme(each.name) and each.required), "")
    return named.name, scheme, [name for name in (scheme, named.name) if name]


_Named = TypeVar("_Named", _Parameter, Input)


def _one_of(found: Sequence[_Named], schemes: list[str]) -> _Named | None:
    """The one of these that names a subject: one that has to be given, or is called like a scheme, before others."""
    fits = [each for each in found if is_identifier(each.name, schemes) and not is_scheme(each.name)]
    named = [one for one in fits if one.required] or fits
    if len(named) > 1:
        known = {scheme.lower() for scheme in schemes}
        named = [one for one in named if not known.isdisjoint(naming.pieces(one.name))] or named
    return named[0] if len(named) == 1 else None


def _constant(needed: Input) -> Said:
    """The one value that is needed beside the subject. Raises `PassedOverError` where there is none."""
    said = _single(needed.shape.says)
    if said is True:
        return YES
    if isinstance(said, str) and _WRITTEN.fullmatch(said):
        return Said(said)
    raise PassedOverError(f"its body needs `{'.'.join(needed.path)}`, which no inquiry has")


def _put(body: dict[str, Any], path: tuple[str, ...], value: Said) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def _lines(body: Mapping[str, Any]) -> Lines:
    entries: list[tuple[str, Part]] = []
    for name, value in body.items():
        entries.append((name, _lines(value) if isinstance(value, dict) else value))
    return Lines(tuple(entries))
