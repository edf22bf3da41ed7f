"""All that people read on a page is in the language's file: a language that is none shows what is not."""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from gateway import console
from gateway.console.names import Named, Names
from gateway.rules.load import load
from gateway.texts import words
from gateway.texts.words import Words
from gateway.web.frame import Frame

TEMPLATES = Path(console.__file__).parent / "templates"
GATEWAY = TEMPLATES.parent.parent
PAGES = [GATEWAY / "console", GATEWAY / "web", GATEWAY / "public", GATEWAY / "texts"]
"""What makes pages."""
SCRIPTS = sorted((GATEWAY / "web" / "static" / "source").rglob("*.js"))
_IN_SCRIPT = re.compile(r"""\b(?:text|parts|number)\((?:[^"`()]* \? )?["`]([\w.${}]+)["`](?: : "([\w.]+)")?""")
PLAYGROUND = GATEWAY / "web" / "playground.html"
_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&[a-z]+;", re.S)
_IN_ATTRIBUTE = re.compile(r'(?:aria-label|title|alt|placeholder|data-label)="((?:[^"{]|\{[^{%])+)"')


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES)))
def test_no_template_has_a_word_of_its_own(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.findall(r"[A-Za-z]{2,}", _TEXT.sub(" ", text).replace("<!doctype", ""))
    assert not _IN_ATTRIBUTE.findall(text)


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES)))
def test_only_what_the_api_says_is_marked_as_english(file: Path) -> None:
    """A text of the pages that is marked so would be hidden from the test that reads every page."""
    assert _wrongly_english(file.read_text("utf-8")) == []


def test_a_text_of_the_pages_that_is_marked_as_english_is_found() -> None:
    assert _wrongly_english('<p lang="en">{{ w("a.b") }}</p>') == ['w("a.b")']
    assert (
        _wrongly_english('<ul lang="en">{% for each in it %}<li>{{ names.spoken(each) }}</li>{% endfor %}</ul>') == []
    )
    assert _wrongly_english('<p lang="en">{{ reason }}</p><p>{{ reason }}</p>') == ["reason"]


_ENGLISH = re.compile(r'<(\w+)[^>]*\blang="en"[^>]*>(.*?)</\1>', re.S)
_OF_THE_API = re.compile(
    r"names\.spoken\((text|each|each\.text|each\.why)\)( \| replace\(\"`\", \"\"\))?"
    r"|names\.found\(finding\.words, finding\.department\)"
    r"|each\.message"
    r'|each if name == "failures" else names\.spoken\(each\)'
)
"""What the API says of rules, problems and findings, and of tests that fail."""


def _wrongly_english(text: str) -> list[str]:
    inside = [each for _, content in _ENGLISH.findall(text) for each in re.findall(r"\{\{ (.*?) \}\}", content)]
    return [each for each in inside if not _OF_THE_API.fullmatch(each)]


def test_a_word_in_a_template_is_found() -> None:
    assert re.findall(r"[A-Za-z]{2,}", _TEXT.sub(" ", "<p>{{ w('a') }} Hello</p>")) == ["Hello"]
    assert _IN_ATTRIBUTE.findall('<nav aria-label="Your pages">') == ["Your pages"]


def test_every_text_that_a_template_or_room_names_is_there() -> None:
    texts = words.read()
    named = set()
    for file in [*TEMPLATES.rglob("*.html"), *(file for folder in PAGES for file in folder.rglob("*.py"))]:
        named |= set(re.findall(r"""\b(?:w|words|self)\(\s*["']([a-z_.A-Z]+)["']\s*[,)]""", file.read_text("utf-8")))
    assert named
    assert named <= texts.keys()


def test_every_text_that_a_script_names_is_there() -> None:
    found = _in_scripts()
    texts = words.read()
    assert len(found) > 50
    for name in found:
        formed = re.compile(re.escape(name).replace(re.escape(_PART), r"\w+"))
        assert any(formed.fullmatch(each.removesuffix(".one")) for each in texts), name


def _in_scripts() -> set[str]:
    """The names of texts in scripts, with `_PART` for what is put in."""
    names = (name for file in SCRIPTS for found in _IN_SCRIPT.findall(file.read_text("utf-8")) for name in found)
    return {f"scripts.{re.sub(r'[$][{].*?[}]', _PART, name)}" for name in names if name}


def test_every_text_is_named_by_a_template_or_room() -> None:
    """A name that is put together counts where each part of it that differs is a word of the gateway's."""
    said, formed = _named()
    assert [name for name in words.read() if name not in said and not _is_formed(name, said, formed)] == []


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("roles.steward", True), ("diff.widens_too", True), ("reporting.no_scheme", True), ("days.7", True),
        ("rooms.my.overview", True), ("inquiry.lived.answered.APPLIED", True), ("diff.counts.open.many", True),
        ("frame.steward", False), ("roles.stewardess", False), ("diff.stewardess_too", False), ("roles.my.none", False),
        ("diff.counts.open.several", False), ("recalls.steward", False),
    ],
)  # fmt: skip
def test_a_name_that_nothing_forms_is_found(name: str, is_there: bool) -> None:
    assert _is_formed(name, *_named()) == is_there


_PART = "*"


def _is_formed(name: str, said: Set[str], formed: Sequence[re.Pattern[str]]) -> bool:
    found = [match for pattern in formed if (match := pattern.fullmatch(name))]
    return any(
        all(part.isdecimal() or part in said or _is_formed(part, said, formed) for part in match.groups())
        for match in found
    )


@functools.cache
def _named() -> tuple[Set[str], Sequence[re.Pattern[str]]]:
    """All words of the gateway's, and what names its pages put together."""
    said, made = set[str](), set[str]()
    for file in TEMPLATES.rglob("*.html"):
        tree = Environment(autoescape=True).parse(file.read_text("utf-8"))
        said |= {each.value for each in tree.find_all(nodes.Const) if isinstance(each.value, str)}
        made |= set(_put_together(tree, {}))
    said |= set(re.findall(r"\{\{ (\w+) \}\}", PLAYGROUND.read_text("utf-8")))
    for file in [*GATEWAY.rglob("*.py"), *GATEWAY.parent.glob("connectors/base.py")]:
        for each in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                said.add(each.value)
            elif isinstance(each, ast.Name):
                said.add(each.id)
            elif isinstance(each, ast.JoinedStr) and set(PAGES) & set(file.parents):
                made.add("".join(str(part.value) if isinstance(part, ast.Constant) else _PART for part in each.values))
    said |= _in_scripts()
    made |= _in_scripts()
    said |= {f"{name}.{number}" for name in said for number in ("one", "many")}  # as `Words.number` names them
    names = sorted(name for name in made if re.fullmatch(r"[a-zA-Z_.*]+", name) and name.strip("*."))
    return said, [re.compile(re.escape(name).replace(re.escape(_PART), "(.+)")) for name in names]


def _put_together(node: nodes.Node, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What each `~` below can make, with `_PART` for what is not known; `known` is what loops go through."""
    if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name):
        each = node.iter.items if isinstance(node.iter, (nodes.Tuple, nodes.List)) else []
        through = [value for one in each for value in _can_be(one, known)]
        known = {**known, node.target.name: through or [_PART]}
    if isinstance(node, nodes.Concat):
        yield from map("".join, itertools.product(*(list(_can_be(each, known)) for each in node.nodes)))
    for below in node.iter_child_nodes():
        yield from _put_together(below, known)


def _can_be(node: nodes.Node, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if isinstance(node, nodes.Const):
        return [str(node.value)]
    if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        return [*_can_be(node.expr1, known), *_can_be(node.expr2, known)]
    return known.get(node.name, [_PART]) if isinstance(node, nodes.Name) else [_PART]


def test_sentences_of_what_changes_have_titles_where_there_are_any() -> None:
    rules = load(Path("policies"))
    names = Names(lambda: Named.of(rules), Words({}))
    told = names.spoken(
        "For TENDER_QUALIFICATION: `wage-arrears.amount`, `tax-arrears` (amount, period), `no-such`, <b>."
    )
    assert told == (
        "For “Qualification of a tenderer for a public contract”: “Findings of unpaid wages: Unpaid amount”,"
        " “Notices of tax arrears” (Amount due, Tax period), `no-such`, <b>."
    )
    assert names.spoken("LICENCE_RENEWAL, `tax-arrears`: it lists amount, period now.").endswith(
        ", “Notices of tax arrears”: it lists “Amount due”, “Tax period” now."
    )
    assert names.spoken("`no-such`: it lists amount no more.") == "`no-such`: it lists amount no more."
    assert names.spoken("A `rule` of ALL_OTHERS (x).") == "A `rule` of ALL_OTHERS (x)."


def test_sentences_of_what_changes_have_days_as_people_write_them() -> None:
    names = Names(lambda: Named.of(load(Path("policies"))), Words(words.read()))
    assert names.spoken("Held 2026-01-01 to 2028-12-31.") == (
        "Held Thursday 1 January 2026 to Sunday 31 December 2028."
    )


def test_officers_are_called_as_people_write_them_with_ids_where_two_are_called_alike() -> None:
    rules = load(Path("policies"))
    named = Named.of(rules)._replace(officers={"olsen": "P. Olsen", "costa": "A. Costa", "costa.b": "A. Costa"})
    names = Names(lambda: named, Words({}))
    assert [names.officer(each) for each in ("olsen", "costa", "costa.b")] == [
        "P. Olsen", "A. Costa (costa)", "A. Costa (costa.b)",
    ]  # fmt: skip
    assert [names.officer(each) for each in ("tax", "whoever")] == ["Tax Service", "whoever"]
    assert Names(lambda: Named.of(rules), Words({})).officer("ilves") == "P. Ilves"


def test_templates_can_be_compiled() -> None:
    environment: Any = Environment(autoescape=True)
    for file in TEMPLATES.rglob("*.html"):
        environment.parse(file.read_text("utf-8"))


@pytest.mark.parametrize(("language", "direction"), [("en-GB", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("arn", "ltr")])
def test_a_page_begins_its_lines_where_its_language_does(language: str, direction: str) -> None:
    page = Frame(Words({**words.read(), "language": language}), "start.title", "").response("").body
    assert f'<html lang="{language}" dir="{direction}">'.encode() in bytes(page)
    assert 'dir="{{ w.direction }}"' in (TEMPLATES / "frame.html").read_text("utf-8")


def test_the_style_names_no_side() -> None:
    style = (TEMPLATES.parent / "assets" / "style.css").read_text("utf-8")
    sides = r"(?:margin|padding|border)-(?:left|right)|text-align: (?:left|right)|[\s;](?:left|right):"
    assert re.findall(sides, style) == []
