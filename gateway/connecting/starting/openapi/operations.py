"""One GET of an OpenAPI document as a list of records of one subject, or why it is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.connecting.starting import naming
from gateway.connecting.starting.guessing import is_identifier, is_scheme
from gateway.connecting.starting.model import Lines, Lookup, Part, Said
from gateway.connecting.starting.openapi.references import LeavesError, References
from gateway.connecting.starting.openapi.shapes import Schemas
from gateway.connecting.starting.reading import mapping, sequence, text

_HOLE = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"/(?!/)[!-~]{0,500}")
_WRITTEN = re.compile(r"[A-Za-z0-9._~-]{1,60}")
"""What can stand in an address as it is."""
_PAGES = frozenset(["page", "offset", "cursor", "skip", "start", "token", "after", "limit", "size", "per", "top"])
_NEXT = frozenset(["next", "cursor", "continuation"])
_MOST_PARAMETERS = 40
_SET = frozenset(["accept", "authorization", "content-type"])
"""Headers that a description may not speak of: they are the client's own."""


class PassedOverError(Exception):
    """The operation is not proposed; the text says why, for a person."""


class _Parameter(NamedTuple):
    name: str
    within: str
    required: bool
    schema: Mapping[str, Any]


class _Asked(NamedTuple):
    """How a subject is asked for: the address, and the names of the parameters for its identifier and scheme."""

    path: str
    value: str
    scheme: str
    why: str
    pages: tuple[str, ...]


def lookup(
    references: References, path: str, item: Mapping[str, Any], operation: Mapping[str, Any], schemes: list[str]
) -> Lookup:
    """The list of records that the operation answers with; raises `PassedOverError` or `LeavesError`."""
    if not _PATH.fullmatch(path) or "#" in path or "\\" in path or re.search(r"(^|/)\.{1,2}(/|$)", path):
        raise PassedOverError(
            "its path cannot stand in `sources.yaml`: it is not ASCII, is longer than 500, or has `..`"
        )
    summary = naming.clean(operation.get("summary"))
    called = _called(path)
    if why := naming.refused(called, text(operation.get("operationId"))[:200], naming.subject_of(summary)):
        raise PassedOverError(why)
    asked = _asked(path, _parameters(references, item, operation), schemes)
    schema = _answer(references, operation)
    schemas = Schemas(references)
    lists = list(schemas.lists(schema))
    if not lists:
        raise PassedOverError("it answers with no list of objects, and every answer is read as a list of records")
    at, items = lists[0]
    passed = [f"the list `{'.'.join(other)}` of the same answer" for other, _ in lists[1:]]
    shape = schemas.shape(items)
    title = naming.clean(shape.says.get("title"))
    if why := naming.refused(title, *(step.rpartition("/")[2] for step in shape.references)):
        raise PassedOverError(why)
    values = schemas.values(items, passed)
    if not values:
        raise PassedOverError("nothing of its records can be a field")
    place: list[tuple[str, Part]] = [("path", Said(asked.path, asked.why))]
    if at:
        place.append(("records", Said(".".join(at), "the first list of objects in the answer" if lists[1:] else "")))
    place += _paging(schemas, schema, at, asked)
    shown = naming.subject_of(summary)
    return Lookup(
        called, shown or naming.spoken(called), f"GET {path}", tuple(place), tuple(values),
        asked.value, asked.scheme, tuple(passed), bool(shown),
    )  # fmt: skip


def _called(path: str) -> str:
    """What a path is a list of: its last step that is no parameter."""
    steps = [step for step in path.partition("?")[0].split("/") if step and "{" not in step]
    return steps[-1] if steps else "records"


def _parameters(references: References, item: Mapping[str, Any], operation: Mapping[str, Any]) -> list[_Parameter]:
    found: dict[tuple[str, str], _Parameter] = {}
    for each in [*sequence(item.get("parameters")), *sequence(operation.get("parameters"))][:_MOST_PARAMETERS]:
        said, _ = references.followed(each)
        name, within = text(said.get("name")), text(said.get("in"))
        schema, _ = references.followed(said.get("schema"))
        found[name, within] = _Parameter(name, within, said.get("required") is True, schema)
    return list(found.values())


def _asked(path: str, parameters: list[_Parameter], schemes: list[str]) -> _Asked:
    holes = _HOLE.findall(path)
    if len({*holes}) != len(holes) or re.search(r"[{}]", _HOLE.sub("", path)):
        raise PassedOverError("its path has braces that are no parameters")
    queries = [each for each in parameters if each.within == "query"]
    fixed, others = "", list[_Parameter]()
    for each in queries:
        if each.required and (only := _only(each.schema)):
            fixed += f"{'&' if fixed else ''}{each.name}={only}"
        else:
            others.append(each)
    for each in parameters:
        if each.required and each.within in ("header", "cookie") and each.name.lower() not in _SET:
            raise PassedOverError(f"it needs the {each.within} `{each.name}`, which no inquiry has")
    value, scheme, query = _subject(holes, others, schemes)
    for each in others:
        if each.required and each.name not in (value, scheme):
            raise PassedOverError(f"it needs the parameter `{each.name}`, which no inquiry has")
    if not all(_WRITTEN.fullmatch(each.name) for each in others if each.name in query):
        raise PassedOverError("a parameter's name cannot stand in an address")
    for name in query:
        fixed += f"{'&' if fixed else ''}{name}={{{'scheme' if name == scheme else 'value'}}}"
    whole = _HOLE.sub(lambda hole: "{scheme}" if hole[1] == scheme else "{value}", path)
    if fixed:
        whole += ("&" if "?" in whole else "?") + fixed
    pages = tuple(each.name for each in others if {*naming.pieces(each.name)} & _PAGES and each.name != value)
    names = f"`{value}` names the subject" + (f", `{scheme}` its scheme" if scheme else "")
    return _Asked(whole, value, scheme, names, pages)


def _only(schema: Mapping[str, Any]) -> str:
    """The one value that a parameter can have, or has where nobody chooses; nothing where there is none."""
    several = sequence(schema.get("enum"))
    said = schema.get("const", several[0] if len(several) == 1 else schema.get("default"))
    written = {True: "true", False: "false"}.get(said) if isinstance(said, bool) else said
    written = str(written) if isinstance(written, str | int) else ""
    return written if _WRITTEN.fullmatch(written) else ""


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
    called = [each for each in queries if is_identifier(each.name, schemes) and not is_scheme(each.name)]
    named = [each for each in called if each.required] or called
    if len(named) > 1:
        own = [each for each in named if {*naming.pieces(each.name)} & {scheme.lower() for scheme in schemes}]
        named = own or named
    if len(named) != 1:
        raise PassedOverError("it has no parameter that names one subject, so it would list or search all")
    scheme = next((each.name for each in queries if is_scheme(each.name) and each.required), "")
    return named[0].name, scheme, [name for name in (scheme, named[0].name) if name]


def _answer(references: References, operation: Mapping[str, Any]) -> Any:
    responses = mapping(operation.get("responses"))
    for status in ("200", "2XX", "2xx", "default"):
        if status in responses:
            answer, _ = references.followed(responses[status])
            for kind, content in mapping(answer.get("content")).items():
                if kind.partition(";")[0].strip() == "application/json" or kind.partition(";")[0].endswith("+json"):
                    return mapping(content).get("schema")
            raise PassedOverError("its answer is not described as JSON")
    raise PassedOverError("it does not say what it answers with status 200")


def _paging(schemas: Schemas, schema: Any, at: tuple[str, ...], asked: _Asked) -> list[tuple[str, Part]]:
    """How the next page is asked for, where an answer has pages: a gap where the document does not say it."""
    following = ""
    try:
        for path, shape in schemas.texts(schema):
            words = {*naming.pieces(path[-1]), *(naming.pieces(path[-2]) if len(path) > 1 else ())}
            beside = path[: len(at)] != at[: len(path)]
            if beside and words & _NEXT and (shape.type == "string" or asked.pages):
                following = ".".join(path)
                break
    except LeavesError:
        following = ""
    tokens = [name for name in asked.pages if {*naming.pieces(name)} & {"page", "cursor", "token", "after", "offset"}]
    if following:
        entries: list[tuple[str, Part]] = [("next", Said(following, "by its name"))]
        if tokens and "link" not in following.lower() and "url" not in following.lower():
            entries.append(("param", Said(tokens[0], "the parameter that takes it, by its name")))
        return [("paging", Lines(tuple(entries)))]
    if asked.pages:
        why = f"it has `{asked.pages[0]}`: where the next page's token or link is; remove it if one page has all"
        return [("paging", Said(None, why))]
    return []
