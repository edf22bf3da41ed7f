"""What a ledger of many entries costs, computed from what a small one has.

    python -m tests.bench.size [--entries 4000]

enters so many inquiries on a PostgreSQL of its own, projects them, archives them into a folder, and prints for each
table, index and part of the archive the bytes that an entry takes, and what 1,000,000,000 take.
`gateway/ledger/SIZE.md` has the last one; a test holds it to what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from gateway.config import settings
from gateway.ledger.archiving import write
from gateway.ledger.projections.projector import Projector
from gateway.ledger.stored import read
from gateway.storage.archive.places import Folder
from gateway.storage.store import open_configured
from tests.bench import data, world
from tests.faults import start
from tests.ports import free_port
from tests.services import postgres

MANY = 1_000_000_000
LEAST = 5
"""Bytes an entry below which a part is of a size of its own: one page, or one row per shard."""
_SIZES = """SELECT c.relname, c.relkind, pg_relation_size(c.oid) + COALESCE(pg_total_relation_size(
    NULLIF(c.reltoastrelid, 0)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')"""


class Part(NamedTuple):
    """A part of what is stored, and the bytes of it that an entry takes."""

    what: str
    name: str
    each: float


def measure(folder: Path, entries: int) -> list[Part]:
    """The parts of a ledger of so many entries, each with one subject of its own; the largest first."""
    with postgres(fsync="on") as server:
        departments = dict.fromkeys(data.DEPARTMENTS, "http://127.0.0.1:9")
        placed = {"store": server.url(server.database()), "durability": "single-node"}
        config = world.write(folder / "own", departments, start.ISSUER, free_port(), **placed)
        empty = _sizes(config)
        asyncio.run(start.fill(config, entries))
        store = open_configured(settings.load(config, {}))
        try:
            projector = Projector(store)
            while projector.turn():
                pass
            projector.close()
            found = [
                Part("index" if kind == "i" else "table", name, (size - empty.get((name, kind), 0)) / entries)
                for (name, kind), size in _sizes(config).items()
            ]
            with contextlib.closing(store.reader()) as reader:
                head = next(head for head in read.heads(reader) if head.name == "1")
                at = datetime.datetime.now(datetime.UTC)
                write.write(Folder(folder / "archive"), reader, head, entries, at, lambda *_: None)
        finally:
            store.close()
    for name in ("payload", "tile"):
        files = [path for path in (folder / "archive" / "1" / name).rglob("*") if path.is_file()]
        found.append(Part("archive", name, sum(path.stat().st_size for path in files) / entries))
    return sorted((part for part in found if part.each >= LEAST), key=lambda part: -part.each)


def _sizes(config: Path) -> dict[tuple[str, str], int]:
    """Bytes of each table (`r`) and index (`i`)."""
    store = open_configured(settings.load(config, {}))
    try:
        with store.engine.connect() as connection:
            rows = connection.execute(text(_SIZES)).all()
            return {
                (str(name), kind if isinstance(kind, str) else kind.decode()): int(size) for name, kind, size in rows
            }
    finally:
        store.close()


def table(parts: list[Part]) -> str:
    """The parts as Markdown, with what `MANY` entries take."""
    lines = ["| part | name | bytes per entry | of 1,000,000,000 |", "| --- | --- | --- | --- |"]
    lines += [f"| {part.what} | `{part.name}` | {part.each:.0f} | {part.each * MANY / 1e9:,.0f} GB |" for part in parts]
    for what, of in (("in the store", ("table", "index")), ("in the archive", ("archive",))):
        whole = sum(part.each for part in parts if part.what in of)
        lines.append(f"| all | {what} | {whole:.0f} | {whole * MANY / 1e9:,.0f} GB |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.size", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=4_000, metavar="N", help="how many are entered (default: 4,000)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dutybound-size-") as folder:
        parts = measure(Path(folder), asked.entries)
    print(json.dumps([part._asdict() for part in parts]) if asked.json else table(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
