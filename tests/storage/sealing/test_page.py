"""The page of what a copy tells has every column of every table: sealed, or readable for a reason."""

from __future__ import annotations

import re

from gateway.storage.sealing.columns import Name, Sealed
from gateway.storage.whole import metadata
from tests.docs.reading import ROOT


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    text = (ROOT / "gateway" / "storage" / "SEALED.md").read_text("utf-8")
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def test_what_is_sealed_is_listed() -> None:
    told = {min(named(table)): (named(found), named(rest)) for table, found, rest in rows("Sealed")}
    real = {}
    for table in metadata.tables.values():
        sealed = [each for each in table.c if isinstance(each.type, Sealed)]
        found = {each.name for each in sealed if isinstance(each.type, Name)}
        if sealed:
            real[table.name] = (found, {each.name for each in sealed} - found)
    assert told == real


def test_what_is_readable_is_listed_with_why() -> None:
    told = {}
    for table, columns, why in rows("Readable"):
        told[min(named(table))] = named(columns)
        assert why.endswith(".")
    assert told == {
        table.name: {each.name for each in table.c if not isinstance(each.type, Sealed)}
        for table in metadata.tables.values()
    }
