"""Finds doors in source text: what opens a connection, a socket, a process or a file, takes a route or makes a command.

Names are followed to what they were imported from, under whatever name; a mere mention counts, not only a call. A
place is `<file>::<function>`, without the class around it. What cannot be told, as of an `open` whose mode is no
constant, is found.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

FOLDERS = ("gateway", "connectors", "deploy")
ROUTES, COMMANDS, OUTGOING = "Routes", "Commands", "Outgoing connections"
PROCESSES, SOCKETS, FILES = "Processes", "Listening sockets", "Files that are written"
DEMO, HIDDEN = "The demo", "hidden"

_SERVERS = r"granian\.(.+\.)?(Granian|(\w*Server))|uvicorn\.(run|Server|supervisors\..+)|hypercorn\..+|wsgiref\..+"
NAMES: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern)
    for kind, pattern in {
        ROUTES: (
            r"starlette\.routing\.(Route|Mount|Host|WebSocketRoute)|starlette\.applications\.Starlette"
            r"|starlette\.staticfiles\..+|strawberry\.(asgi|channels|aiohttp|fastapi|flask|django)\..+"
        ),
        COMMANDS: r"argparse\.ArgumentParser|(click|typer)\..+",
        OUTGOING: (
            r"httpx\.((Async)?Client|(Async)?HTTPTransport|get|post|put|patch|delete|head|options|request|stream)"
            r"|httpcore\.((Async)?(ConnectionPool|HTTP(11|2)?Connection|HTTPProxy|SOCKSProxy)|request|stream)"
            r"|connectors\.http\.(bounded\.(bounded_client|BoundedTransport)|pooled_transport\.PooledTransport)"
            r"|asyncio\.(open_connection|open_unix_connection)|anyio\.connect_\w+"
            r"|httpx\._\w+(\..+)?|_?socket\.(socket|create_connection|socketpair|fromfd|SocketType)"
            r"|_?socket\.(getaddrinfo|getnameinfo|gethostby\w+|getfqdn)|webbrowser\..+"
            r"|authlib\.(integrations|oauth\d\.client)\..+"
            r"|(urllib\.request|urllib3|http\.client|requests|aiohttp|xmlrpc\.client|redis|paramiko)\..+"
            r"|(ftplib|smtplib|imaplib|poplib|telnetlib|nntplib|syslog|psycopg2|psycopg_pool|aiosqlite)\..+"
            r"|pymysql\.(connect|Connect(ion)?|connections\..+)"
            r"|asyncssh\.(connect\w*|listen\w*|create_\w+|run_client|scp|get_server_\w+)|pyarrow\.(fs|flight|dataset)\..+"
            r"|asyncpg\.(connect|create_pool|Pool)|psycopg\.(connect|(Async)?Connection\.connect)"
            r"|sqlalchemy\.(.+\.)?(create_(async_)?engine|create_pool_from_url|(async_)?engine_from_config)"
            r"|valkey\.(.+\.)?(from_url|(Strict)?Valkey(Cluster)?|Sentinel|(Blocking)?ConnectionPool)"
            r"|logging\.handlers\.\w*(Socket|Datagram|SysLog|HTTP|SMTP)\w*|obstore\..+"
        ),
        PROCESSES: (
            r"subprocess\.(Popen|run|call|check_call|check_output|getoutput|getstatusoutput)|multiprocessing(\..+)?"
            r"|os\.(fork|forkpty|system|popen|posix_spawnp?|exec[lv]\w*|spawn\w+|startfile)|pty\.(spawn|fork)"
            r"|asyncio\.(subprocess\.)?create_subprocess_(exec|shell)|posix\..+|_posixsubprocess\..+"
            r"|concurrent\.futures\.(process\.)?ProcessPoolExecutor|" + _SERVERS
        ),
        SOCKETS: (
            r"asyncio\.start_(unix_)?server|socket\.create_server|(socketserver|http\.server|xmlrpc\.server)\..+"
            r"|anyio\.create_\w+listener|" + _SERVERS
        ),
        FILES: (
            r"os\.(mkdir|makedirs|mkfifo|mknod|rename|renames|replace|link|symlink|remove|unlink|rmdir|removedirs)"
            r"|os\.(f?truncate|chmod|chown|utime|p?writev?|sendfile|copy_file_range)|io\.FileIO|codecs\.open|shutil\.(copy\w*|move|rmtree|make_archive|unpack_archive|chown)"
            r"|gateway\.files\.(replace|new)_file|tempfile\.\w+|sqlite3\.(dbapi2\.)?connect"
            r"|logging\.(FileHandler|basicConfig|config\..+|handlers\.\w*(RotatingFile|WatchedFile)\w+)"
            r"|(gzip|bz2|lzma)\.(open|\w+File)|(tarfile|dbm|shelve|cProfile|profile)(\..+)?"
        ),
        HIDDEN: r"(importlib\.)?(__import__|import_module)|runpy\..+|ctypes\..+|cffi\..+|builtins\.(eval|exec|open)"
        r"|(pickle|marshal|dill)\.(loads?|Unpickler)|.+\.__dict__",
    }.items()
}
METHODS: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern)
    for kind, pattern in {
        ROUTES: r"add_(websocket_)?route|mount",
        OUTGOING: r"create_(unix_)?connection|create_datagram_endpoint|sock_connect|connect_ex|connect_tcp",
        PROCESSES: r"subprocess_(exec|shell)",
        SOCKETS: r"create_(unix_)?server|sock_accept|connect_accepted_socket",
        FILES: r"write_text|write_bytes|mkdir|touch|unlink|rmdir|rename|symlink_to|hardlink_to|chmod",
    }.items()
}
"""Methods of whatever object."""

_MODE = re.compile(r"[rbtU]*")


class Found(NamedTuple):
    """A door: the kind that it is of, and what it is called in the list."""

    kind: str
    door: str


def sources(root: Path) -> dict[str, str]:
    """The text of every module, by its path from `root`."""
    files = (file for folder in FOLDERS for file in (root / folder).rglob("*.py"))
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def search(tree: Mapping[str, str]) -> set[Found]:
    """The doors in the modules of `tree` (path: text)."""
    found = set()
    for path, text in tree.items():
        for kind, door in _Module(ast.parse(text, path)).doors(path):
            demo = path.startswith("deploy/") and kind != HIDDEN
            if not (demo and kind == COMMANDS):  # `dutybound demo` starts them, and is listed
                found.add(Found(DEMO if demo else kind, door))
    return found


def constants(tree: Mapping[str, str]) -> set[str]:
    """The names that modules of `tree` give to values in capitals."""
    named = re.compile(r"^(_?[A-Z][A-Z0-9_]+)(?:, (_?[A-Z][A-Z0-9_]+))*(?:: .+?)? = ", re.MULTILINE)
    return {name for text in tree.values() for found in named.finditer(text) for name in re.findall(r"\w+", found[0])}


def modules(tree: Mapping[str, str]) -> set[str]:
    """The modules of others, by their whole names, that modules of `tree` import, outside of the demo."""
    found: set[str] = set()
    for path, text in tree.items():
        if not path.startswith("deploy/"):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module)
                    found |= {
                        f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name)
                    }
    return {name for name in found if name.partition(".")[0] not in FOLDERS}


def _is_module(package: str, name: str) -> bool:
    if package.partition(".")[0] in FOLDERS:
        return False
    try:
        return importlib.util.find_spec(f"{package}.{name}") is not None
    except ImportError:  # the package is none
        return False
    except ValueError:  # a module that says nothing of itself
        return True


@functools.cache
def _matching(name: str, *, method: bool) -> tuple[str, ...]:
    return tuple(kind for kind, pattern in (METHODS if method else NAMES).items() if pattern.fullmatch(name))


class _Module:
    """One module's text. Its names are resolved by its imports, wherever in it they stand."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self._names: dict[str, str] = {"open": "open", "eval": "builtins.eval", "exec": "builtins.exec"}
        self._names["__import__"] = "__import__"
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self._names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        self._called = {id(node.func) for node in ast.walk(module) if isinstance(node, ast.Call)}
        for node in ast.walk(module):  # a class of ours is what it is made from
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    name = self._dotted(base)
                    if _matching(name, method=False):
                        self._names[node.name] = name

    def doors(self, path: str) -> Iterator[Found]:
        for node in self._module.body:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
                yield Found(COMMANDS, f"python -m {path.removesuffix('.py').replace('/', '.')}")
        for node, place in self._walk(self._module, "module"):
            for kind in self._kinds(node):
                yield Found(kind, f"{path}::{place}")

    def _walk(self, node: ast.AST, place: str) -> Iterator[tuple[ast.AST, str]]:
        """Every node but those of annotations, with the function or class that it stands in."""
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST):
                    continue
                named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                inside = child.name if named else place  # type: ignore[attr-defined]
                yield child, inside
                yield from self._walk(child, inside)

    def _dotted(self, node: ast.AST) -> str:
        """`a.b.c` with `a` as it was imported; empty for what is no such name."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self._dotted(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
            owner, name = self._dotted(node.args[0]), node.args[1]
            return f"{owner}.{name.value}" if owner and isinstance(name, ast.Constant) else ""
        if isinstance(node, ast.NamedExpr):
            return self._dotted(node.value)
        return ""

    def _hides(self, call: ast.Call) -> bool:
        """Whether a call takes something out of a module by a name that cannot be told."""
        name, owner = ast.unparse(call.func), self._dotted(call.args[0]) if call.args else ""
        if name == "getattr" and len(call.args) > 1:
            return bool(owner) and not isinstance(call.args[1], ast.Constant)
        return name in ("vars", "dir", "inspect.getmembers") and bool(owner)

    def _kinds(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Name | ast.Attribute):
            dotted = self._dotted(node)
            read = isinstance(node.ctx, ast.Load) and id(node) not in self._called
            if dotted in ("open", "io.open", "os.fdopen") and read:
                yield FILES  # handed on: by whom it is called, and how, cannot be told
            if dotted:
                yield from _matching(dotted, method=False)
            elif isinstance(node, ast.Attribute):
                yield from _matching(node.attr, method=True)
        elif isinstance(node, ast.Call):
            if self._writes(node):
                yield FILES
            if self._hides(node):
                yield HIDDEN
            yield from _matching(self._dotted(node), method=False)
        elif isinstance(node, ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                yield HIDDEN
        elif isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            if any("path" in side for side in sides) and any(re.match(r"""['"]/""", side) for side in sides):
                yield ROUTES

    def _writes(self, call: ast.Call) -> bool:
        """Whether a call opens a file in a way that may write, or puts one in another's place."""
        name = self._dotted(call.func)
        if name == "os.open":
            return len(call.args) < 2 or ast.unparse(call.args[1]) != "os.O_RDONLY"
        if name in ("open", "io.open", "os.fdopen", "zipfile.ZipFile"):
            return self._mode(call, 1)
        if not isinstance(call.func, ast.Attribute) or name:
            return False
        if call.func.attr == "replace":  # a string's has two arguments
            return len(call.args) == 1 and not call.keywords
        return call.func.attr == "open" and self._mode(call, 0)

    @staticmethod
    def _mode(call: ast.Call, position: int) -> bool:
        given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[position:]
        if not given:
            return False
        mode = given[0]
        return not (isinstance(mode, ast.Constant) and isinstance(mode.value, str) and _MODE.fullmatch(mode.value))
