"""JSON Lines: one object per line, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from connectors.delivered.report import Trouble, refused, refused_for
from connectors.delivered.rows import Columns, Wrong, at
from connectors.delivered.values import Number
from connectors.mapping import duplicate_keys
from connectors.mapping.generated import Path

MOST = 2**20
"""Bytes of a line."""
_decode = msgspec.json.Decoder(dict, float_hook=Number).decode


def rows(file: BinaryIO, name: str, columns: Columns) -> Iterator[tuple[int, list[Any] | Wrong]]:
    """Each line's number and its values in the order of `columns.paths`; null, or nothing, is None.

    Raises `RefusedError` where reading cannot go on, and where a mapped name is in no row at all.
    """
    number, objects, unseen = 0, False, {*columns.paths}
    while line := file.readline(MOST + 1):
        number += 1
        if len(line) > MOST:
            raise refused(f"is longer than {MOST // 1024} KiB", name, number)
        try:
            row = _decode(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise refused(f"byte {error.start + 1} of the line is not UTF-8", name, number) from None
        except (ValueError, RecursionError):
            yield number, Wrong("", "is no JSON object")
            continue
        if line.count(b":") != len(row) and (wrong := duplicate_keys.check(line)):
            yield number, Wrong("", f"is no JSON object that is read one way only: {wrong}")
            continue
        objects = True
        if unseen:
            unseen = {path for path in unseen if not _has(row, path)}
        yield number, [at(row, path) for path in columns.paths]
    if objects and unseen:
        what = "is in no row; write null where there is nothing"
        raise refused_for([Trouble(what, name, 0, ".".join(path)) for path in sorted(unseen)])


def _has(row: Any, path: Path) -> bool:
    """Whether the row has the path's key, or says above it that there is nothing."""
    for name in path:
        if row is None:
            return True
        if type(row) is not dict or name not in row:
            return False
        row = row[name]
    return True
