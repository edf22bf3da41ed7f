"""Where a word stands in the text of a Cedar policy.

Cedar's parser and validator name what is wrong but not where. With one rule per file, the word can be looked for in the
text, past comments and inside strings only where it is a string. Nothing here judges a rule. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*")
  | (?P<word>[A-Za-z_]\w*)
  | (?P<number>\d+)
  | (?P<mark>::|==|!=|<=|>=|&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One token: `kind` is `string`, `word`, `number` or `mark`; `start` and `end` are offsets in the text."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a Cedar text, without white space and comments; never fails, whatever the text."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        if kind != "skip":
            yield Token(kind, match[0], match.start(), match.end())


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of an offset in the text."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def find(text: str, *sequence: str) -> int | None:
    """The offset of the last of `sequence`, where these tokens first stand one after another; `None` if nowhere.

    A string is written with its quotes.
    """
    found = list(tokens(text))
    for index in range(len(found) - len(sequence) + 1):
        if all(found[index + step].text == wanted for step, wanted in enumerate(sequence)):
            return found[index + len(sequence) - 1].start
    return None


def annotation(text: str, name: str) -> int | None:
    """The offset of the value of `@name("...")`, or of its name where it has no value; `None` if it is not there."""
    found = [*tokens(text), Token("mark", "", len(text), len(text))]
    for index in range(len(found) - 2):
        if found[index].text == "@" and found[index + 1].text == name:
            has_value = index + 3 < len(found) and found[index + 2].text == "(" and found[index + 3].kind == "string"
            return found[index + 3 if has_value else index + 1].start
    return None


def effects(text: str) -> list[int]:
    """The offsets of every `permit (` and `forbid (`: one for each rule."""
    found = list(tokens(text))
    return [
        token.start
        for index, token in enumerate(found[:-1])
        if token.text in ("permit", "forbid") and found[index + 1].text == "("
    ]


def deeper(text: str, limit: int) -> int | None:
    """The offset of the first bracket that stands more than `limit` brackets deep; `None` where none does."""
    depth = 0
    for token in tokens(text):
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > limit:
                return token.start
        elif token.text in (")", "]", "}"):
            depth -= 1
    return None
