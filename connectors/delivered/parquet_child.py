"""Decodes one Parquet file in a process of its own, which ends when it takes too much memory or time.

    python -m connectors.delivered.parquet_child BYTES SECONDS PATHS <FILE >ROWS

Its standard input is the file, already open; it opens nothing else, and has nothing to open: Arrow's extensions are
off, and no address is ever handed to it. It writes messages of MessagePack, each behind its length: first the kind of
each column or why it cannot be read, then lists of rows, at last how many they were.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from typing import Any, BinaryIO

import msgspec

BATCH = 1000
"""Rows of one message."""
_FILES = 64


def kind(type_: Any) -> str:
    """What a column of an Arrow type is, in the words of `parquet_rows`; the type's own name where it is none."""
    import pyarrow.types as are

    checks = {
        "text": (are.is_string, are.is_large_string), "whole": (are.is_integer,), "truth": (are.is_boolean,),
        "decimal": (are.is_decimal,), "float": (are.is_floating,), "date": (are.is_date,),
    }  # fmt: skip
    for name, those in checks.items():
        if any(check(type_) for check in those):
            return name
    return "moment" if are.is_timestamp(type_) and type_.tz else str(type_)[:100]


def _texts(array: Any, kind: str) -> list[Any]:
    import pyarrow as pa

    if kind == "moment":  # nanoseconds that Python's own type could not hold are cut off, as everywhere
        array = array.cast(pa.timestamp("us", "UTC"), safe=False)
    values = array.to_pylist()
    if kind in ("date", "moment"):
        return [None if value is None else value.isoformat() for value in values]
    if kind == "decimal":
        return [None if value is None else format(value, "f") for value in values]
    return list(values)


def _column(batch: Any, path: list[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = batch.column(path[0])
    array = pc.struct_field(array, path[1:]) if path[1:] else array
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def work(file: BinaryIO, paths: list[list[str]], out: BinaryIO) -> None:
    """Write the file's rows, each with its values in the order of `paths`."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    def say(message: Any) -> None:
        body = msgspec.msgpack.encode(message)
        out.write(struct.pack(">I", len(body)) + body)

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        opened = ParquetFile(pa.PythonFile(file, "r"), memory_map=False, pre_buffer=False, buffer_size=2**16,
                             arrow_extensions_enabled=False)  # fmt: skip
        types, missing, schema = [], [], opened.schema_arrow
        for path in paths:
            type_: Any = pa.struct(list(schema))
            for name in path:
                if not pa.types.is_struct(type_) or type_.get_field_index(name) < 0:
                    missing.append(".".join(path))
                    break
                type_ = type_.field(name).type
            types.append(kind(type_.value_type if pa.types.is_dictionary(type_) else type_))
        if missing:
            say({"missing": missing})
            return
        say({"kinds": types})
        rows = 0
        columns = [".".join(path) for path in paths]
        for batch in opened.iter_batches(batch_size=BATCH, columns=columns, use_threads=False):
            values = [_texts(_column(batch, path), each) for path, each in zip(paths, types, strict=True)]
            rows += len(batch)
            say({"rows": list(zip(*values, strict=True))})
        say({"end": rows})
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        say({"broken": type(error).__name__})


def main(memory: int, seconds: int, paths: list[list[str]]) -> None:
    """Bound this process, and decode its standard input."""
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401 - before memory is bounded: the libraries are large, and ours

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    with os.fdopen(0, "rb") as file, os.fdopen(1, "wb") as out:
        work(file, paths, out)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__)
        sys.exit(0 if sys.argv[1:] == ["--help"] else 2)
    main(int(sys.argv[1]), int(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=list[list[str]]))
