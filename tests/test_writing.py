"""What text that is kept may not have is named with its place."""

from __future__ import annotations

import pytest

from gateway.proposals.statement import reason_of
from gateway.writing import unseen, unseen_in_lines


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        ("Agreement № 7, ü\u0301\u00a0😀", "", ""),
        ("a\nb", "U+000A (a line end) as character 2", ""),
        ("a\tb", "U+0009 (a tab) as character 2", ""),
        ("\u2028", "U+2028 (line separator) as character 1", ""),
        ("no\u200cn", "U+200C (zero width non-joiner) as character 3", ""),
        ("a\r\n", "U+000D (a line end) as character 2", "U+000D (a line end) as character 2"),
        ("ab\x1b[2K", "U+001B (an escape) as character 3", "U+001B (an escape) as character 3"),
        ("\x00", "U+0000 as character 1", "U+0000 as character 1"),
        ("\x9b1m", "U+009B as character 1", "U+009B as character 1"),
        ("\ud83d", "U+D83D as character 1", "U+D83D as character 1"),
        ("\u2067", "U+2067 (right-to-left isolate) as character 1", "U+2067 (right-to-left isolate) as character 1"),
    ],
)
def test_what_is_not_seen_is_named(text: str, line: str, lines: str) -> None:
    assert unseen(text) == line
    assert unseen_in_lines(text) == lines


def test_the_reason_of_an_approval_is_one_line() -> None:
    assert reason_of(" As agreed. ") == "As agreed."
    with pytest.raises(ValueError, match=r"it has U\+000A \(a line end\) as character 2"):
        reason_of("a\nb")
