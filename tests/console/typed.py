"""What stands in the fields of a page, and whether a form that was refused has everything that was typed."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import httpx

TURNED = "Word for word \u202e."
"""A text that the API takes nowhere: it has a character that turns the direction of what follows."""


class Form(HTMLParser):
    """What stands in the fields of a page, by name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self._area: str | None = None
        self._list = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if chosen:
                self.values.setdefault(str(given["name"]), []).append(given.get("value") or "")
        elif tag == "textarea":
            self._area = given.get("name")
            if self._area:
                self.values.setdefault(self._area, []).append("")

        elif tag == "select":
            self._list = str(given.get("name"))
        elif tag == "option" and "selected" in given:
            self.values.setdefault(self._list, []).append(given.get("value") or "")

    def handle_data(self, data: str) -> None:
        """Note what stands in a text."""
        if self._area:
            self.values[self._area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """A text ends."""
        if tag == "textarea":
            self._area = None


def came_back(answer: httpx.Response, given: Mapping[str, Any]) -> None:
    """A refused form has every value that was typed, and says what is wrong."""
    assert answer.status_code in (409, 422), answer.text
    assert "<title>Error:" in answer.text
    assert 'class="errors"' in answer.text
    assert "`" not in answer.text.split('class="errors"')[1].split("</section>")[0]  # no name of the API's
    shown = Form(answer.text).values
    for name, value in given.items():
        if name in ("checked", "do", "kind", "seen"):  # nothing that was typed
            continue
        values = value if isinstance(value, list) else [value]
        found = [each.strip() for each in shown.get(name, [])]
        assert set(values) <= set(found), (name, values, found)
