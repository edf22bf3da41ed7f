"""`dutybound source new`: a department's own description, as a beginning of its part in the gateway's files.

What is written is a beginning: each guess and each gap is marked on its line, and `dutybound check` tells every gap.
Exit codes: 0 written, 1 where nothing can be made of it.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from gateway.command import options
from gateway.connecting.starting import drafting, getting, graphql, knowing, parts, reading, tables
from gateway.connecting.starting.getting import Asking
from gateway.connecting.starting.knowing import Place
from gateway.connecting.starting.model import Described
from gateway.connecting.starting.openapi import document
from gateway.errors import CommandRefused, printable

_DEPARTMENT = re.compile(r"[a-z][a-z0-9]{0,40}(-[a-z0-9]{1,40}){0,8}")
_PURPOSE = re.compile(r"[A-Z][A-Z0-9_]{0,60}")
_CLIENT = re.compile(r"[\x21-\x7e]{1,256}")


def register(commands: Any) -> None:
    """Add `new`; it sets `run`: from the parsed arguments to the exit code."""
    new = commands.add_parser("new", help="draft a department's files from its OpenAPI document, GraphQL or tables")
    new.add_argument("department", metavar="DEPARTMENT", help="its id, as the catalogue will have it, such as `tax`")
    of = new.add_mutually_exclusive_group(required=True)
    of.add_argument("--openapi", metavar="PLACE", help="a file or an address: an OpenAPI document 3.0 or 3.1")
    of.add_argument("--graphql", metavar="PLACE", help="an endpoint, or a file with its introspection as JSON")
    of.add_argument("--tables", metavar="URL", help="a database, as `url` of `kind: sql`; name tables by --table")
    new.add_argument("--table", metavar="NAME", action="append", default=[], help="a table or view; may be repeated")
    options.config(new)
    new.add_argument("--token-file", type=Path, metavar="FILE", help="a bearer token, sent to the given address alone")
    new.add_argument("--password-file", type=Path, metavar="FILE", help="the password of the database's account")
    new.add_argument("--ca-file", type=Path, metavar="FILE", help="one more authority to trust, as PEM")
    new.add_argument("--purpose", metavar="NAME", default="", help="also the part of purposes.yaml, for a new purpose")
    new.add_argument("--client", metavar="ID", default="", help="also the part of requesters.yaml, for a new client")
    new.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write each part to a file there (default: print all of them)"
    )
    new.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the parts and print or write them; raises `CommandRefused`, `ConfigurationError`."""
    _check(arguments)
    place = knowing.place(arguments.config, arguments.department, arguments.purpose, arguments.client)
    drafted = drafting.draft(arguments.department, _described(arguments, place), place.known)
    found = parts.parts(drafted, place.indents, arguments.purpose, arguments.client)
    if arguments.out is None:
        print("---\n".join(part.text for part in found), end="")
    else:
        for file in parts.write(found, arguments.out):
            print(file)
    guesses, gaps = sum(part.guesses for part in found), sum(part.gaps for part in found)
    passed = len(drafted.passed) + sum(len(each.lookup.passed) for each in drafted.datasets)
    datasets = ", ".join(each.id for each in drafted.datasets)
    print(f"{datasets}: {guesses} guesses to look at, {gaps} gaps to fill, {passed} passed over.", file=sys.stderr)
    print("Put the parts where they belong; `dutybound check` then lists every gap.", file=sys.stderr)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not _DEPARTMENT.fullmatch(arguments.department):
        raise CommandRefused(
            f"`{printable(arguments.department)}` is no id; write lower case, as `tax` or `land-registry`"
        )
    if arguments.purpose and not _PURPOSE.fullmatch(arguments.purpose):
        raise CommandRefused(f"`{printable(arguments.purpose)}` is no purpose; write capitals, as `BUILDING_SAFETY`")
    if arguments.client and not _CLIENT.fullmatch(arguments.client):
        raise CommandRefused(f"`{printable(arguments.client)}` is no client id; it has no space in it")
    if arguments.client and not arguments.purpose:
        raise CommandRefused("a grant is for a purpose; name a new one by --purpose")
    if bool(arguments.tables) != bool(arguments.table):
        raise CommandRefused("name a database by --tables, and each of its tables by --table")


def _described(arguments: argparse.Namespace, place: Place) -> Described:
    asking = Asking(arguments.token_file, arguments.ca_file)
    if arguments.tables:
        files = tables.Files(arguments.password_file, arguments.ca_file)
        return tables.described(arguments.tables, arguments.table, files, place.sources.parent)
    where = arguments.openapi or arguments.graphql
    name, address = getting.shown(where), where if getting.is_address(where) else ""
    if arguments.graphql:
        content = getting.of_address(where, asking, graphql.QUESTION) if address else getting.of_file(Path(where))
        return graphql.described(reading.plain(content, name), name, arguments.department, place.known.schemes, address)
    content = getting.of_address(where, asking) if address else getting.of_file(Path(where))
    return document.described(reading.plain(content, name), name, arguments.department, place.known.schemes, address)
