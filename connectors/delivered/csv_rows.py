"""CSV as departments export it (RFC 4180, with a header), in the encoding and with the marks that `sources.yaml` sets.

Every line is decoded by itself, strictly. Where the declared encoding takes any bytes, a line that is UTF-8 all the
same is found by what it would be: text that the declared encoding could have written too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from connectors.base import Config
from connectors.delivered.report import Trouble, refused, refused_for
from connectors.delivered.rows import Columns, Wrong

ENCODINGS = (
    "utf-8", *(f"windows-{number}" for number in range(1250, 1259)),
    *(f"iso-8859-{number}" for number in (1, 2, 3, 4, 5, 7, 9, 10, 13, 14, 15, 16)), "koi8-r", "koi8-u",
)  # fmt: skip
"""Of all of them the marks and the line's end are ASCII."""
MOST = 2**20
"""Bytes of a line."""
_BOM = b"\xef\xbb\xbf"
_MARKS = (",", ";", "\\t", "|")


class Dialect(msgspec.Struct, frozen=True):
    """How a dataset's CSV is written. `comma`: it stands before a fraction."""

    encoding: str = "utf-8"
    delimiter: str = ","
    comma: bool = False
    booleans: tuple[str, str] = ("true", "false")


def read_dialect(config: Config) -> Dialect:
    """The `csv` key of a dataset."""
    keys = config.mapping((), ("encoding", "delimiter", "decimal", "booleans"))
    mark = keys["delimiter"].choice(_MARKS, "one of", ",").replace("\\t", "\t")
    comma = keys["decimal"].choice((".", ","), "one of", ".") == ","
    words = [each.text() for each in keys["booleans"].items()] if "booleans" in keys else ["true", "false"]
    if len({*words}) != 2 or len(words) != 2:
        keys["booleans"].problem("must be two different words, for true and for false, as `[J, N]`")
        words = ["true", "false"]
    return Dialect(keys["encoding"].choice(ENCODINGS, default="utf-8"), mark, comma, (words[0], words[1]))


def rows(file: BinaryIO, name: str, dialect: Dialect, columns: Columns) -> Iterator[tuple[int, list[Any] | Wrong]]:
    """Each row's number, the header's being 1, and its values in the order of `columns.paths`; an empty one is None.

    Raises `RefusedError` where reading cannot go on.
    """
    reader = csv.reader(_lines(file, name, dialect.encoding), delimiter=dialect.delimiter, strict=True)
    number = 1
    try:
        header = next(reader, [])
        at = _places(header, name, columns)
        for row in reader:
            number += 1
            if len(row) != len(header):
                yield number, Wrong("", f"has {len(row)} columns, and the header {len(header)}")
                continue
            yield number, [row[each] or None for each in at]
    except csv.Error as error:
        raise refused(f"is no CSV of the form in `csv`: {error}", name, number + 1) from None


def _places(header: list[str], name: str, columns: Columns) -> list[int]:
    titles = [title.strip() for title in header]
    wanted = [".".join(path) for path in columns.paths]
    wrong = [each for each in wanted if titles.count(each) != 1]
    if wrong:
        words = {True: "appears twice in the header", False: "is not in the header"}
        raise refused_for([Trouble(words[each in titles], name, 1, each) for each in wrong])
    return [titles.index(each) for each in wanted]


def _lines(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    utf8, number = encoding == "utf-8", 0
    while line := file.readline(MOST + 1):
        number += 1
        if len(line) > MOST:
            raise refused(f"is longer than {MOST // 1024} KiB", name, number)
        if line.isascii():
            yield line.decode("ascii")
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise refused(f"byte {error.start + 1} of the line is not `{encoding}`", name, number) from None
        if not utf8 and _is_utf8(line, encoding):
            raise refused(f"the line is UTF-8, but `csv.encoding` is `{encoding}`", name, number)
        yield text


def _is_utf8(line: bytes, encoding: str) -> bool:
    try:
        line.decode("utf-8").encode(encoding)
    except UnicodeError:
        return False
    return True
