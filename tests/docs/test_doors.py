"""`gateway/DOORS.md` lists every door, and no other: what the code opens is found here, and held against the list.

A planted door of each kind is found, and so is a fault of each kind in the list.
"""

from __future__ import annotations

import argparse
import functools
import re
from collections.abc import Callable, Mapping

import pytest
from graphql import extend_schema, parse
from starlette.routing import Mount, Route, WebSocketRoute

from connectors import kinds
from gateway import app, cli
from tests.docs import commands, doors_in_code, doors_served
from tests.docs.doors_in_code import (
    COMMANDS,
    DEMO,
    FILES,
    FOLDERS,
    HIDDEN,
    OUTGOING,
    PROCESSES,
    ROUTES,
    SOCKETS,
    Found,
    search,
)
from tests.docs.doors_served import FIELDS
from tests.docs.reading import ROOT, code, missing, table

PAGE = ROOT / "gateway" / "DOORS.md"
COLUMNS = ("door", "key", "entry", "size", "rate", "time", "test")
KINDS = {
    "Routes": ROUTES, "Webhooks": ROUTES, "Routes of a witness": ROUTES, "Management routes": SOCKETS,
    "Root fields": FIELDS, "Commands": COMMANDS,
    "Outgoing connections": OUTGOING, "Processes": PROCESSES, "Listening sockets": SOCKETS,
    "Files that are written": FILES, "The demo": DEMO,
}  # fmt: skip
"""The sections of the page, and the kind of door that each lists."""

NO_DOORS = {
    Found(OUTGOING, "connectors/http/bounded.py::bounded_client"): "the way that others ask by: each caller is a door",
    Found(OUTGOING, "connectors/http/bounded.py::handle_async_request"): "the same",
    Found(FILES, "gateway/files.py::replace_file"): "the way that others write by: each of its callers is a door",
    Found(FILES, "gateway/files.py::new_file"): "the same",
    Found(
        OUTGOING, "gateway/web/listen.py::hindrance"
    ): "takes an address and lets it go: nobody is listened or spoken to",
    Found(OUTGOING, "gateway/storage/migrations/planning.py::plan"): "a database in memory, where steps are tried",
    Found(FILES, "connectors/delivered/sftp.py::_open"): "opens a file of the server's, to be read",
    Found(FILES, "gateway/cli.py::main"): "the null device, for a reader that left",
    Found(FILES, "gateway/ledger/erasure/blockers.py::found_open"): "`Blocker.open` makes a query",
    Found(FILES, "gateway/ledger/erasure/erase.py::make"): "the same",
    Found(FILES, "gateway/ledger/export/package_check.py::read"): "reads a member of a zip file",
    Found(HIDDEN, "gateway/inquiry/document/projection.py::_compiled"): "evaluates text of our own, without builtins",
    Found(HIDDEN, "connectors/mapping/generated.py::finisher"): "runs text of our own",
    Found(
        HIDDEN, "gateway/connecting/conforming/system.py::own_kind"
    ): "the module that the account's own command names",
    Found(HIDDEN, "gateway/activation/making.py::_receive"): "takes what a process of its own wrote",
    Found(
        HIDDEN, "gateway/catalogue/identifiers.py::validator"
    ): "modules of python-stdnum only, and of them `validate`",
}
"""What looks like a door and is none, and why."""

OPENING = {
    "_thread", "alembic", "alembic.command", "alembic.config", "alembic.context", "alembic.op", "alembic.script",
    "argparse", "asyncio", "asyncpg",
    "asyncssh",
    "concurrent.futures", "concurrent.futures.process",
    "fcntl",
    "http.server", "httpcore", "httptools", "httpx",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter", "requests",
    "importlib", "importlib.resources", "io", "logging", "lzma",
    "multiprocessing", "obstore", "obstore.store", "os",
    "pickle", "select",
    "pathlib", "psycopg", "pyarrow", "pyarrow.compute", "pyarrow.parquet", "pyarrow.types",
    "pymysql.converters", "resource", "selectors", "shutil", "signal", "socket", "socketserver",
    "sqlalchemy",
    "sqlalchemy.dialects", "sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.sqlite.pysqlite", "sqlalchemy.engine",
    "sqlalchemy.engine.interfaces", "sqlalchemy.event", "sqlalchemy.exc", "sqlalchemy.ext.compiler",
    "sqlalchemy.orm", "sqlalchemy.util",
    "sqlalchemy.pool", "sqlalchemy.sql", "sqlalchemy.sql.cache_key", "sqlalchemy.sql.compiler",
    "sqlalchemy.sql.functions", "sqlalchemy.types",
    "sqlite3", "ssl", "starlette.applications", "starlette.concurrency", "starlette.requests", "starlette.responses",
    "starlette.routing", "subprocess", "tarfile", "tempfile", "threading", "uvicorn",
    "uvicorn._subprocess",
    "uvicorn.protocols.http.httptools_impl", "uvicorn.supervisors.multiprocess", "uvloop",
    "valkey.asyncio", "valkey.exceptions", "zipfile",
}  # fmt: skip
"""Modules that can open a door: `doors_in_code` knows what of them does, and finds each place."""

HARMLESS = {
    "pymysql.constants", "pymysql.constants.FIELD_TYPE",
    "cryptography.x509.oid", "cryptography.hazmat.primitives.asymmetric",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "__future__", "array", "authlib.oauth2.rfc6749.parameters", "authlib.oauth2.rfc7523", "authlib.oauth2.rfc7636",
    "authlib.oidc.core", "jinja2", "markupsafe", "starlette.datastructures", "starlette.exceptions",
    "starlette.types", "tomllib", "weakref", "base64", "binascii", "bisect",
    "cachetools", "cedarpy",
    "collections", "collections.abc", "contextlib", "contextvars", "copy", "cryptography",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives",
    "cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.hashes", "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.keywrap",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509", "csv", "datetime", "decimal", "difflib", "email.utils", "enum",
    "errno", "fnmatch", "functools", "gc", "getpass", "graphql", "graphql.language", "graphql.language.ast",
    "graphql.language.visitor", "graphql.pyutils", "graphql.validation.validation_context", "hashlib",
    "heapq", "hmac", "holidays", "html", "http_sfv.dictionary", "http_sfv.item",
    "http_sfv.types", "importlib.metadata", "importlib.util",
    "inspect", "ipaddress", "itertools", "joserfc", "joserfc.errors",
    "joserfc.jwk", "joserfc.jws", "joserfc.jwt", "opentelemetry.context", "opentelemetry.sdk.resources",
    "opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export", "opentelemetry.sdk.trace.sampling",
    "opentelemetry.trace", "opentelemetry.trace.propagation.tracecontext", "json", "math", "msgspec",
    "msgspec.structs", "operator", "prometheus_client", "prometheus_client.core",
    "prometheus_client.registry", "random", "re", "re._constants", "re._parser",
    "ruamel.yaml", "ruamel.yaml.error", "ruamel.yaml.nodes", "ruamel.yaml.scanner",
    "ruamel.yaml.tokens", "secrets", "setproctitle", "stat", "statistics", "strawberry", "strawberry.directive",
    "strawberry.federation", "strawberry.federation.schema_directives", "strawberry.federation.types",
    "strawberry.schema.config", "string", "struct", "sys", "textwrap", "time", "types", "typing", "unicodedata",
    "urllib.parse", "uuid", "warnings", "zlib", "zoneinfo", "xml.etree.ElementTree", "defusedxml.common",
    "defusedxml.ElementTree",
}  # fmt: skip
"""Modules that somebody looked at, and that open none. One that is in neither list is found."""

VARIABLES = {"DUTYBOUND_STORE", "DUTYBOUND_VALKEY"}
"""Of the environment."""

_MISSING = re.compile(r"missing(?: \((?:(?:9|10)\.\d+(?:, (?:9|10)\.\d+)*|11)\)|: \w[^.;]{10,})")
_PATH = re.compile(r"(gateway|connectors|deploy|policies|tests)/[\w./]+(::\w+)?")


# What is held against what


def problems(text: str, found: set[Found], named: set[str]) -> list[str]:
    """What is wrong with a list, where these doors were `found`, and these constants are `named` in the code."""
    listed, wrong = _listed(text, frozenset(named))
    told = list(wrong)
    told += (f"{door} is not listed under {kind}" for kind, door in sorted(found - listed - NO_DOORS.keys()))
    told += (f"{door} is listed under {kind}, and there is none" for kind, door in sorted(listed - found))
    return told


@functools.cache
def _listed(text: str, named: frozenset[str]) -> tuple[frozenset[Found], tuple[str, ...]]:
    """The doors that a list has, and what is wrong with its words."""
    wrong: list[str] = []
    listed: set[Found] = set()
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if list(sections) != list(KINDS):
        wrong.append(f"the sections are {', '.join(KINDS)}")
    for heading in sections.keys() & KINDS.keys():
        head = next((line for line in sections[heading].splitlines() if line.startswith("|")), "")
        if [cell.strip() for cell in head.strip("|").split("|")] != list(COLUMNS):
            wrong.append(f"{heading}: the columns are {', '.join(COLUMNS)}")
        for row in table(sections[heading]):
            listed |= {Found(KINDS[heading], door) for door in code(row[0])}
            wrong += (f"{heading}: {row[0]}: {each}" for each in _row(row, named))
    return frozenset(listed), tuple(wrong)


def _row(row: list[str], named: frozenset[str]) -> list[str]:
    wrong = [f"`{column}` is empty" for column, cell in zip(COLUMNS, row, strict=True) if not cell]
    if not code(row[0]):
        wrong.append("the door has no name that a test could find")
    for cell in row:
        spans, prose = code(cell), re.sub("`[^`]*`", "", cell)
        if prose.count("missing") != len(_MISSING.findall(prose)):
            wrong.append(f"{cell}: write `missing (9.1)`, or `missing:` and what")
        if cell is not row[0]:
            wrong += (f"`{name}` does not exist" for name in missing([each for each in spans if _PATH.fullmatch(each)]))
        constants = [each for each in spans if re.fullmatch(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", each)]
        wrong += (f"no constant is called `{name}`" for name in constants if name not in named | VARIABLES)
    tests = [each for each in code(row[-1]) if "::test_" in each]
    if not tests and "missing" not in row[-1]:
        wrong.append("no test attacks it, and it does not say that one is missing")
    return wrong


@pytest.fixture(scope="module")
def tree() -> dict[str, str]:
    return doors_in_code.sources(ROOT)


@pytest.fixture(scope="module")
def in_code(tree: dict[str, str]) -> set[Found]:
    return search(tree)


@pytest.fixture(scope="module")
def named(tree: dict[str, str]) -> set[str]:
    return doors_in_code.constants(tree)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> app.Gateway:
    return doors_served.built(tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def served(gateway: app.Gateway, tmp_path_factory: pytest.TempPathFactory) -> set[Found]:
    return doors_served.found(gateway, tmp_path_factory.mktemp("witness"))


# The list


def test_every_door_is_listed_with_what_bounds_it_and_no_other(
    in_code: set[Found], served: set[Found], named: set[str]
) -> None:
    told = problems(PAGE.read_text("utf-8"), in_code | served, named)
    assert not told, "\n" + "\n".join(told)


def test_what_is_no_door_is_still_there(in_code: set[Found]) -> None:
    assert NO_DOORS.keys() - in_code == set()


def test_every_module_was_looked_at(tree: dict[str, str]) -> None:
    assert doors_in_code.modules(tree) == OPENING | HARMLESS


# A door that is planted is found


PLANTED: Mapping[tuple[str, str], str] = {
    (ROUTES, "route"): "from starlette.routing import Route as R\ndef planted():\n    return R('/x', print)",
    (ROUTES, "path by hand"): "async def planted(scope):\n    return scope['path'] == '/back'",
    (COMMANDS, "parser"): "import argparse\ndef planted():\n    argparse.ArgumentParser()",
    (OUTGOING, "client"): "import httpx\ndef planted():\n    with httpx.Client() as c:\n        c.get('http://x')",
    (OUTGOING, "client, renamed"): "def planted():\n    from httpx import AsyncClient as A\n    return A()",
    (OUTGOING, "client, handed on"): "import functools, httpx\ndef planted():\n    return functools.partial(httpx.get)",
    (OUTGOING, "stream"): "import asyncio\nasync def planted():\n    await asyncio.open_connection('x', 1)",
    (OUTGOING, "protocol"): "async def planted(loop):\n    await loop.create_connection(print, 'x', 1)",
    (OUTGOING, "socket"): "import socket as s\nclass A:\n    def planted(self):\n        s.create_connection(('x', 1))",
    (OUTGOING, "urllib"): "from urllib.request import urlopen\ndef planted():\n    urlopen('http://x')",
    (OUTGOING, "database"): "import sqlalchemy as sa\ndef planted():\n    sa.create_engine('postgresql://x')",
    (OUTGOING, "asyncpg"): "import asyncpg\nasync def planted():\n    await asyncpg.connect('x')",
    (OUTGOING, "PyMySQL"): "import pymysql.converters\ndef planted():\n    pymysql.connect()",
    (OUTGOING, "psycopg"): "from psycopg import Connection\ndef planted():\n    Connection.connect('x')",
    (OUTGOING, "valkey"): "from valkey.asyncio import Valkey\ndef planted():\n    Valkey.from_url('valkey://x')",
    (PROCESSES, "subprocess"): "import subprocess\ndef planted():\n    subprocess.run(['true'])",
    (PROCESSES, "fork"): "import os\ndef planted():\n    os.fork()",
    (PROCESSES, "multiprocessing"): "from multiprocessing import Process\ndef planted():\n    Process().start()",
    (PROCESSES, "server"): "from granian import Granian\ndef planted():\n    Granian('x').serve()",
    (SOCKETS, "server"): "import uvicorn\ndef planted():\n    uvicorn.run('x')",
    (SOCKETS, "server of ours"): "from granian.server.mp import MPServer as M\nclass planted(M): ...",
    (SOCKETS, "stream server"): "import asyncio\nasync def planted():\n    await asyncio.start_server(print, 'x', 1)",
    (SOCKETS, "unix socket"): "async def planted(loop):\n    await loop.create_unix_server(print, '/x')",
    (FILES, "open"): "def planted():\n    open('x', 'w')",
    (FILES, "open, by a mode that cannot be told"): "def planted(how):\n    open('x', mode=how)",
    (FILES, "a path's open"): "def planted(path):\n    path.open('ab')",
    (FILES, "a path's text"): "def planted(path):\n    path.write_text('x')",
    (FILES, "a path's replace"): "def planted(path, other):\n    path.replace(other)",
    (FILES, "os.replace"): "from os import replace\ndef planted():\n    replace('x', 'y')",
    (FILES, "os.open"): "import os\ndef planted():\n    os.open('x', os.O_WRONLY | os.O_CREAT)",
    (FILES, "temporary"): "import tempfile\ndef planted():\n    tempfile.mkstemp()",
    (FILES, "SQLite"): "import sqlite3\ndef planted():\n    sqlite3.connect('x')",
    (OUTGOING, "client of authlib"): (
        "from authlib.integrations.httpx_client import AsyncOAuth2Client as A\ndef planted():\n    A()"
    ),
    (OUTGOING, "private client"): "from httpx._client import AsyncClient\ndef planted():\n    AsyncClient()",
    (OUTGOING, "socket underneath"): "import _socket\ndef planted():\n    _socket.socket()",
    (OUTGOING, "name that is looked up"): "import socket\ndef planted(name):\n    socket.getaddrinfo(name, 80)",
    (OUTGOING, "browser"): "import webbrowser\ndef planted():\n    webbrowser.open('https://x')",
    (ROUTES, "files"): "from starlette.staticfiles import StaticFiles\ndef planted():\n    StaticFiles(directory='/')",
    (ROUTES, "GraphQL"): "from strawberry.asgi import GraphQL\ndef planted(s):\n    GraphQL(s)",
    (PROCESSES, "asyncio.subprocess"): (
        "import asyncio.subprocess as s\nasync def planted():\n    await s.create_subprocess_exec('x')"
    ),
    (PROCESSES, "posix"): "import posix\ndef planted():\n    posix.system('true')",
    (PROCESSES, "getattr"): "import os\ndef planted():\n    getattr(os, 'system')('true')",
    (FILES, "gzip"): "import gzip\ndef planted():\n    gzip.open('x', 'wb')",
    (FILES, "tarfile"): "import tarfile\ndef planted():\n    tarfile.open('x').extractall('/')",
    (FILES, "dbm"): "import dbm\ndef planted():\n    dbm.open('x', 'c')",
    (FILES, "shelve"): "import shelve\ndef planted():\n    shelve.open('x')",
    (FILES, "codecs"): "import codecs\ndef planted():\n    codecs.open('x', 'w')",
    (FILES, "FileIO"): "import io\ndef planted():\n    io.FileIO('x', 'w')",
    (FILES, "os.fdopen"): "import os\ndef planted(n):\n    os.fdopen(n, 'w')",
    (FILES, "os.write"): "import os\ndef planted(n):\n    os.write(n, b'x')",
    (FILES, "os.ftruncate"): "import os\ndef planted(n):\n    os.ftruncate(n, 0)",
    (FILES, "os.sendfile"): "import os\ndef planted(a, b):\n    os.sendfile(a, b, 0, 1)",
    (FILES, "SQLite underneath"): "from sqlite3.dbapi2 import connect\ndef planted():\n    connect('x')",
    (FILES, "log"): "import logging\ndef planted():\n    logging.basicConfig(filename='x')",
    (FILES, "configured log"): "from logging.config import dictConfig\ndef planted(c):\n    dictConfig(c)",
    (FILES, "log handler"): "import logging\ndef planted():\n    logging.FileHandler('x')",
    (FILES, "profile"): "import cProfile\ndef planted():\n    cProfile.run('1', 'x')",
    (FILES, "open, handed on"): "import functools\ndef planted():\n    functools.partial(open, mode='w')('x')",
    (FILES, "open, by another name"): "def planted():\n    (o := open)('x', 'w')",
    (HIDDEN, "star"): "def planted(): ...\nclass planted:\n    from os import *",
    (HIDDEN, "by a name that cannot be told"): "import os\ndef planted(name):\n    getattr(os, name)()",
    (HIDDEN, "out of a module's names"): "import os\ndef planted(name):\n    vars(os)[name]()",
    (HIDDEN, "out of a module's dictionary"): "import os\ndef planted(name):\n    os.__dict__[name]()",
    (HIDDEN, "pickle"): "import pickle\ndef planted(data):\n    pickle.loads(data)",
    (HIDDEN, "module by name"): "import importlib\ndef planted():\n    importlib.import_module('socket')",
    (HIDDEN, "text"): "def planted():\n    exec('import socket')",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "what"), PLANTED, ids=[": ".join(each) for each in PLANTED])
def test_a_planted_door_is_found(
    kind: str, what: str, tree: dict[str, str], in_code: set[Found], served: set[Found], named: set[str]
) -> None:
    with_it = search({"gateway/planted.py": PLANTED[kind, what]})
    told = problems(PAGE.read_text("utf-8"), in_code | with_it | served, named)
    assert f"gateway/planted.py::planted is not listed under {kind}" in told
    assert all("planted" in each for each in told)


@pytest.mark.parametrize("written", ["import trio", "from asyncio import subprocess", "import httpx._client as h"])
def test_a_module_that_nobody_looked_at_is_found(written: str) -> None:
    assert doors_in_code.modules({"gateway/planted.py": written}) - OPENING - HARMLESS


def test_a_door_planted_in_a_file_that_has_none_yet_is_found(tree: dict[str, str], in_code: set[Found]) -> None:
    for path in ("gateway/inquiry/decide.py", "connectors/rest.py", "deploy/demo/dice.py"):
        planted = tree[path] + "\n\ndef planted() -> None:\n    import socket\n    socket.socket()\n"
        assert search({path: planted}) - in_code == {
            Found(DEMO if path.startswith("deploy") else OUTGOING, f"{path}::planted")
        }


def test_what_only_reads_or_names_a_type_is_none() -> None:
    harmless = """
import os, httpx, subprocess
def f(path, text, client: httpx.AsyncClient | None) -> subprocess.Popen[bytes]:
    with open(path) as a, path.open("rb") as b, open(path, encoding="utf-8") as c:
        os.close(os.open(path, os.O_RDONLY))
    except_ = (httpx.HTTPError, subprocess.TimeoutExpired)
    return text.replace("a", "b"), except_
"""
    assert search({"gateway/harmless.py": harmless}) == set()


def test_a_module_that_runs_by_itself_is_found() -> None:
    found = search({"gateway/x/y.py": "if __name__ == '__main__':\n    print()"})
    assert found == {Found(COMMANDS, "python -m gateway.x.y")}


def test_a_planted_route_is_found(gateway: app.Gateway, served: set[Found]) -> None:
    def answer() -> None: ...

    planted = [
        Route("/back", answer, methods=["GET", "POST"]),
        Mount("/below", routes=[Route("/door", answer)]),
        WebSocketRoute("/socket", answer),
    ]
    doors = ("GET /back", "POST /back", "GET /below/door", "WebSocketRoute /socket")
    found = doors_served.routes([*gateway._pages.routes, *planted])
    assert found - served == {Found(ROUTES, door) for door in doors}


def test_a_planted_root_field_is_found(gateway: app.Gateway, served: set[Found]) -> None:
    more = "extend type Query { search(text: String): String } extend type Mutation { change: String }"
    schema = extend_schema(gateway._serving.planner._schema, parse(more))
    added = {Found(FIELDS, "Query.search"), Found(FIELDS, "Mutation.change")}
    assert doors_served.root_fields(schema) - served == added


def test_a_planted_command_is_found(monkeypatch: pytest.MonkeyPatch, served: set[Found]) -> None:
    whole = cli._parser

    def with_one_more() -> argparse.ArgumentParser:
        parser = whole()
        [below] = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        inner = below.choices["ledger"]._actions[-1].add_parser("search", help="x")
        inner.set_defaults(run=print)
        return parser

    monkeypatch.setattr(cli, "_parser", with_one_more)
    found = doors_served.named_commands(commands.commands())
    assert found - served == {Found(COMMANDS, "dutybound ledger search")}


def test_a_planted_kind_of_source_is_found(served: set[Found]) -> None:
    assert doors_served.sources([*kinds.KINDS, "soap"]) - served == {Found(OUTGOING, "kind: soap")}


# A fault in the list is found


def _cut(text: str, door: str, change: Callable[[list[str]], list[str] | None]) -> str:
    """The list with the row of a door changed, or without it."""
    lines = []
    for line in text.splitlines(keepends=True):
        cells = line.strip().strip("|").split("|")
        if f"`{door}`" in cells[0]:
            changed = change(cells)
            line = "|" + "|".join(changed) + "|\n" if changed else ""
        lines.append(line)
    return "".join(lines)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: None, "GET /health/live is not listed under Routes"),
        (lambda row: [row[0].replace("/health/live", "/figures"), *row[1:]], "GET /figures is listed under Routes"),
        (lambda row: [*row[:3], "  ", *row[4:]], "`size` is empty"),
        (lambda row: [*row[:-1], " `tests/web/test_routes.py::test_x` "], "`tests/web/test_routes.py::test_x`"),
        (lambda row: [*row[:-1], " by hand "], "no test attacks it"),
        (lambda row: [*row[:3], " missing (11.1) ", *row[4:]], "write `missing (9.1)`"),
        (lambda row: [*row[:3], " 64 KiB (`NO_SUCH_BOUND`) ", *row[4:]], "no constant is called `NO_SUCH_BOUND`"),
    ],
    ids=["left out", "of nothing", "empty", "no such test", "no test", "a number of nothing", "no such constant"],
)  # fmt: skip
def test_a_fault_in_the_list_is_found(
    change: Callable[[list[str]], list[str] | None],
    told: str,
    in_code: set[Found],
    served: set[Found],
    named: set[str],
) -> None:
    text = _cut(PAGE.read_text("utf-8"), "GET /health/live", change)
    assert any(told in each for each in problems(text, in_code | served, named))


def test_every_folder_of_the_code_is_looked_at() -> None:
    assert {file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests"} == set(FOLDERS)
