"""A department's access log, line by line: JSON Lines, CSV, or the common log format of web servers.

Every line gives when it was, and what it has of the inquiry's id, the subject and the path. A line that cannot be read
ends the reading, with its number: what is passed over in silence would be a call that nobody looks for.
"""

from __future__ import annotations

import csv
import datetime
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway.connecting.reconciling.paths import Asked, Paths
from gateway.errors import CommandRefused
from gateway.nouns import counted

FORMATS = ("jsonl", "csv", "common")
MOST_LINE = 64 * 1024
"""Characters of a line."""

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", re.I)
"""An inquiry's id, also at the beginning of what X-Road calls a message's."""
_COMMON = re.compile(r'\S+ \S+ .*?\[([^\]]+)\] "([^"\\]*(?:\\.[^"\\]*)*)" (?:\d{3}|-)(.*)', re.S)
_MILLIS = 100_000_000_000
"""A number from here on is of milliseconds since 1970, below it of seconds."""


class Columns(NamedTuple):
    """What the columns are called, `a.b` for nested ones; an empty name where there is none."""

    time: str = "time"
    inquiry: str = ""
    subject: str = ""
    scheme: str = ""
    path: str = ""


class Call(NamedTuple):
    """One call: the number of its line, from 1, its time, and whom it was about, as far as the line shows.

    `inquiries` are all ids that stand where an inquiry's is. `subjects` are (scheme, value), without a scheme where the
    line has none; `dataset` is empty where it has none. `place` is the same for calls of the same path, 0 without one;
    `queried`: it is a look-up whose path has a query.
    """

    line: int
    at: datetime.datetime
    inquiries: tuple[str, ...]
    subjects: tuple[tuple[str, str], ...]
    dataset: str
    place: int = 0
    queried: bool = False


def read(file: Path, format: str, columns: Columns, paths: Paths, zone: datetime.tzinfo | None) -> Iterator[Call]:
    """The calls of a log in its order. `zone` is that of times without an offset. Raises `CommandRefused`."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            lines = _bounded(file, opened)
            yield from {"jsonl": _jsonl, "csv": _csv, "common": _common}[format](file, lines, columns, paths, zone)
    except OSError as error:
        raise CommandRefused(f"`{file}` cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CommandRefused(f"`{file}` is not UTF-8; convert it first") from None


def _bounded(file: Path, opened: Any) -> Iterator[str]:
    number = 0
    while line := opened.readline(MOST_LINE + 1):
        number += 1
        if len(line) > MOST_LINE:
            raise _wrong(file, number, f"has more than {MOST_LINE} characters")
        yield line


def _wrong(file: Path, number: int, why: str) -> CommandRefused:
    return CommandRefused(f"{file}:{number}: {why}")


def _jsonl(
    file: Path, lines: Iterable[str], columns: Columns, paths: Paths, zone: datetime.tzinfo | None
) -> Iterator[Call]:
    number, unseen = 0, {name for name in columns if name}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise _wrong(file, number, "is not JSON") from None
        if not isinstance(row, dict):
            raise _wrong(file, number, "is no JSON object")

        def value(name: str, row: dict[str, Any] = row) -> object:
            at: object = row.get(name)
            if at is None and "." in name:
                at = row
                for part in name.split("."):
                    at = at.get(part) if isinstance(at, dict) else None
            return at

        unseen = {name for name in unseen if value(name) is None and name not in row}
        yield _call(file, number, [value(name) if name else None for name in columns], columns, paths, zone)
    if number and unseen:
        raise CommandRefused(f"`{file}` has no line with `{min(unseen)}`")


def _csv(
    file: Path, lines: Iterable[str], columns: Columns, paths: Paths, zone: datetime.tzinfo | None
) -> Iterator[Call]:
    rows = csv.reader(lines, strict=True)
    try:
        header = next(rows, [])
        missing = [name for name in columns if name and name not in header]
        if missing:
            known = ", ".join(f"`{name}`" for name in header[:20])
            raise _wrong(file, 1, f"has no column `{missing[0]}`; there are {known}")
        places = [header.index(name) if name else -1 for name in columns]
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise _wrong(
                    file, rows.line_num, f"has {counted(len(row), 'column')}, and the first line {len(header)}"
                )
            yield _call(file, rows.line_num, [row[at] if at >= 0 else None for at in places], columns, paths, zone)
    except csv.Error as error:
        raise _wrong(file, rows.line_num, f"is not CSV ({error})") from None


def _common(
    file: Path, lines: Iterable[str], columns: Columns, paths: Paths, zone: datetime.tzinfo | None
) -> Iterator[Call]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if (found := _COMMON.fullmatch(line.rstrip("\r\n"))) is None:
            raise _wrong(file, number, "is not in the common log format")
        try:
            at = datetime.datetime.strptime(found[1], "%d/%b/%Y:%H:%M:%S %z")
        except ValueError:
            raise _wrong(file, number, "has no time such as `[26/Nov/2026:09:30:00 +0000]`") from None
        parts = found[2].split(" ")
        path = parts[1] if len(parts) > 1 else ""
        yield _made(number, at, _ids(found[3]) if columns.inquiry else (), "", "", path, paths)


def _call(
    file: Path, number: int, values: Sequence[object], columns: Columns, paths: Paths, zone: datetime.tzinfo | None
) -> Call:
    time, *others = values
    try:
        at = moment(time, zone)
    except (ValueError, OverflowError) as error:
        raise _wrong(file, number, f"`{columns.time}` {error}") from None
    texts = ["" if each is None else str(each) if isinstance(each, str | int) else None for each in others]
    for name, text in zip(columns[1:], texts, strict=True):
        if text is None:
            raise _wrong(file, number, f"`{name}` is no text")
    inquiry, subject, scheme, path = (text or "" for text in texts)
    ids = _ids(inquiry) or ([inquiry] if inquiry else [])
    return _made(number, at, ids, subject, scheme, path, paths)


def moment(value: object, zone: datetime.tzinfo | None) -> datetime.datetime:
    """A time as a log has it, in UTC; raises `ValueError`, in words that follow its name."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLIS else value, datetime.UTC)
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]{9,13}(\.[0-9]+)?", text):
        return moment(float(text), zone)
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time such as `2026-11-26T09:30:00Z`") from None
    if found.tzinfo is None:
        if zone is None:
            raise ValueError("has no offset from UTC; name its zone with `--time-zone`")
        found = found.replace(tzinfo=zone)
    return found.astimezone(datetime.UTC)


def _made(
    number: int, at: datetime.datetime, ids: Sequence[str], subject: str, scheme: str, path: str, paths: Paths
) -> Call:
    asked = (paths.find(path) if path else None) or Asked("", ())
    subjects = asked.subjects or (((scheme, paths.canonical(scheme, subject)),) if subject else ())
    queried = bool(asked.dataset) and "?" in path
    return Call(number, at, (*dict.fromkeys(ids),), subjects, asked.dataset, hash(path) if path else 0, queried)


def _ids(text: str) -> list[str]:
    return [each.lower() for each in _ID.findall(text)]
