"""A language that is none: each letter of its texts is of another alphabet, so that what is not from its file shows.

It has the tag of one with an alphabet of its own, by which browsers write days and lists.

What a page marks as English (`lang`) is what the API says about rules, and what is marked as code is an id.

What a page shows in plain letters is a name or a value (of the catalogue, of a record, of somebody), or stands in code.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from ruamel.yaml import YAML

from gateway.texts.words import ENGLISH

_YAML = YAML(typ="safe")
_KEPT = re.compile(r"(<[^>]*>|&\w+;|\{[^}]*\})")
_WIDE = {ord(each): ord(each) + 0xFEE0 for each in map(chr, (*range(0x41, 0x5B), *range(0x61, 0x7B)))}
_PLAIN = re.compile(r"[A-Za-z]{2,}")
_NUMBERED = re.compile(r"\b[0-9a-f]{4} [0-9a-f]{4}\b|[\w./@#:-]*[0-9][\w./@#:-]*")
"""An identifier, a number of a paper, a version: it has a figure somewhere, but for an id as it is shown in short."""
_ID = re.compile(r"\b[0-9a-f]{32}\b")
"""Taken out as a whole before the data: a number of that may stand in it, and its letters would be left."""
_FILE = re.compile(r"[\w/-]+\.(?:cedar|yaml)")
_BASIS = re.compile(r'@basis\("([^"]+)"\)')
_SHOWN = ("title", "aria-label", "aria-description", "placeholder", "alt", "data-label")
_NO_TEXT = {"script", "style", "code", "pre", "textarea", "svg"}
_VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect", "circle", "line"}
TITLES = ("title", "law", "open_law", "agreed_by")


def write(file: Path) -> None:
    """The language's file."""
    texts = tomllib.loads(ENGLISH.read_text("utf-8"))
    del texts["language"]
    file.write_text("\n".join(["language = 'bg'", *_lines(texts, "")]), "utf-8")


def _lines(texts: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, value in texts.items():
        key = f'{above}"{name}"'
        if isinstance(value, dict):
            yield from _lines(value, f"{key}.")
        else:
            yield f"{key} = '''{strange(value)}'''"


def strange(text: str) -> str:
    """A text with letters of another alphabet; what is filled in, and markup, are as they were."""
    parts = _KEPT.split(text)
    return "".join(part if place % 2 else part.translate(_WIDE) for place, part in enumerate(parts))


class _Seen(HTMLParser):
    """Each text of a page that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            given = dict(attrs)
            in_english = tag != "html" and given.get("lang") == "en"
            self._open.append("code" if in_english or given.get("role") == "textbox" else tag)
        self.texts += [value for name, value in attrs if name in _SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not _NO_TEXT & set(self._open):
            self.texts.append(" ".join(data.split()))


def drawn(page: Page) -> str:
    """A page as its scripts have made it, with what stands in their editors."""
    return str(page.evaluate(_DRAWN))


_DRAWN = """() => document.documentElement.getHTML({
    shadowRoots: [...document.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean),
})"""


def plain(page: str, data: Iterable[str]) -> list[str]:
    """What a page shows in plain letters beside `data`, the longest of it first."""
    seen = _Seen()
    seen.feed(page)
    known = sorted({*data}, key=lambda each: -len(each))
    found = []
    for text in seen.texts:
        left = _ID.sub(" ", _FILE.sub(" ", text))
        for each in known:
            left = left.replace(each, " ")
        if _PLAIN.search(_NUMBERED.sub(" ", left)):
            found.append(text)
    return list(dict.fromkeys(found))


def titles(policies: Path) -> set[str]:
    """What policies call things, in the words of whoever wrote them: titles, laws and agreements."""
    found = set[str]()
    for file in policies.rglob("*.yaml"):
        if "tests" not in file.relative_to(policies).parts:
            found |= {*_titled(_YAML.load(file))}
    for file in policies.rglob("*.cedar"):
        found |= set(_BASIS.findall(file.read_text("utf-8")))
    return {each for each in found if _PLAIN.search(each)}


def _titled(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name in TITLES and isinstance(value, str):
                yield value
            yield from _titled(value)
    elif isinstance(node, list):
        for each in node:
            yield from _titled(each)
