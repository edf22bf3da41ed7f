"""YAML files that people edit, read with the place of every value.

A `Node` knows its file, line, column and path, so that each problem can be told where it stands and what to write
instead. Reading collects problems instead of stopping at the first. Duplicate keys, aliases, tags and several documents
in one file are refused, as are characters that hide text: what a reviewer reads is what is loaded. As in YAML 1.2, only
`true` and `false` are booleans.

Whatever a file holds, reading it takes bounded time and memory: so many bytes of it are read, and so many words.
"""

from __future__ import annotations

import copy
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    CommentToken,
    DirectiveToken,
    DocumentStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    StreamStartToken,
    TagToken,
)

from gateway.errors import ConfigurationError, Problem
from gateway.values import MOST_PROBLEMS, Document, Value, nearest, suggest

_T = TypeVar("_T")
_Given = TypeVar("_Given")
_SURROGATE = re.compile("[\ud800-\udfff]")
_Refused = tuple[int, int, str]
"""Line and column, from 1, and why."""

MAX_DEPTH = 50
MOST_BYTES = 1 << 20
"""So much of a file is read; ten times what the largest policies have."""
MOST_TOKENS = 200_000
MOST_MARKED = 100
"""So many anchors, aliases and tags are passed over, to tell what else is wrong; a file with more is no mistake."""

NOT_UTF8 = "is not UTF-8; save it as UTF-8"
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ufffd\U00010000-\U0010ffff]")
"""What YAML calls not printable, what ends a line for it and for nobody who reads, and what turns the text around.

Decoding has refused half characters already."""
_OPENING = BlockMappingStartToken | BlockSequenceStartToken | FlowMappingStartToken | FlowSequenceStartToken
_CLOSING = BlockEndToken | FlowMappingEndToken | FlowSequenceEndToken


class Entries(dict[str, "Node"]):
    """What a mapping has, by key. A key that is not written leads to a node all the same, which gives defaults."""

    def __init__(self, mapping: Node) -> None:
        super().__init__()
        self._mapping = mapping

    def __missing__(self, key: str) -> Node:
        path = f"{self._mapping.path}.{key}" if self._mapping.path else key
        return Node(self._mapping.document, None, path, parent=self._mapping)


class Node(Value):
    """One value of a document: a mapping, a sequence or a scalar, and where it stands."""

    def _child(self, raw: Any, key: str | int, key_raw: Any = None) -> Node:
        return Node(self.document, raw, f"{self.path}.{key}" if self.path else str(key), key_raw)

    def mapping(self, required: Iterable[str] = (), optional: Iterable[str] = (), *, any_key: bool = False) -> Entries:
        """The entries by key. Missing, unknown and repeated keys become problems; with `any_key` none is unknown."""
        entries, required = Entries(self), list(required)
        known = list(dict.fromkeys([*required, *optional]))
        if self._raw is None:
            if required:
                self._missing()
            return entries
        if not isinstance(self._raw, MappingNode):
            self.problem("must be a mapping (`key: value` lines)")
            return entries
        for key_raw, value_raw in self._raw.value:
            key = str(key_raw.value)
            child = self._child(value_raw, key, key_raw)
            if key in entries:
                child.key_problem("appears twice; keep one")
            elif not any_key and key not in known and len(self.problems) >= MOST_PROBLEMS:
                self.told = True
            elif not any_key and key not in known:
                child.key_problem(f"unknown key `{key}`{suggest(key, known) or '; known are ' + ', '.join(known)}")
                self.meant.add(nearest(key, known))
            else:
                entries[key] = child
        for key in required:
            if key not in entries and key not in self.meant:
                self.problem(f"`{key}` is missing")
        return entries

    def items(self) -> list[Node]:
        """The elements of a sequence; none where it is not written."""
        if self._raw is None:
            return []
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

    def without(self, *path: str) -> Node:
        """The same without what stands at a path of keys that are there: others read it, or nobody."""
        less = self.own()
        if (at := less.at(path[:-1])).is_mapping:
            at._raw.value = [each for each in at._raw.value if str(each[0].value) != path[-1]]
        return less

    def seen_from(self, folder: Path) -> Node:
        """The same value, with relative paths seen from another folder than its file's."""
        return Node(self.document._replace(folder=folder), self._raw, self.path, self._key, self._parent)

    def own(self) -> Node:
        """The same, of nodes that whoever asked may alter."""
        return Node(self.document, copy.deepcopy(self._raw), self.path, self._key, self._parent)

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

    def apart(self) -> Node:
        """The same value, with problems of its own: to see what somebody would report of it."""
        return Node(self.document._replace(problems=[]), self._raw, self.path, self._key)

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
            else:
                yield from _refusals(key)
            yield from _refusals(value)
    elif isinstance(raw, SequenceNode):
        for value in raw.value:
            yield from _refusals(value)
    elif _SURROGATE.search(str(raw.value)):
        yield raw, "has half of a character (`\\ud800` to `\\udfff`), which no file can hold; write the whole one"


def read(
    path: Path, problems: list[Problem], shown_as: str | None = None, *, within: Path | None = None
) -> Node | None:
    """Read one YAML file; `None` after noting a problem where it cannot be read.

    `shown_as` is the file's name in problems (default: the path as given); `within` as in `text`.
    """
    source = text(path, problems, shown_as, within=within)
    return None if source is None else parse(source, Document(shown_as or str(path), path.resolve().parent, problems))


def text(path: Path, problems: list[Problem], shown_as: str | None = None, *, within: Path | None = None) -> str | None:
    """The contents of a text file; `None` after noting a problem where it cannot be read.

    `within` is the folder that the file must stand in, also where a link stands for it.
    """
    file = shown_as or str(path)
    try:
        if within is not None and (wrong := outside(path, within)):
            problems.append(Problem(file, 0, 0, "", wrong))
            return None
        if within is not None and path.exists() and not (stat.S_ISREG(path.stat().st_mode) or path.is_dir()):
            problems.append(Problem(file, 0, 0, "", "is no file, but a pipe or a device; put a file here"))
            return None
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem(file, 0, 0, "", f"cannot be read ({error.strerror})"))
        return None
    refused = _no_text(content)
    if isinstance(refused, str):
        return refused
    problems.append(Problem(file, refused[0], refused[1], "", refused[2]))
    return None


def outside(path: Path, within: Path) -> str:
    """What is wrong with a path that leads out of a folder, and the fix; nothing where it leads to a place in it."""
    try:
        leads = path.resolve()
    except RuntimeError:  # how Python before 3.13 tells a link that leads to itself
        return "is a link that leads to itself; put the file here"
    if leads.is_relative_to(within.resolve()):
        return ""
    return f"is a link that leads out of `{within}`; put what it leads to here"


def _no_text(content: bytes) -> str | _Refused:
    """The text that a file's bytes are, or where and why they are none."""
    if len(content) > MOST_BYTES:
        line = content.count(b"\n", 0, MOST_BYTES) + 1
        return line, 1, f"is larger than {MOST_BYTES // 1024} KiB, which end here; split it"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return 1, 1, "is not UTF-8 but UTF-16; save it as UTF-8"
    try:
        found = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1, 1, NOT_UTF8
    if wrong := _NO_TEXT.search(found):
        at = wrong.start()
        line, column = found.count("\n", 0, at) + 1, at - found.rfind("\n", 0, at)
        return line, column, f"has a character that no text has (U+{ord(wrong[0]):04X}); remove it"
    return found.replace("\r\n", "\n").replace("\r", "\n")


def parse(source: str, document: Document) -> Node | None:
    """The root of a YAML text; `None` after noting a problem where it is none."""
    raw, refused, passed = _composed(source)
    document.problems.extend(Problem(document.file, line, column, "", message) for line, column, message in refused)
    return None if raw is None else Node(document._replace(passed=passed), raw, "")


class _Odd(Exception):
    """A file is not as most are: it is read again, slowly, to report what is wrong with it."""


class _Strict(Scanner):
    """Reads words as long as nothing in them needs a report."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._depth = self._count = 0

    def get_token(self) -> Any:
        token = super().get_token()
        self._depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        self._count += 1
        odd = isinstance(token, AliasToken | AnchorToken | TagToken | DirectiveToken | DocumentStartToken)
        if odd or self._depth > MAX_DEPTH or self._count > MOST_TOKENS:
            raise _Odd
        return token


def _composed(source: str) -> tuple[Any, Sequence[_Refused], frozenset[tuple[int, int]]]:
    """The nodes of a YAML text, which nobody alters, what is refused of it, and the places of what was passed over.

    There are no nodes where it is none.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Scanner = _Strict
    try:
        raw = reader.compose(source)
    except (_Odd, YAMLError, ValueError, RecursionError):
        return _composed_slowly(source)
    return _composed_slowly(source) if raw is None or any(_refusals(raw)) else (raw, (), frozenset())


def _composed_slowly(source: str) -> tuple[Any, Sequence[_Refused], frozenset[tuple[int, int]]]:
    """The same, with all words looked at before any is composed: what to report of them is found that way."""
    nothing: frozenset[tuple[int, int]] = frozenset()
    marked: list[Any] = []

    def refused(*more: _Refused) -> list[_Refused]:
        return [*_of_marked(marked), *more]

    try:
        depth, begun = 0, False
        for count, token in enumerate(YAML(typ="safe", pure=True).scan(source)):
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            line, column = token.start_mark.line + 1, token.start_mark.column + 1
            if depth > MAX_DEPTH:  # before it is composed: what is nested without end takes time without end
                return None, refused((line, column, f"is nested more than {MAX_DEPTH} deep")), nothing
            if count >= MOST_TOKENS:
                return None, refused((line, column, "has more than one file may; split it here")), nothing
            if isinstance(token, AliasToken | AnchorToken | TagToken):
                marked.append(token)
                if len(marked) > MOST_MARKED:
                    return None, refused(), nothing
            elif isinstance(token, DocumentStartToken) and begun:
                second = "a second document begins here; write one document per file"
                return None, refused((line, column, second)), nothing
            begun = begun or not isinstance(token, StreamStartToken | DirectiveToken | CommentToken)
        raw = YAML(typ="safe", pure=True).compose(_without(source, marked))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        tab = mark is not None and source[mark.index : mark.index + 1] == "\t"
        why = "a tab stands here; use spaces" if tab else f"is not YAML: {error.problem or error.context}"
        return None, refused((line, column, why)), nothing
    except (YAMLError, ValueError, RecursionError) as error:
        return None, refused((1, 1, f"is not YAML: {str(error).splitlines()[0]}")), nothing
    if raw is None:
        return None, refused((1, 1, "is empty")), nothing
    for node, message in _refusals(raw):
        return None, refused((node.start_mark.line + 1, node.start_mark.column + 1, message)), nothing
    passed = frozenset((token.start_mark.line + 1, token.start_mark.column + 1) for token in marked)
    return raw, refused(), passed


def _of_marked(marked: Sequence[Any]) -> Iterator[_Refused]:
    """One problem for all anchors, aliases and tags of a file, where the first stands."""
    if marked:
        first, more = marked[0].start_mark, len(marked) - 1
        others = "" if not more else f" (and {more} more)" if more < MOST_MARKED else f" (and {more} more, at least)"
        yield first.line + 1, first.column + 1, f"anchors, aliases and tags are not allowed; write it out{others}"


def _without(source: str, marked: Sequence[Any]) -> str:
    """The text with these tokens as blanks, so that all else keeps its place; what an alias stood for is nothing."""
    pieces, done = [], 0
    for token in marked:
        start, end = token.start_mark.index, token.end_mark.index
        pieces += [source[done:start], ("~" if isinstance(token, AliasToken) else "").ljust(end - start)]
        done = end
    return "".join([*pieces, source[done:]])


def load(file: Path, build: Callable[[Node], _T]) -> _T:
    """Read a file and build a value from it; raises `ConfigurationError` with all problems."""
    problems: list[Problem] = []
    node = read(file, problems)
    value = build(node) if node else None
    if problems or value is None:
        raise ConfigurationError(problems)
    return value


def of_kind(entry: Node, kinds: Mapping[str, Callable[[Node, _Given], _T]], given: _Given) -> _T | None:
    """What the kind that `entry` names makes of it and what is `given`, where it names one.

    Else what is wrong with it is told as the kind does that was meant, or as all kinds do where none was nearly named.
    """
    keys = entry.mapping(any_key=True)
    named = str(keys["kind"].plain()) if "kind" in keys else ""
    if (make := kinds.get(named)) is not None:
        return make(entry, given)
    if not entry.is_mapping:
        return None
    if "kind" in keys:
        keys["kind"].choice(kinds)
    else:
        entry.problem(f"`kind` is missing; one of {', '.join(kinds)}")
    near = nearest(named, kinds)
    told: list[list[Problem]] = []
    for each in [near] if near else kinds:
        apart = entry.apart()
        kinds[each](apart, given)
        told.append(apart.problems)
    for problem in told[0]:
        if problem not in entry.problems and all(problem in others for others in told):
            entry.problems.append(problem)
    return None
