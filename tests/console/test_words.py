"""All that people read on a page is in the language's file: a language that is none shows what is not."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from gateway import console
from gateway.console import words
from gateway.console.names import Named, Names
from gateway.console.words import Words
from gateway.rules.load import load

TEMPLATES = Path(console.__file__).parent / "templates"
_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&[a-z]+;", re.S)
_IN_ATTRIBUTE = re.compile(r'(?:aria-label|title|alt|placeholder|data-label)="((?:[^"{]|\{[^{%])+)"')


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES)))
def test_no_template_has_a_word_of_its_own(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.findall(r"[A-Za-z]{2,}", _TEXT.sub(" ", text).replace("<!doctype", ""))
    assert not _IN_ATTRIBUTE.findall(text)


def test_a_word_in_a_template_is_found() -> None:
    assert re.findall(r"[A-Za-z]{2,}", _TEXT.sub(" ", "<p>{{ w('a') }} Hello</p>")) == ["Hello"]
    assert _IN_ATTRIBUTE.findall('<nav aria-label="Your pages">') == ["Your pages"]


def test_every_text_that_a_template_or_room_names_is_there() -> None:
    texts = words.read("en")
    named = set()
    for file in [*TEMPLATES.rglob("*.html"), *TEMPLATES.parent.rglob("*.py")]:
        named |= set(re.findall(r"""\b(?:w|words)\(\s*["']([a-z_.A-Z]+)["']\s*[,)]""", file.read_text("utf-8")))
    assert named
    assert named <= texts.keys()


def test_what_is_filled_in_is_escaped() -> None:
    told = Words({"a": "<b>{x}</b>"})("a", x="<script>")
    assert told == "<b>&lt;script&gt;</b>"
    assert Words({}).get("none", "<i>") == "&lt;i&gt;"


def test_days_and_amounts_are_as_people_write_them() -> None:
    texts = Words(words.read("en"), lambda: datetime.timezone(datetime.timedelta(hours=2)))
    assert texts.day("2026-11-30") == "Monday 30 November 2026"
    assert texts.moment("2026-11-30T23:12:00Z") == "Tuesday 1 December 2026, 01:12"
    assert texts.written("85632.76") == "85,632.76"
    for same in ("2024", "E 7861/2024", "-", "2026-13-01", "00123456"):
        assert texts.written(same) == same
    assert texts.several(["a", "<b>", "c"]) == "a, &lt;b&gt; and c"
    assert texts.several([]) == ""


def test_sentences_of_what_changes_have_titles_where_there_are_any() -> None:
    rules = load(Path("policies"))
    names = Names(lambda: Named(rules.policies.catalogue, rules.policies.purposes), Words({}))
    told = names.spoken(
        "For TENDER_QUALIFICATION: `wage-arrears.amount`, `tax-arrears` (amount, period), `no-such`, <b>."
    )
    assert told == (
        "For “Qualification of a tenderer for a public contract”: “Findings of unpaid wages: Unpaid amount”,"
        " “Notices of tax arrears” (Amount due, Tax period), `no-such`, <b>."
    )
    assert names.spoken("A `rule` of ALL_OTHERS (x).") == "A `rule` of ALL_OTHERS (x)."


def test_templates_can_be_compiled() -> None:
    environment: Any = Environment(autoescape=True)
    for file in TEMPLATES.rglob("*.html"):
        environment.parse(file.read_text("utf-8"))
