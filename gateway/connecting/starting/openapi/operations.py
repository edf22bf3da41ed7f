"""One operation of an OpenAPI document as the records of one subject, or why it is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.connecting.starting import guessing, naming
from gateway.connecting.starting.model import YES, Lines, Lookup, Note, Part, Said, Value
from gateway.connecting.starting.openapi import asking
from gateway.connecting.starting.openapi.asking import Asked, PassedOverError
from gateway.connecting.starting.openapi.references import LeavesError, References
from gateway.connecting.starting.openapi.shapes import Place, Schemas
from gateway.connecting.starting.reading import mapping, text

_PATH = re.compile(r"/(?!/)[!-~]{0,500}")
_NEXT = frozenset(["next", "cursor", "continuation"])
_LOOKED_UP = {"get": asking.by_address, "post": asking.by_body}


class _Found(NamedTuple):
    """The records of an answer: where they are, and the values of each; `others` are lists beside them."""

    place: Place
    values: list[Value]
    passed: list[str]
    one_record: bool
    others: list[Place]


def lookup(
    references: References,
    method: str,
    path: str,
    item: Mapping[str, Any],
    operation: Mapping[str, Any],
    schemes: list[str],
) -> Lookup:
    """The records that the operation answers with; raises `PassedOverError` or `LeavesError`."""
    if method not in _LOOKED_UP:
        raise PassedOverError("only GET is proposed, and a POST that looks up")
    if not _PATH.fullmatch(path) or "#" in path or "\\" in path or re.search(r"(^|/)\.{1,2}(/|$)", path):
        raise PassedOverError(
            "its path cannot be used in `sources.yaml`: it is not ASCII, is longer than 500, or has `..`"
        )
    summary = naming.clean(operation.get("summary"))
    called = asking.called(path)
    if why := naming.refused(called, text(operation.get("operationId"))[:200], naming.subject_of(summary)):
        raise PassedOverError(why)
    asked = _LOOKED_UP[method](references, path, item, operation, schemes)
    schema, xml = _answer(references, operation)
    schemas = Schemas(references, xml=xml)
    found = _found(schemas, schema)
    shape = found.place.shape
    title = naming.clean(shape.says.get("title"))
    if why := naming.refused(title, *(step.rpartition("/")[2] for step in shape.references)):
        raise PassedOverError(why)
    if not found.values:
        raise PassedOverError("nothing of its records can be a field")
    shown = naming.subject_of(summary)
    passed = [f"the list `{'.'.join(other.path)}` of the same answer" for other in found.others]
    return Lookup(
        called, shown or naming.spoken(called), f"{method.upper()} {path}",
        (*asked.place, *_stands(found, xml, asked.value), *_paging(schemas, schema, found, asked, method)),
        tuple(found.values), asked.value, asked.scheme, (*passed, *found.passed), bool(shown), found.one_record,
        asked.headers,
    )  # fmt: skip


def _found(schemas: Schemas, schema: Any) -> _Found:
    """The list of records in an answer, or the answer as one record: where it has a version that no list has."""
    places, whole = list(schemas.lists(schema)), schemas.one(schema)
    listed = _Found(places[0], *_values(schemas, places[0]), False, places[1:]) if places else None
    if listed is not None and (whole is None or guessing.version(listed.values) is not None):
        return listed
    if whole is None:
        raise PassedOverError("it answers with no objects that could be records")
    single = _Found(whole, *_values(schemas, whole), True, places)
    names = guessing.identity(single.values, "")
    versioned = names is not None and guessing.version(single.values) not in (None, names)
    return single if listed is None or versioned else listed


def _values(schemas: Schemas, place: Place) -> tuple[list[Value], list[str]]:
    passed: list[str] = []
    return schemas.values(place.schema, passed), passed


def _stands(found: _Found, xml: bool, value: str) -> list[tuple[str, Part]]:
    """The keys that say how an answer is written, and where its records are."""
    keys: list[tuple[str, Part]] = [("format", Said("xml"))] if xml else []
    place, why = found.place, ""
    if xml and not place.path[0]:
        keys.append(("records", Said(None, "elements from the answer's root, which is not named, to the records")))
    elif place.path:
        why = "the first list of objects in the answer" if found.others and not found.one_record else place.why
        keys.append(("records", Said(".".join(place.path), why)))
    if found.one_record:
        keys += [("", Note(f"guess: the answer is one object; see that `{value}` names a subject, not a record alone")),
                 ("one_record", YES)]  # fmt: skip
    return keys


def _answer(references: References, operation: Mapping[str, Any]) -> tuple[Any, bool]:
    """The schema of what is answered, and whether that is XML."""
    responses = mapping(operation.get("responses"))
    for status in ("200", "2XX", "2xx", "default"):
        if status in responses:
            answer, _ = references.followed(responses[status])
            return asking.content(answer, "its answer")
    raise PassedOverError("it does not describe its answer with status 200")


def _paging(schemas: Schemas, schema: Any, found: _Found, asked: Asked, method: str) -> list[tuple[str, Part]]:
    """How the next page is asked for, where an answer has pages: a gap where the document does not say it."""
    if found.one_record:
        return []
    at, following = found.place.path, ""
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
        elif method == "post":
            entries.append(("param", Said(None, "the parameter of the address that takes it; none in the body can")))
        return [("paging", Lines(tuple(entries)))]
    if asked.pages:
        why = f"it has `{asked.pages[0]}`: where the next page's token or link is; remove it if one page has all"
        return [("paging", Said(None, why))]
    return []
