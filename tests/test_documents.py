"""YAML texts: what is read of them, whichever way they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import documents
from gateway.errors import Problem
from gateway.values import Document


def read(source: str) -> tuple[Any, list[Problem]]:
    """What a text is, and the problems with it."""
    document = Document("x.yaml", Path.cwd(), [])
    node = documents.parse(source, document)
    return (None if node is None else node.plain()), document.problems


def test_folded_text_is_folded_and_has_no_other_character() -> None:
    found, problems = read("a: >\n  one\n  two\n\n  three\nb: |\n  one\n  two\n")
    assert (found, problems) == ({"a": "one two\nthree\n", "b": "one\ntwo\n"}, [])


@pytest.mark.parametrize(
    "text", ["a: # why\n  b\n\n", "a:  # why\n\n  # more\n  b\n# end\n", "# a\n\na: b # c\n\n# d\n"]
)
def test_comments_are_passed_over_wherever_they_stand(text: str) -> None:
    assert read(text) == ({"a": "b"}, [])


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: &x 2\n", 2, 4, "anchors, aliases and tags are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab stands here"),
        ("a: [1, 2\n", 2, 1, "is not YAML"),
        ("# nothing\n", 1, 1, "is empty"),
        ("[a]: b\n", 1, 1, "a key must be a word"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", 1, 53, "is nested more than 50 deep"),
    ],
)
def test_what_is_refused_has_its_place(text: str, line: int, column: int, says: str) -> None:
    _, (problem, *more) = read(text)
    assert ((problem.line, problem.column), more) == ((line, column), [])
    assert problem.message.startswith(says)


def test_both_ways_of_reading_read_the_same() -> None:
    """What begins with `---` is read word by word first, all else at once."""
    for file in sorted(Path("policies").rglob("*.yaml")):
        source = file.read_text("utf-8")
        assert read(source) == read(f"---\n{source}"), file
        assert read(source)[0]
