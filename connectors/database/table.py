"""One dataset of a database department: its table or view, its columns, and rows made into typed records.

`record` and `fields` name columns. The column list of a statement is the record's own columns and the requested fields'
columns, nothing else; subjects are bound parameters. Statements and record types are made once per field list.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from connectors.base import Config, DatasetShape, FieldType, Record, Subject
from connectors.database.bounding import bounded, read
from connectors.database.dialects import NO_BOOLEAN, compared
from connectors.kit.source import MANY_BYTES, MANY_ROWS
from connectors.mapping import moments, numbers
from connectors.mapping.decoding import Const, Mapped, SubjectMapping, read_mapping
from connectors.mapping.faulty import NO_SUBJECT, SHOWN, shown_by
from connectors.mapping.generated import Leaf, Path, record_type

_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"


class RowLimits(NamedTuple):
    """What one reading of a dataset may have at most."""

    rows: int
    bytes: int


class Table:
    """One dataset's table or view; `dialect` is SQLAlchemy's name of its database."""

    def __init__(
        self, mapped: Mapped, subject: SubjectMapping, name: str, schema: str | None, limits: RowLimits, dialect: str
    ) -> None:
        self._mapped = mapped
        self._subject = subject
        self._name = name
        self._schema = schema
        self._limits = limits
        self._dialect = dialect
        self._statements: dict[tuple[str, ...], tuple[sa.Select[Any], Callable[[Any], Record | str]]] = {}

    def statement(self, fields: tuple[str, ...]) -> tuple[sa.Select[Any], Callable[[Any], Record | str]]:
        """The SELECT for exactly these fields, with the parameters `scheme` and `values`, and its rows' reader."""
        held = self._statements.get(fields)
        if held is not None:
            return held
        leaves = self._mapped.leaves(fields)
        names = list(dict.fromkeys(leaf.path[0] for leaf in leaves))
        columns: dict[str, sa.ColumnClause[Any]] = {name: sa.column(name) for name in names}
        table = sa.table(self._name, *columns.values(), schema=self._schema)
        value = columns[self._subject.value[0]]
        values: sa.BindParameter[Any] = sa.bindparam("values", expanding=True)
        where: list[sa.ColumnElement[bool]] = [each.in_(values) for each in compared(value, self._dialect)]
        if not isinstance(self._subject.scheme, Const):
            scheme = columns[self._subject.scheme[0]]
            where += [each == sa.bindparam("scheme") for each in compared(scheme, self._dialect)]
        order = [columns[path[0]] for path in (self._mapped.effective, self._mapped.id, self._mapped.version) if path]
        select = (
            sa.select(*(table.c[name] for name in names)).where(*where).order_by(*order).limit(self._limits.rows + 1)
        )
        sorted_by = [names.index(column.name) for column in order]
        select = bounded(select, self._limits.bytes, self._dialect, sorted_by)
        held = self._statements[fields] = (select, _row_reader(leaves, names, self._dialect))
        return held

    @property
    def place(self) -> tuple[str | None, str]:
        """The schema, where one is written, and the name of the table or view."""
        return self._schema, self._name

    @property
    def mapped(self) -> Mapped:
        """How its records stand in its columns."""
        return self._mapped

    @property
    def limits(self) -> RowLimits:
        """What one reading may have at most."""
        return self._limits

    def of_nobody(self) -> sa.Select[Any]:
        """A SELECT of every mapped column that gives no row."""
        select, _ = self.statement(tuple(sorted(self._mapped.fields)))
        return select.params(values=[], scheme="").limit(0)

    def read(
        self, connection: sa.Connection, fields: tuple[str, ...], subjects: tuple[Subject, ...]
    ) -> Mapping[Subject, list[Record]] | str:
        """The records of each subject, or what is wrong with the rows, in words. Raises `SQLAlchemyError`."""
        select, record_of = self.statement(fields)
        scheme = self._subject.scheme
        records: dict[Subject, list[Record]] = {subject: [] for subject in subjects}
        by_scheme: dict[str, dict[str, Subject]] = {}
        for subject in subjects:
            by_scheme.setdefault(subject.scheme, {})[subject.value] = subject
        for asked, values in by_scheme.items():
            if isinstance(scheme, Const) and scheme.value != asked:
                continue
            parameters = (
                {"values": list(values)} if isinstance(scheme, Const) else {"values": list(values), "scheme": asked}
            )
            rows = read(connection, select, parameters, self._limits.bytes)
            if rows is None:
                return MANY_BYTES
            if len(rows) > self._limits.rows:
                return MANY_ROWS
            for row in rows:
                record = record_of(row)
                if isinstance(record, str):
                    return record
                about: Any = record
                owner = values.get(about.s_value)
                if owner is None or (not isinstance(scheme, Const) and about.s_scheme != asked):
                    return NO_SUBJECT
                records[owner].append(record)
        return records


class _WrongValueError(ValueError):
    """A column's value is not of the mapped type."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _WrongValueError
    value.encode()  # a lone surrogate could not be answered
    return value


def _named(value: Any) -> str:
    return str(value) if type(value) is int else _text(value)


def _note(value: Any) -> str | None:
    return _text(value) if _text(value).strip() else None


def _integer(value: Any) -> int:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise _WrongValueError
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _WrongValueError
    return value


def _number_as_boolean(value: Any) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise _WrongValueError
    return bool(value)


def _decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str | decimal.Decimal):
        raise _WrongValueError
    if isinstance(value, str):
        return numbers.of_text(value)
    # A float's shortest text is what was written into the column.
    number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
    if not numbers.in_range(number):
        raise _WrongValueError
    return numbers.plain(number)


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _date(value: Any) -> datetime.date:
    if type(value) is datetime.date:
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _WrongValueError
    return datetime.date.fromisoformat(value)


_MINUTE = datetime.timedelta(minutes=1)


def _datetime(value: Any) -> datetime.datetime:
    if isinstance(value, str):
        return moments.of_text(value)
    if not isinstance(value, datetime.datetime) or (offset := value.utcoffset()) is None:
        raise _WrongValueError
    if not offset % _MINUTE:
        return value
    # The local time of a place before it had a time zone: RFC 3339 has no offset with seconds.
    try:
        return value.astimezone(datetime.UTC)
    except OverflowError:
        raise _WrongValueError from None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "id": _named,
    "document": _named,
    "note": _note,
    "subject": _text,
    FieldType.STRING: _text,
    FieldType.INT: _integer,
    FieldType.BOOLEAN: _boolean,
    FieldType.DECIMAL: _decimal,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
}


def readers(dialect: str) -> Mapping[str, Callable[[Any], Any]]:
    """What reads a column's value, by kind of leaf; each raises `ValueError` for another type than it reads."""
    return {**_READERS, FieldType.BOOLEAN: _number_as_boolean} if dialect in NO_BOOLEAN else _READERS


def _row_reader(leaves: list[Leaf], names: list[str], dialect: str) -> Callable[[Any], Record | str]:
    """Reads a row: the record, where a value is wrong what it shows of itself, or why it is nobody's."""
    by_attribute = {leaf.attribute: _READERS[leaf.kind] for leaf in leaves if leaf.attribute in SHOWN}
    made: Callable[..., Record] = record_type(leaves)
    by_kind = readers(dialect)
    plan = [(names.index(leaf.path[0]), by_kind[leaf.kind], leaf.mandatory, leaf.path[0]) for leaf in leaves]

    def faulty(row: Any, reason: str) -> Record | str:
        return shown_by(leaves, lambda path: row[names.index(path[0])], by_attribute, reason)

    def read(row: Any) -> Record | str:
        values: list[Any] = []
        for index, reader, mandatory, column in plan:
            value = row[index]
            if value is None:
                if mandatory:
                    return faulty(row, f"column `{column}` is null")
                values.append(None)
                continue
            try:
                values.append(reader(value))
            except ValueError:
                return faulty(row, f"column `{column}` holds another type than the mapped one")
        try:
            return made(*values)
        except ValueError as error:
            return faulty(row, str(error))

    return read


def read_column(config: Config) -> Path:
    """The name of a column, as a path of one step; an empty one where it is wrong."""
    name = config.text(pattern=_NAME, what="the name of a column (letters, digits and `_`)")
    return (name,) if name else ()


def read_table_name(config: Config) -> tuple[str | None, str]:
    """The schema, where one is written, and the name of a table or view."""
    what = "the name of a table or view, `schema.` before it where it has one"
    schema, _, name = config.text(pattern=rf"({_NAME}\.)?{_NAME}", what=what).rpartition(".")
    return schema or None, name


def read_table(config: Config, shape: DatasetShape, limits: RowLimits, dialect: str) -> Table:
    """One dataset of `kind: sql`."""
    keys = config.mapping(("table", "record", "fields"))
    mapped = read_mapping(keys, shape, read_column)
    if mapped.subject is None:
        keys["record"].mapping(any_key=True)["subject"].problem(
            "a database is asked by its subject columns: name them, as `{scheme: ..., value: ...}`"
        )
    schema, name = read_table_name(keys["table"])
    return Table(mapped, mapped.subject or SubjectMapping((), ()), name, schema, limits, dialect)
