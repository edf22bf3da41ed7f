"""Numbered lists count on: an item that a new line break put into the one before is found by the number after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.docs.prose import without_code
from tests.docs.reading import ROOT, pages

_ITEM = re.compile(r"( *)(\d{1,2})\. ")


def miscounted(text: str) -> Iterator[str]:
    """Each item whose number does not follow the one before it in its list."""
    last: dict[str, int] = {}
    before = ""
    for line in without_code(text).splitlines():
        found = _ITEM.match(line)
        if found:
            number = int(found[2])
            if number != last.get(found[1], 0) + 1 and number != 1:
                yield line
            last[found[1]] = number
        elif not before and line[:1].strip():
            last.clear()
        before = line.strip()


def test_each_numbered_list_counts_on() -> None:
    counted = [page for page in pages() if _ITEM.search(page.read_text("utf-8"))]
    assert len(counted) > 5
    wrong = {str(page.relative_to(ROOT)): [*miscounted(page.read_text("utf-8"))] for page in counted}
    assert {page: lines for page, lines in wrong.items() if lines} == {}


def test_an_item_that_ran_into_another_is_found() -> None:
    assert [*miscounted("1. One.\n2. Two. 3. Three.\n4. Four.\n5. Five.\n")] == ["4. Four."]
    assert [*miscounted("1. One.\n\n   More.\n2. Two.\n   1. Within.\n3. Three.\n\nText.\n\n1. Again.\n")] == []
