"""The decision records: complete, in the index, and about files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.reading import ROOT, inline, missing, table

FOLDER = ROOT / "gateway" / "adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Options", "Decision", "What it costs"]


def title(text: str) -> tuple[str, str]:
    """A record's number and title."""
    found = re.match(r"# (\d+)\.? (\S.*)", text)
    assert found, "a record begins with `# ` and its number"
    return found[1], found[2]


@pytest.mark.parametrize("record", RECORDS, ids=[record.stem for record in RECORDS])
def test_a_record_has_its_number_its_parts_and_names_what_exists(record: Path) -> None:
    text = record.read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert [heading.partition(",")[0] for heading in headings] == PARTS
    assert int(title(text)[0]) == int(record.stem[:4])
    files = [
        name for name in inline(record) if re.fullmatch(r"(gateway|connectors|policies|deploy|tests)/[\w./]+", name)
    ]
    assert missing(files) == []


def test_the_index_has_every_record_by_its_title() -> None:
    told = {}
    for link, said in table((FOLDER / "README.md").read_text("utf-8")):
        found = re.fullmatch(r"\[(\d{4})\]\((\d{4}-[\w-]+\.md)\)", link)
        assert found, link
        assert found[2].startswith(found[1])
        told[found[2]] = said
    assert told == {record.name: title(record.read_text("utf-8"))[1] for record in RECORDS}
