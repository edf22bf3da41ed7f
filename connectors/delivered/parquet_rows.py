"""Parquet, decoded by another process (`parquet_child`): a file can be made to take any memory and time."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO

import msgspec

from connectors.base import FieldType
from connectors.delivered.report import Trouble, refused, refused_for
from connectors.delivered.rows import Columns, Wrong

MODULE = "connectors.delivered.parquet_child"
MEMORY = 2**31
"""Bytes of address space, the libraries' own included."""
SECONDS = 3600
_MESSAGE = 2**26
_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")

TAKEN = {
    "id": {"text", "whole"},
    "document": {"text", "whole"},
    "note": {"text"},
    "subject": {"text"},
    FieldType.STRING: {"text"},
    FieldType.INT: {"whole"},
    FieldType.BOOLEAN: {"truth"},
    FieldType.DECIMAL: {"decimal", "whole", "text"},
    FieldType.DATE: {"date", "text"},
    FieldType.DATETIME: {"moment", "text"},
}
"""The kinds of column that each kind of value may stand in. A float is no Decimal: it has not the digits."""

_FIX: Mapping[str, str] = {FieldType.DECIMAL: "; write it as `decimal`, or as text"}


class _Message(msgspec.Struct):
    kinds: list[str] | None = None
    rows: list[list[Any]] | None = None
    end: int | None = None
    missing: list[str] = []
    broken: str = ""


_decode = msgspec.msgpack.Decoder(_Message).decode


def rows(
    file: BinaryIO, name: str, columns: Columns, memory: int = MEMORY, seconds: int = SECONDS
) -> Iterator[tuple[int, list[Any] | Wrong]]:
    """Each row's number, from 1, and its values in the order of `columns.paths`.

    Raises `RefusedError`, also where decoding takes more than so many bytes of memory, or seconds of CPU time.
    """
    environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
    command = [sys.executable, "-m", MODULE, str(memory), str(seconds), msgspec.json.encode(columns.paths).decode()]
    with subprocess.Popen(  # noqa: S603 - this program itself
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**environment, "ARROW_DEFAULT_MEMORY_POOL": "system"},
    ) as child:  # fmt: skip
        try:
            assert child.stdout is not None
            yield from _told(child.stdout, name, columns)
        finally:
            child.kill()


def _told(out: IO[bytes], name: str, columns: Columns) -> Iterator[tuple[int, list[Any] | Wrong]]:
    number = 0
    while True:
        said = _message(out, name)
        if said.missing:
            raise refused_for([Trouble("is no column", name, 0, each) for each in said.missing])
        if said.broken:
            raise refused(f"is no Parquet file that can be read ({said.broken})", name, number)
        if said.kinds is not None:
            _check(said.kinds, name, columns)
        for row in said.rows or ():
            number += 1
            yield number, row
        if said.end is not None:
            if said.end != number:
                raise refused("is no Parquet file that can be read", name, number)
            return


def _check(kinds: list[str], name: str, columns: Columns) -> None:
    """Raises `RefusedError` for columns that cannot hold what is mapped."""
    wrong = [
        Trouble(f"is of a type (`{found}`) that holds no `{wanted}`{_FIX.get(wanted, '')}", name, 0, ".".join(path))
        for path, found in zip(columns.paths, kinds, strict=True)
        for wanted in columns.kinds[path]
        if found not in TAKEN[wanted]
    ]
    if wrong:
        raise refused_for(wrong)


def _message(out: IO[bytes], name: str) -> _Message:
    head = out.read(4)
    size = struct.unpack(">I", head)[0] if len(head) == 4 else _MESSAGE + 1
    body = out.read(size) if size <= _MESSAGE else b""
    if not body or len(body) != size:
        raise refused("takes too much memory or time to decode; write it in smaller row groups and shorter texts", name)
    return _decode(body)


def installed() -> bool:
    """Whether what decodes it is there."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None
