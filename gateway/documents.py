"""YAML files that people edit, read with the place of every value.

A `Node` knows its file, line, column and path, so that each problem can be told where it stands and what to write
instead. Reading collects problems instead of stopping at the first. Duplicate keys, aliases, tags and several documents
in one file are refused: what a reviewer reads is what is loaded. As in YAML 1.2, only `true` and `false` are booleans.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from gateway.errors import ConfigurationError, Problem

_T = TypeVar("_T")

MAX_DEPTH = 50
_OPENING = BlockMappingStartToken | BlockSequenceStartToken | FlowMappingStartToken | FlowSequenceStartToken
_CLOSING = BlockEndToken | FlowMappingEndToken | FlowSequenceEndToken


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


class Node:
    """One value of a document: a mapping, a sequence or a scalar, and where it stands."""

    def __init__(self, file: str, raw: Any, path: str, problems: list[Problem], key: Any = None) -> None:
        self.file, self.path, self.problems = file, path, problems
        self._raw = raw
        self._key = key
        empty = key is not None and isinstance(raw, ScalarNode) and not raw.value and raw.style is None
        mark = (key if empty else raw).start_mark  # a value that is not there starts at whatever comes next
        self.line, self.column = mark.line + 1, mark.column + 1

    def problem(self, message: str) -> None:
        """Note that this value is wrong; `message` says what and the fix."""
        self.problems.append(Problem(self.file, self.line, self.column, self.path, message))

    def key_problem(self, message: str) -> None:
        """Note that this value's key is wrong, where the key stands (at the value, where it is not in a mapping)."""
        mark = (self._key or self._raw).start_mark
        self.problems.append(Problem(self.file, mark.line + 1, mark.column + 1, self.path, message))

    def _child(self, raw: Any, key: str | int, key_raw: Any = None) -> Node:
        return Node(self.file, raw, f"{self.path}.{key}" if self.path else str(key), self.problems, key_raw)

    def mapping(
        self, required: Iterable[str] = (), optional: Iterable[str] = (), *, any_key: bool = False
    ) -> dict[str, Node]:
        """The entries by key. Missing, unknown and repeated keys become problems; with `any_key` none is unknown."""
        if not isinstance(self._raw, MappingNode):
            self.problem("must be a mapping (`key: value` lines)")
            return {}
        entries: dict[str, Node] = {}
        required, optional = list(required), list(optional)
        for key_raw, value_raw in self._raw.value:
            key = str(key_raw.value)
            child = self._child(value_raw, key, key_raw)
            child_key = self._child(key_raw, key)
            if key in entries:
                child_key.problem("stands twice; keep one")
            elif not any_key and key not in required and key not in optional:
                child_key.problem(f"unknown key `{key}`{suggest(key, [*required, *optional])}")
            else:
                entries[key] = child
        for key in required:
            if key not in entries:
                self.problem(f"`{key}` is missing")
        return entries

    def items(self) -> list[Node]:
        """The elements of a sequence."""
        if not isinstance(self._raw, SequenceNode):
            self.problem("must be a list (`- value` lines, or `[a, b]`)")
            return []
        return [self._child(raw, index) for index, raw in enumerate(self._raw.value)]

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._raw, MappingNode)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self._raw, SequenceNode)

    @property
    def is_null(self) -> bool:
        return isinstance(self._raw, ScalarNode) and self._raw.style is None and self._raw.value in ("", "~", "null")

    def _scalar(self, what: str) -> str | None:
        if not isinstance(self._raw, ScalarNode) or self.is_null:
            self.problem(f"must be {what}")
            return None
        return str(self._raw.value)

    def text(self, *, pattern: str | None = None, what: str = "text") -> str:
        """A non-empty string, matching `pattern` whole where given; `what` names it in the problem."""
        value = self._scalar(what)
        if value is None:
            return ""
        if not value.strip() or (pattern and not re.fullmatch(pattern, value)):
            self.problem(f"`{value}` must be {what}")
            return ""
        return value

    def choice(self, known: Iterable[str], what: str = "one of") -> str:
        """One of the known words; an unknown one is a problem with the nearest known, and gives the first."""
        known = list(known)
        value = self._scalar(f"{what} {', '.join(known)}")
        if value is not None and value not in known:
            self.problem(f"unknown `{value}`{suggest(value, known)}; {what} {', '.join(known)}")
        return value if value in known else (known[0] if known else "")

    def integer(self, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
        value = self._scalar("a whole number")
        if value is None:
            return minimum
        if not re.fullmatch(r"-?\d{1,12}", value) or not minimum <= int(value) <= maximum:
            self.problem(f"`{value}` must be a whole number from {minimum} to {maximum}")
            return minimum
        return int(value)

    def boolean(self) -> bool:
        value = self._scalar("true or false")
        if value not in ("true", "false"):
            if value is not None:
                self.problem(f"`{value}` must be true or false")
            return False
        return value == "true"

    def date(self) -> datetime.date:
        value = self._scalar("a date (YYYY-MM-DD)")
        try:
            if value is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
                return datetime.date.fromisoformat(value)
        except ValueError:
            value = str(value)
        if value is not None:
            self.problem(f"`{value}` must be a date (YYYY-MM-DD)")
        return datetime.date.min

    def plain(self) -> Any:
        """The value as plain Python: dicts, lists, strings, ints, booleans, None. For parts that others validate."""
        if isinstance(self._raw, MappingNode):
            return {key: node.plain() for key, node in self.mapping(any_key=True).items()}
        if isinstance(self._raw, SequenceNode):
            return [node.plain() for node in self.items()]
        if self.is_null:
            return None
        value = str(self._raw.value)
        if self._raw.style is None:
            if value in ("true", "false"):
                return value == "true"
            if re.fullmatch(r"-?\d{1,15}", value):
                return int(value)
        return value

    def at(self, path: Iterable[str | int]) -> Node:
        """The node at `path` below this one, or the deepest that exists."""
        node = self
        for key in path:
            children: Mapping[Any, Node]
            if node.is_mapping:
                children = {str(k.value): node._child(v, str(k.value), k) for k, v in node._raw.value}
            elif node.is_sequence:
                children = dict(enumerate(node.items()))
            else:
                return node
            found = children.get(key)
            if found is None:
                return node
            node = found
        return node


def _refusals(raw: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(raw, MappingNode):
        for key, value in raw.value:
            if not isinstance(key, ScalarNode):
                yield key, "a key must be a word"
            yield from _refusals(value)
    elif isinstance(raw, SequenceNode):
        for value in raw.value:
            yield from _refusals(value)


def read(path: Path, problems: list[Problem], shown_as: str | None = None) -> Node | None:
    """Read one YAML file; `None` after noting a problem where it cannot be read.

    `shown_as` is the file's name in problems (default: the path as given).
    """
    file = shown_as or str(path)
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        problems.append(Problem(file, 0, 0, "", f"cannot be read ({error.strerror})"))
        return None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(Problem(file, line, 1, "", "is not UTF-8; save it as UTF-8"))
        return None
    try:
        depth = 0
        for token in YAML(typ="rt", pure=True).scan(source):
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > MAX_DEPTH:  # before it is composed: what is nested without end takes time without end
                line, column = token.start_mark.line + 1, token.start_mark.column + 1
                problems.append(Problem(file, line, column, "", f"is nested more than {MAX_DEPTH} deep"))
                return None
            if isinstance(token, AliasToken | AnchorToken | TagToken):
                line, column = token.start_mark.line + 1, token.start_mark.column + 1
                problems.append(
                    Problem(file, line, column, "", "anchors, aliases and tags are not allowed; write it out")
                )
                return None
        raw = YAML(typ="rt", pure=True).compose(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problems.append(Problem(file, line, column, "", f"is not YAML: {error.problem or error.context}"))
        return None
    except (YAMLError, ValueError, RecursionError) as error:
        problems.append(Problem(file, 1, 1, "", f"is not YAML: {str(error).splitlines()[0]}"))
        return None
    if raw is None:
        problems.append(Problem(file, 1, 1, "", "is empty"))
        return None
    for node, message in _refusals(raw):
        problems.append(Problem(file, node.start_mark.line + 1, node.start_mark.column + 1, "", message))
        return None
    return Node(file, raw, "", problems)


def load(file: Path, build: Callable[[Node], _T]) -> _T:
    """Read a file and build a value from it; raises `ConfigurationError` with all problems."""
    problems: list[Problem] = []
    node = read(file, problems)
    value = build(node) if node else None
    if problems or value is None:
        raise ConfigurationError(sorted(problems))
    return value
