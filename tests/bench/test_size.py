"""`gateway/ledger/SIZE.md` says what entries take, as it is measured now."""

from __future__ import annotations

from pathlib import Path

from tests.bench import size
from tests.docs.reading import ROOT, code, table

PAGE = ROOT / "gateway" / "ledger" / "SIZE.md"


def test_the_page_has_every_part_and_what_it_takes(tmp_path: Path) -> None:
    _, _, measured = PAGE.read_text("utf-8").partition("| part |")
    told = {(row[0], code(row[1])[0]): float(row[2]) for row in table(f"| part |{measured}") if code(row[1])}
    found = {(part.what, part.name): part.each for part in size.measure(tmp_path, 2_000)}
    assert {name for name in found if found[name] >= 20} <= set(told)
    for name, each in told.items():
        # Pages that are begun weigh more where there are fewer entries: up to 16 kB per table or index.
        assert 0.7 * each <= found.get(name, 0.0) <= 1.3 * each + 16, (name, each, found.get(name))
