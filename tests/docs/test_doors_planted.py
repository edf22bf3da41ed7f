"""A planted door of each kind is found, and so is a fault of each kind in the list."""

from __future__ import annotations

import argparse
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
from tests.docs.doors_listed import HARMLESS, OPENING, PAGE, gateway, in_code, named, problems, served, tree
from tests.docs.doors_served import FIELDS
from tests.docs.reading import ROOT

__all__ = ["gateway", "in_code", "named", "served", "tree"]


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
