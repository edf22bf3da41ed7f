"""Text of strangers as YAML: it stays text, on its line, whatever is in it. Pure."""

from __future__ import annotations

import json
import re

from gateway.errors import printable

MOST_COMMENT = 160
"""Characters of a comment."""

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*( [A-Za-z0-9_./()-]+)*")
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
_ESCAPED = re.compile(r"[^\x20-\x7e]")


def scalar(text: str, *, flow: bool = False) -> str:
    """A value that reads back as exactly this text. `flow`: within brackets, or as a key.

    Half of a character, which no file can hold, becomes a question mark.
    """
    plain = _PLAIN_KEY if flow else _PLAIN
    if plain.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")
    quoted = json.dumps(whole, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: found[0] if found[0].isprintable() else _escape(found[0]), quoted)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def comment(text: str) -> str:
    """The rest of a line that only people read: one line, of what can be printed, of a bounded length."""
    shown = printable(" ".join(text[: 4 * MOST_COMMENT].split()))
    return f"# {shown if len(shown) <= MOST_COMMENT else shown[: MOST_COMMENT - 1] + '…'}"
