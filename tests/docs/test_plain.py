"""Plain words in what people read: the READMEs, `--help`, errors, texts of pages and first paragraphs of docstrings.

No sentence has over 30 words; none uses "a" where "per" is meant, nor "say" or "tell" of a program. A code span and a
formatted value are one word each; a semicolon does not end a sentence.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import pytest

from tests.docs import prose
from tests.docs.prose import Sentence
from tests.docs.reading import pages

LONGEST = 30
"""The most words that a sentence may have."""

_COUNTED = (
    r"\d[\d,.]*|one|two|three|four|five|six|eight|nine|ten|twelve|twenty|thirty|forty|fifty|sixty|hundred|thousand|million"
    r"|many|ms|s|µs|kB|KB|MB|GB|[KMGT]iB|CPU|bytes?|(?:micro|milli)?seconds?|minutes|hours|days|rows?|items|calls|acts"
    r"|entries|inquiries|requests|recalls|spans|recipients|connections?|files?|lines?|pages?|subjects|objections"
    r"|questions?|quer(?:y|ies)|tries|messages?|values|statements?|objects?|counts?|commits?|processes|process|pairs?"
    r"|rules?|parts?|times|receipts?|tests?|columns?|fields?|workers?|wheels?|sentences?|documents?"
)
_UNIT = (
    r"second|minute|hour|day|week|month|year|inquiry|request|entry|subject|record|department|client|process|worker|kind"
    r"|row|file|call|page|field|source|official|dataset|commit|connection|core|batch|question|operation|rule|purpose"
    r"|person|organisation|step|line|try|shard|key|byte|look|server|receipt|version|act|group|part|table|value|sentence"
    r"|list|column|item|message|delivery|statement|transaction|document|language|platform|publication|span|count|matter"
    r"|exchange|recipient|requester|gateway|stretch|object|megabyte"
)
_RELATIVE = (
    r"(?!\s(?:would|will|is|was|has|had|may|can|of|serves|sends|gives|needs|holds|keeps|takes|answers|confirms|be)\b)"
)
A_FOR_PER = re.compile(
    rf"(?<![\w'’,.-])(?:{_COUNTED}) an? (?:{_UNIT})(?![\w'’-]){_RELATIVE}"
    r"|`X` an? (?:second|minute|hour|day|call|line)\b"
)
"""A number or what is counted, "a", and what it is counted by, as in "60 a minute" and "one file a department"."""


@functools.cache
def readmes() -> list[Sentence]:
    ours = [page for page in pages() if page.name == "README.md"]
    assert len(ours) > 8
    return [sentence for page in ours for sentence in prose.of_page(page)]


@functools.cache
def helps() -> list[Sentence]:
    return [*prose.of_help()]


@functools.cache
def texts() -> list[Sentence]:
    return [*prose.of_texts()]


@functools.cache
def messages() -> list[Sentence]:
    return [sentence for file in prose.modules() for sentence in prose.of_messages(file)]


@functools.cache
def docstrings() -> list[Sentence]:
    return [sentence for file in prose.modules() for sentence in prose.of_docstrings(file)]


@functools.cache
def of_tests() -> list[Sentence]:
    return [sentence for file in prose.modules(("tests",)) for sentence in prose.of_docstrings(file)]


SAYING = re.compile(r"\b(?:say|says|said|saying|tell|tells|told|telling)\b", re.IGNORECASE)
"""Words for what people do; a program prints, reports, records or enters, and a person is notified or informed."""

SAID = {
    "told side": "one side of a stored entry, as FORMAT.md calls it",
    "told and the oversight part": "the parts of an entry's two sides, as FORMAT.md calls them",
    "outcome told": "the name of a field of the API",
    "Said | Note": "the name of a type",
}
"""Where one of these words stays, and why."""

Read = Callable[[], list[Sentence]]
SOURCES: dict[str, tuple[Read, int]] = {
    "readmes": (readmes, 1_500),
    "helps": (helps, 500),
    "texts": (texts, 1_500),
    "messages": (messages, 3_000),
    "docstrings": (docstrings, 4_000),
    "of tests": (of_tests, 2_000),
}
"""What people read, and how many sentences there are at least, so that a collector that finds nothing is noticed."""


def too_long(sentence: Sentence) -> bool:
    return len(sentence.text.split()) > LONGEST


def a_for_per(sentence: Sentence) -> bool:
    return A_FOR_PER.search(sentence.text) is not None


def saying(sentence: Sentence) -> bool:
    return SAYING.search(sentence.text) is not None and not any(right in sentence.text for right in SAID)


def shown(found: list[Sentence]) -> str:
    return "\n".join(f"{sentence.place}: {sentence.text}" for sentence in found)


@pytest.mark.parametrize("name", SOURCES)
def test_a_sentence_has_at_most_30_words(name: str) -> None:
    read, least = SOURCES[name]
    assert len(read()) > least
    assert shown([sentence for sentence in read() if too_long(sentence)]) == ""


@pytest.mark.parametrize("name", SOURCES)
def test_per_is_not_written_as_a(name: str) -> None:
    read, _ = SOURCES[name]
    assert shown([sentence for sentence in read() if a_for_per(sentence)]) == ""


@pytest.mark.parametrize("name", ["readmes", "helps", "texts", "messages", "docstrings"])
def test_programs_print_report_record_and_enter(name: str) -> None:
    read, _ = SOURCES[name]
    assert shown([sentence for sentence in read() if saying(sentence)]) == ""


def test_each_exception_is_needed() -> None:
    everything = " ".join(sentence.text for read, _ in SOURCES.values() for sentence in read())
    assert [each for each in SAID if each not in everything] == []


@pytest.mark.parametrize(
    "text",
    ["60 a minute", "`X` a second", "2 ms an inquiry", "CPU an inquiry", "one file a department", "a line a shard"],
)
def test_a_planted_a_for_per_is_found(text: str) -> None:
    assert a_for_per(Sentence("here", text))


@pytest.mark.parametrize(
    "text", ["60 per minute", "once a day", "one at a time", "what names a record", "records an inquiry would be given"]
)
def test_other_as_are_not(text: str) -> None:
    assert not a_for_per(Sentence("here", text))


def test_where_sentences_end() -> None:
    text = "One; still one (e.g. here). Two of Art. 12? Three:\n\n- four\n- `a. B` five\n\n| six | seven. Eight |\n"
    assert len([*prose.split(prose.plain(text))]) == 8
    assert too_long(Sentence("here", "word " * 31))
    assert not too_long(Sentence("here", "word " * 30))
