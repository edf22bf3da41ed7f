"""An OpenAPI document (3.0, 3.1) as what a department of `kind: rest` can be asked. Pure.

The document is a stranger's: no reference leaves it, and no server that it names is believed but one at the address
that the document itself was fetched from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.connecting.starting import naming
from gateway.connecting.starting.model import MOST_PASSED, Described, Lines, Lookup, Part, Said
from gateway.connecting.starting.openapi import securing
from gateway.connecting.starting.openapi.asking import PassedOverError
from gateway.connecting.starting.openapi.operations import lookup
from gateway.connecting.starting.openapi.references import LeavesError, References
from gateway.connecting.starting.reading import mapping, sequence, text
from gateway.errors import CommandRefused, printable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MOST_REASON = 400
"""Characters of why something is passed over, with what a stranger calls it."""
MOST_PATHS = 2_000
"""Paths of a document that are looked at."""


def described(
    document: Mapping[str, Any], name: str, department: str, schemes: Mapping[str, Any], address: str
) -> Described:
    """The contents of the document; raises `CommandRefused` where it is no OpenAPI document of a known version.

    `name` is what it is called in messages, `address` where it was fetched from, empty for a file. `schemes` are the
    gateway's identifier schemes.
    """
    version = text(document.get("openapi"))
    if not version.startswith(("3.0", "3.1")):
        said = f"has `openapi: {version[:20]}`" if version else "has no key `openapi`"
        raise CommandRefused(f"{name}: {said}; only OpenAPI 3.0 and 3.1 are read, in JSON or YAML")
    references = References(document)
    found: list[Lookup] = []
    passed: list[str] = []
    paths = mapping(document.get("paths"))
    if len(paths) > MOST_PATHS:
        passed.append(f"all paths after the first {MOST_PATHS}")
    for path, item in itertools.islice(paths.items(), MOST_PATHS):
        for result in _operations(references, path, item, [*schemes]):
            if isinstance(result, Lookup):
                found.append(result)
            else:
                passed.append(result[:MOST_REASON])
    found, again = _lists_first(found)
    passed += again
    if not found:
        reasons = "".join(f"\n  {printable(line)}" for line in passed[:MOST_PASSED])
        raise CommandRefused(
            f"{name}: has no operation that finds the records of one subject, by an identifier{reasons}"
        )
    keys: list[tuple[str, Part]] = [
        ("kind", Said("rest")),
        ("base_url", _base(document, address)),
        *securing.auth(document, department, address, references),
        *_headers(found),
    ]
    return Described(tuple(keys), tuple(found), tuple(passed), naming.clean(mapping(document.get("info")).get("title")))


def _operations(references: References, path: str, item: Any, schemes: list[str]) -> Iterator[Lookup | str]:
    try:
        entry, _ = references.followed(item)
    except LeavesError as error:
        yield f"`{path}`: {error}"
        return
    for method in METHODS:
        if not isinstance(operation := entry.get(method), Mapping):
            continue
        shown = f"{method.upper()} {path}"
        try:
            if "servers" in entry or "servers" in operation:
                raise PassedOverError("it has a server of its own, and a department has one `base_url`")
            yield lookup(references, method, path, entry, operation, schemes)
        except (PassedOverError, LeavesError) as error:
            yield f"{shown}: {error}"


def _lists_first(found: list[Lookup]) -> tuple[list[Lookup], list[str]]:
    """Look-ups of lists before those of one record; of the latter none that gives a list's records again."""
    lists = {each.called: each for each in found if not each.one_record}
    kept = [each for each in found if not each.one_record]
    passed: list[str] = []
    for each in found:
        if each.one_record and (own := lists.get(each.called)) is not None:
            passed.append(f"{each.shown}: by its name it gives one of the records that `{own.shown}` lists")
        elif each.one_record:
            kept.append(each)
    return kept, passed


def _headers(found: list[Lookup]) -> list[tuple[str, Part]]:
    """The fixed headers of the department, since its look-ups need them."""
    values: dict[str, set[str]] = {}
    for name, value in (each for one in found for each in one.headers):
        values.setdefault(name, set()).add(value)
    why = "the one value that the description has for it; each question of the department has it then"
    several = "one value for all questions of the department; its look-ups need different ones"
    lines = [
        (name, Said(next(iter(held)), why) if len(held) == 1 else Said(None, several)) for name, held in values.items()
    ]
    return [("headers", Lines(tuple(lines)))] if lines else []


def _base(document: Mapping[str, Any], address: str) -> Said:
    """Where every path begins: a server of the document at the address that it came from, and else a gap."""
    servers = [text(mapping(each).get("url")) for each in sequence(document.get("servers"))] or ["/"]
    for server in servers:
        if server and (found := securing.same_origin(address, server)):
            return Said(found, "the document's server, at the address that it was fetched from")
    if address:
        return Said(None, "where every path begins; the document names only servers elsewhere, which are not believed")
    return Said(None, "where every path begins, as https://tax.example/api; a file does not prove where it is from")
