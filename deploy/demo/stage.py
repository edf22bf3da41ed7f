"""How a scene is shown in a terminal: headings, questions, answers, and what it promised and has to keep."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.demo.client import Reply

Say = Callable[[str], None]
WIDTH = 96


def within(seconds: float, happened: Callable[[], object]) -> bool:
    """Wait until something has happened; False where it has not by then."""
    patience = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > patience:
            return False
        time.sleep(0.05)
    return True


class SceneFailed(Exception):
    """A scene did not show what it promises; the message has what was expected and what came instead."""


class Stage:
    """Where scenes are shown. `say` prints one line."""

    def __init__(self, say: Say) -> None:
        self.say = say

    def heading(self, number: int, title: str) -> None:
        """Begin a scene."""
        self.say("")
        self.say(f"--- {number}. {title} ".ljust(WIDTH, "-"))

    def tell(self, text: str) -> None:
        """A paragraph."""
        for line in textwrap.wrap(" ".join(text.split()), WIDTH):
            self.say(line)

    def quote(self, text: str) -> None:
        """Text of a machine, indented; what is wider than the page is folded."""
        for line in text.strip("\n").splitlines():
            self._fold(line.rstrip(), "    ")

    def _fold(self, line: str, indent: str) -> None:
        hanging = indent + " " * (len(line) - len(line.lstrip()) + 4)
        for part in textwrap.wrap(line, WIDTH, initial_indent=indent, subsequent_indent=hanging,
                                  break_long_words=False, break_on_hyphens=False) or [""]:  # fmt: skip
            self.say(part)

    def expect(self, kept: bool, promise: str, reply: Reply | None = None) -> None:
        """Fail the scene unless it shows what it promised."""
        if not kept:
            came = f"; the answer was HTTP {reply.status}: {dict(reply.body)}" if reply else ""
            raise SceneFailed(f"expected that {promise}{came}")

    def answer(self, subject: Mapping[str, Any]) -> None:
        """What was released about one subject: its own fields, then each dataset's records."""
        for name, value in subject.items():
            if isinstance(value, list):
                self.say(f"    {name}:{'' if value else ' (none)'}")
                for record in value:
                    self._fold(f"- {_flat(record)}", "      ")
            elif value is None:
                self.say(f"    {name}: not available")
            else:
                self.say(f"    {name}: {value}")

    def errors(self, reply: Reply) -> None:
        """The answer's errors, with their extensions."""
        for error in reply.errors:
            path = ".".join(map(str, error.get("path") or ())) or "the whole inquiry"
            self._fold(f"{path}: {error['message']}", "    ")
            for key, value in error["extensions"].items():
                if value not in (None, [], "", error["message"]):
                    self.say(f"      {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")

    def obligations(self, reply: Reply) -> None:
        """What the recipient has to do with the answer."""
        told: Iterable[Mapping[str, Any]] = reply.inquiry.get("obligations", ())
        for one in told:
            properties = ", ".join(f"{key} {value}" for key, value in one.get("properties", {}).items())
            self.say(f"    obligation: {one['type']}{f' ({properties})' if properties else ''}")
        for one in reply.inquiry.get("cautions", ()):
            why = ["disputed"] if one.get("disputed") else []
            if one.get("mitigation"):
                why.append(f"mitigation: {one['mitigation']}")
            self.say(f"    caution: {one['dataset']}/{one['record']}: {'; '.join(why)}")


def _flat(record: Mapping[str, Any], prefix: str = "") -> str:
    parts = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            parts.append(_flat(value, f"{name}."))
        else:
            shown = "-" if value is None else str(value).lower() if isinstance(value, bool) else value
            parts.append(f"{prefix}{name} {shown}")
    return ", ".join(parts)
