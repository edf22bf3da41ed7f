"""Tables and views of a database, by their columns, as what a department of `kind: sql` can be asked.

The database is opened as the gateway opens it: read-only, and no row is read. Names are taken as they stand, where
`sources.yaml` can hold them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import FieldType
from connectors.database.opening import DATABASE_KEYS, open_engine, protect
from gateway import documents
from gateway.connecting.starting import naming
from gateway.connecting.starting.model import MOST_FIELDS, Described, Lines, Lookup, Part, Said, Value
from gateway.connecting.starting.writing import written
from gateway.errors import CommandRefused, Problem, printable
from gateway.values import Document

_SECONDS = 10.0


class Files(NamedTuple):
    """Files for a database: its account's password, and one more authority to trust."""

    password: Path | None = None
    authority: Path | None = None


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def described(url: str, names: list[str], files: Files, folder: Path) -> Described:
    """What the named tables have; raises `CommandRefused` where the database or one of them cannot be read.

    A SQLite file's path starts at the `folder` of `sources.yaml`, where the url will stand.
    """
    keys: list[tuple[str, Part]] = [("kind", Said("sql")), ("url", Said(url)), *_beside(url, files)]
    engine = _opened(Lines(tuple(keys[1:])), folder)
    try:
        with engine.connect() as connection:
            protect(connection, time.monotonic() + _SECONDS)
            inspector = sa.inspect(connection)
            lookups = [_lookup(inspector, name, engine.dialect.name == "sqlite") for name in names]
    except SQLAlchemyError as error:
        why = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
        raise CommandRefused(f"the database cannot be read: {printable(why)}") from error
    finally:
        engine.dispose()
    if engine.dialect.name != "sqlite" and files.password is None:
        keys.append(("password_file", Said(None, "a file that holds it; leave it out where there is none")))
    found = tuple(each for each in lookups if each.values)
    passed = [f"{each.shown}: nothing of it can be a field" for each in lookups if not each.values]
    if not found:
        raise CommandRefused("; ".join(passed))
    return Described(tuple(keys), found, tuple(passed))


def _beside(url: str, files: Files) -> Iterator[tuple[str, Part]]:
    """What stands beside `url` in `sources.yaml`. For PostgreSQL the authority is named in the url itself."""
    if files.password is not None:
        yield "password_file", Said(str(files.password.resolve()))
    if files.authority is not None and url.startswith("mariadb"):
        yield "tls", Lines((("ca_file", Said(str(files.authority.resolve()))),))


def _opened(said: Lines, folder: Path) -> sa.Engine:
    problems: list[Problem] = []
    node = documents.parse(written(said), Document("--tables", folder.resolve(), problems))
    keys = node.mapping(("url",), DATABASE_KEYS) if node is not None else {}
    if problems:
        raise CommandRefused("\n".join(str(problem) for problem in problems))
    engine = open_engine(keys, 1, _SECONDS)
    if problems:
        engine.dispose()
        raise CommandRefused("\n".join(f"--tables: {problem.message}" for problem in problems))
    return engine


def _lookup(inspector: sa.Inspector, name: str, sqlite: bool) -> Lookup:
    schema, _, table = name.rpartition(".")
    if not _NAME.fullmatch(table) or (schema and not _NAME.fullmatch(schema)):
        raise CommandRefused(
            f"`{printable(name)}` is no table that `sources.yaml` can name: letters, digits and `_` only"
        )
    in_schema = schema or None
    if not inspector.has_table(table, schema=in_schema) and table not in inspector.get_view_names(schema=in_schema):
        raise CommandRefused(f"there is no table or view `{name}` that the account may see")
    if why := naming.refused(table):
        raise CommandRefused(f"`{name}`: {why}")
    passed: list[str] = []
    keys = {*inspector.get_pk_constraint(table, schema=in_schema).get("constrained_columns", ())}
    values = [
        value
        for column in inspector.get_columns(table, schema=in_schema)
        if (value := _value(column, sqlite, passed, column["name"] in keys)) is not None
    ]
    if len(values) > MOST_FIELDS:
        passed.append(
            f"all columns after `{values[MOST_FIELDS - 1].name}`: a record has more than {MOST_FIELDS} values"
        )
    called = re.sub(r"^(v|vw|view|tbl|t)_", "", table)
    return Lookup(
        called, naming.spoken(called), f"table {name}", (("table", Said(name)),), tuple(values[:MOST_FIELDS]),
        passed=tuple(passed),
    )  # fmt: skip


def _value(column: Any, sqlite: bool, passed: list[str], key: bool) -> Value | None:
    name, title = str(column["name"]), naming.clean(column.get("comment"))
    why = "" if _NAME.fullmatch(name) else "`sources.yaml` cannot name it: letters, digits and `_` only"
    type_, guessed, wrong = _type(column["type"], sqlite)
    if why := why or naming.refused(name, title) or wrong:
        passed.append(f"`{name}`: {why}")
        return None
    return Value((name,), type_, title or naming.spoken(name), guessed, bool(title), key)


def _type(of: Any, sqlite: bool) -> tuple[FieldType | None, str, str]:
    """The catalogue's type of a column, why it is a guess, and why the column can be no field."""
    declared = "as it is declared; SQLite holds what it is given" if sqlite else ""
    if isinstance(of, sa.Boolean):
        return FieldType.BOOLEAN, declared, ""
    if isinstance(of, sa.DateTime):
        if sqlite:
            return FieldType.DATETIME, "as it is declared; its text must have an offset", ""
        if of.timezone or isinstance(of, mysql.TIMESTAMP):
            return FieldType.DATETIME, "", ""
        return None, "", "it has no offset, so no moment is known; have a view give one with an offset"
    if isinstance(of, sa.Date):
        return FieldType.DATE, declared, ""
    if isinstance(of, mysql.TINYINT) and of.display_width == 1:
        return FieldType.BOOLEAN, "of TINYINT(1)", ""
    if isinstance(of, sa.BigInteger):
        return FieldType.DECIMAL, "an Int has 32 bits, and this may have more", ""
    if isinstance(of, sa.Integer):
        return FieldType.INT, declared, ""
    if isinstance(of, sa.Numeric):
        return FieldType.DECIMAL, declared, ""
    if isinstance(of, sa.Uuid | sa.Time | sa.Interval):
        return None, "", "it is no text; have a view give it as text"
    if isinstance(of, sa.String):
        return FieldType.STRING, "", ""
    return None, "", f"a field cannot be of the type `{printable(str(type(of).__name__))}`"
