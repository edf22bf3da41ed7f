"""Why a database does not fit its mapping: tables, columns and rights first, then types, then a subject's rows.

Columns and their types are known without any row, so that most is found although nobody has records.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from connectors.base import FieldType, Mismatch, RecordRequest, Subject
from connectors.database.reading import Readers
from connectors.database.table import Table, readers
from connectors.explaining.answers import SLOW
from connectors.explaining.noted import Noted, key_of
from connectors.explaining.values import WANTED, found, unlike
from connectors.mapping.decoding import Const
from connectors.mapping.generated import Leaf

_TEXTS: tuple[type[sa.types.TypeEngine[Any]], ...] = (sa.String,)
_NUMBERS: tuple[type[sa.types.TypeEngine[Any]], ...] = (sa.Integer, sa.Numeric)
_FITTING: Mapping[str, tuple[type[sa.types.TypeEngine[Any]], ...]] = {
    "id": (sa.String, sa.Integer),
    "document": (sa.String, sa.Integer),
    "note": _TEXTS,
    "subject": _TEXTS,
    FieldType.STRING: _TEXTS,
    FieldType.INT: (sa.Integer,),
    FieldType.BOOLEAN: (sa.Boolean,),
    FieldType.DECIMAL: (*_NUMBERS, *_TEXTS),
    FieldType.DATE: (sa.Date, *_TEXTS),
    FieldType.DATETIME: (sa.DateTime, *_TEXTS),
}
"""What a column may be declared as; a text is looked at row by row."""

_MORE = 2
"""Statements of a dataset beside one per subject."""
Found = tuple[Noted, list[Mismatch]]


async def explain(
    reading: Readers, tables: Mapping[str, Table], request: RecordRequest, within: float
) -> list[Mismatch]:
    """All that does not fit in what the database has for a request; a statement may take `within` seconds.

    One that takes longer goes on for a while, so that it can be reported how slow it is.
    """
    of_all, noted = Noted(()), {each.dataset: Noted(("datasets", each.dataset)) for each in request.datasets}

    def work(connection: sa.Connection, _until: float) -> None:
        for dataset in request.datasets:
            if (table := tables.get(dataset.dataset)) is not None and _readable(
                connection, table, noted[dataset.dataset]
            ):
                _types(connection, table, noted[dataset.dataset])
                for subject in dataset.subjects:
                    _rows(connection, table, dataset.fields, subject, noted[dataset.dataset], within)

    statements = sum(len(dataset.subjects) + _MORE for dataset in request.datasets)
    try:
        await reading.run(work, min(request.deadline, asyncio.get_running_loop().time() + statements * within))
    except TimeoutError:
        of_all.add(("limits", "timeout"), "the database does not answer in time", kind="slow")
    except (SQLAlchemyError, ValueError, ArithmeticError) as error:
        of_all.add(*_unreached(error))
    return [*of_all.all(), *(found for each in noted.values() for found in each.all())]


_OF_MARIADB = {1044: "28000", 1045: "28000", 1049: "3D000", 1054: "42703", 1142: "42501", 1143: "42501", 1146: "42P01"}
"""MariaDB's own numbers of errors, as PostgreSQL's states."""


def _state(error: Exception) -> str:
    orig = getattr(error, "orig", None)
    number = orig.args[0] if isinstance(orig, Exception) and orig.args else None
    known = _OF_MARIADB.get(number) if isinstance(number, int) else None  # its own states say less
    return str(known or getattr(orig, "sqlstate", None) or "")


def _unreached(error: Exception) -> tuple[tuple[str, ...], str]:
    said, state = str(getattr(error, "orig", None) or ""), _state(error)
    if state.startswith("28") or "authentication failed" in said or "no pg_hba.conf entry" in said:
        return ("password_file",), "the database refuses the account; are name, password and client address right?"
    if state.startswith("3D") or ("database" in said and "does not exist" in said):
        return ("url",), "there is no such database"
    if "certificate" in said.lower() or "ssl" in said.lower():
        return ("url",), "the database's TLS is not as `url` asks for it (`sslmode`, `sslrootcert`)"
    return ("url",), "the database cannot be reached; are host, port or file right, and does it run?"


def _readable(connection: sa.Connection, table: Table, noted: Noted) -> bool:
    """Whether every mapped column can be read; notes each that cannot."""
    if _runs(connection, table.of_nobody()) is None:
        return True
    schema, name = table.place
    whole = f"{schema}.{name}" if schema else name
    known, others = _known(connection, schema, name)
    if known is None:
        hint = _near(name, others)
        noted.add(("table",), f"there is no table or view `{whole}` that the account can see{hint}")
        return False
    bare = sa.table(name, schema=schema)
    if not known and (error := _runs(connection, sa.select(sa.literal(1)).select_from(bare).limit(0))):
        noted.add(("table",), f"`{whole}` cannot be read: {_why(error)}")
        return False
    fine = True
    for leaf in table.mapped.leaves(tuple(sorted(table.mapped.fields))):
        column = leaf.path[0]
        error = _runs(connection, sa.select(sa.table(name, sa.column(column), schema=schema).c[column]).limit(0))
        if error is None:
            continue
        fine = False
        if known and column not in known:
            noted.add(key_of(leaf), f"`{whole}` has no column `{column}`{_near(column, known)}")
        else:
            noted.add(key_of(leaf), f"the column `{column}` of `{whole}` cannot be read: {_why(error)}")
    if fine:
        noted.add(("table",), f"`{whole}` cannot be read: the database refuses the statement")
    return False


def _why(error: SQLAlchemyError) -> str:
    state = _state(error)
    if state == "42501":
        return "the account has no right to; let it be granted `SELECT`"
    return "there is none of the name" if state in ("42703", "42P01") else "the database refuses the statement"


def _near(word: str, known: Mapping[str, Any] | list[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    if near:
        return f" (did you mean `{near[0]}`?)"
    listed = ", ".join(f"`{each}`" for each in list(known)[:12])
    return f"; there are {listed}" if listed else ""


def _runs(connection: sa.Connection, select: sa.Select[Any]) -> SQLAlchemyError | None:
    try:
        with connection.begin_nested():
            connection.execute(select)
    except SQLAlchemyError as error:
        return error
    return None


def _known(
    connection: sa.Connection, schema: str | None, name: str
) -> tuple[dict[str, sa.types.TypeEngine[Any]] | None, list[str]]:
    """The declared type of every column, None where there is no such table; and then the names of those there are."""
    inspector = sa.inspect(connection)
    try:
        with connection.begin_nested():
            return {each["name"]: each["type"] for each in inspector.get_columns(name, schema)}, []
    except NoSuchTableError:
        pass
    except SQLAlchemyError:
        return {}, []
    try:
        with connection.begin_nested():
            return None, [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    except SQLAlchemyError:
        return None, []


def _types(connection: sa.Connection, table: Table, noted: Noted) -> None:
    """Note columns whose declared type cannot be read as the catalogue's. SQLite's say nothing of their values."""
    if connection.dialect.name == "sqlite":
        return
    known, _ = _known(connection, *table.place)
    mariadb = connection.dialect.name == "mariadb"
    for leaf in table.mapped.leaves(tuple(sorted(table.mapped.fields))):
        column = leaf.path[0]
        its = (known or {}).get(column)
        if its is None or isinstance(its, sa.types.NullType) or type(its).__name__ in ("DOMAIN", "UUID", "ENUM"):
            continue
        if mariadb and leaf.kind in (FieldType.BOOLEAN, FieldType.DATETIME):
            continue  # it declares neither booleans nor offsets: its rows are looked at
        declared = str(its).lower()
        if leaf.kind == FieldType.DATETIME and isinstance(its, sa.DateTime) and not its.timezone:
            what = "which has no offset from UTC; give it as `timestamp with time zone`, for example by a view"
            noted.add(key_of(leaf), f"the column `{column}` is `{declared}`, {what}")
        elif not isinstance(its, _FITTING[leaf.kind]):
            noted.add(key_of(leaf), f"the column `{column}` is `{declared}`; must be {WANTED[leaf.kind]}")


def _rows(
    connection: sa.Connection, table: Table, fields: tuple[str, ...], subject: Subject, noted: Noted, timeout: float
) -> None:
    scheme = table.mapped.subject.scheme if table.mapped.subject is not None else None
    if isinstance(scheme, Const) and scheme.value != subject.scheme:
        return  # it has records of another scheme
    select, _ = table.statement(fields)
    parameters = {"values": [subject.value]} if isinstance(scheme, Const) else (
        {"values": [subject.value], "scheme": subject.scheme}
    )  # fmt: skip
    began = time.monotonic()
    try:
        with connection.begin_nested():
            rows = connection.execute(select, parameters).all()
    except (SQLAlchemyError, ValueError, ArithmeticError):
        if (took := time.monotonic() - began) > timeout:  # it was ended
            what = (
                f"the statement was not over after {took:.1f} s, of {timeout:g} s that it may take (`limits.timeout`)"
            )
            noted.add(("table",), f"{what}; is there an index?", kind="slow")
            return
        what = "the rows of a subject cannot be read: one holds what the database or its driver cannot give"
        noted.add(("table",), what)
        return
    took = time.monotonic() - began
    if took > SLOW * timeout:
        what = (
            f"the statement took {took:.1f} s, of {timeout:g} s that it may take (`limits.timeout`); is there an index?"
        )
        noted.add(("table",), what, kind="slow")
    if len(rows) > table.limits.rows:
        noted.add(("table",), f"more than {table.limits.rows} rows of one subject (`limits.rows`)", kind="unbounded")
        rows = rows[: table.limits.rows]
    leaves = table.mapped.leaves(fields)
    names = list(dict.fromkeys(leaf.path[0] for leaf in leaves))
    by_kind = readers(connection.dialect.name)
    seen: dict[tuple[str, str], Any] = {}
    same = 0
    for number, row in enumerate(rows, 1):
        for leaf in leaves:
            _value(leaf, row[names.index(leaf.path[0])], by_kind, subject, noted, number)
        name = tuple(str(row[names.index(path[0])]) for path in (table.mapped.id, table.mapped.version))
        same += name[0] == name[1]
        other = seen.setdefault((name[0], name[1]), row)
        if other is not row:
            what = "has" if other == row else "has, with other contents,"
            noted.add(("record", "id"), f"a row {what} the id and version of another one", row=number)
    if rows and same == len(rows):
        noted.add(("record", "version"), "is the same as the id in every row; map what changes whenever the row does")


def _value(leaf: Leaf, value: Any, by_kind: Mapping[str, Any], subject: Subject, noted: Noted, number: int) -> None:
    column = f"the column `{leaf.path[0]}`"
    if value is None:
        if leaf.mandatory:
            noted.add(key_of(leaf), f"{column} is null; every record must have it", row=number)
        return
    try:
        by_kind[leaf.kind](value)
    except ValueError:
        noted.add(key_of(leaf), f"{column} is {found(value)}; must be {WANTED[leaf.kind]}", row=number)
        return
    if leaf.attribute == "s_value" and value != subject.value:
        noted.add(key_of(leaf), f"{column} {unlike(value, subject.value)}", row=number)
