"""Every statement that a PostgreSQL store is given: as its server logged them, and as they stand in the code.

A server logs whatever is run on it, so what a journey does not reach is looked for in the code: strings that are SQL,
and statements of SQLAlchemy that modules hold.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import DDLElement
from sqlalchemy.sql import Executable, TextClause
from sqlalchemy.sql.selectable import ReturnsRows

import gateway
from gateway.storage.statement import Statement

LOGGED = {
    "log_statement": "all",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "../statements",
    "log_filename": "all",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
}
"""Settings of a server that logs each statement."""
METHODS = {
    "on_conflict_do_nothing": "ON CONFLICT DO NOTHING",
    "on_conflict_do_update": "ON CONFLICT DO UPDATE",
    "returning": "RETURNING",
    "with_for_update": "FOR UPDATE",
    "cte": "WITH",
    "lateral": "Lateral",
    "aggregate_order_by": "aggregate_order_by",
    "JSONB": "type JSONB",
    "ARRAY": "array parameters",
}
"""Methods and types of SQLAlchemy's for what not every engine has."""
_ROOT = Path(gateway.__file__).parent
_RUN = re.compile(r"^(?:statement|execute [^:]+): (.*)$", re.S)
_SQL = re.compile(
    r"\s*(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH RECURSIVE \w+|WITH \w+|LOCK TABLE|VACUUM|SET)[ (]"
)
_DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
_ONLY_SQLITE = re.compile(r"PRAGMA|sqlite_|json_each|VACUUM INTO|rowid")


def logged(folder: Path) -> set[str]:
    """What was run on a server with the settings `LOGGED`, whose folder it is."""
    found = set()
    for file in (folder / "statements").glob("*.json"):
        for line in file.read_text("utf-8").splitlines():
            entry = json.loads(line)
            ours = "pg_" not in entry.get("application_name", "")  # PostgreSQL's programs are of its own version
            if ours and (run := _RUN.match(entry.get("message", ""))) is not None:
                found.add(run[1])
    return found


def written() -> Iterator[tuple[str, str]]:
    """What stands in the code, and where: SQL in strings, and what modules hold of SQLAlchemy's."""
    for path in sorted(_ROOT.rglob("*.py")):
        if not _of_postgresql(path.relative_to(_ROOT).as_posix()):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        parts = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in parts and (sql := _rendered(node.value)) is not None:
                yield f"gateway/{path.relative_to(_ROOT)}", sql
    for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if _of_postgresql(found.name.removeprefix("gateway.").replace(".", "/")):
            for value in vars(importlib.import_module(found.name)).values():
                if (sql := _rendered(value)) is not None:
                    yield found.name, sql


def called() -> Iterator[tuple[str, str]]:
    """What functions make by SQLAlchemy's methods: the module, and the feature that the method stands for."""
    for path in sorted(_ROOT.rglob("*.py")):
        if _of_postgresql(path.relative_to(_ROOT).as_posix()):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if name in METHODS:
                        yield f"gateway/{path.relative_to(_ROOT)}", METHODS[name]


def _of_postgresql(path: str) -> bool:
    """Whether a module of the gateway may have statements for PostgreSQL."""
    return not ("sqlite" in path or path.startswith(("recipient/", "recall/reporting/", "storage/migrations/")))


def _rendered(value: object) -> str | None:
    """The SQL of what a module holds; None where it is none."""
    if isinstance(value, str):
        return value if _SQL.match(value) and not _ONLY_SQLITE.search(value) else None
    if isinstance(value, TextClause):
        return _rendered(value.text)
    core = value._core if isinstance(value, Statement) else value
    if not isinstance(core, Executable) or not isinstance(core, (ReturnsRows, DDLElement)):
        return None  # conditions and columns are parts of one
    return str(core.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))
