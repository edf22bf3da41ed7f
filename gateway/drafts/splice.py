"""YAML that people wrote, changed where it stands: only the characters of what changes are exchanged.

All else, comments too, stays as somebody wrote it. What is written may still be wrong: the check of a draft says so.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 /.()_-]*[A-Za-z0-9)]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


class Unfit(ValueError):
    """The text is not one in which a program finds its way: edit the file itself."""


class Change(NamedTuple):
    """What takes the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def composed(text: str) -> Any:
    """The root of a text; raises `Unfit`."""
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise Unfit("the file cannot be read as YAML; mend the file itself") from error


def parts(node: Any) -> dict[str, Any]:
    """What a mapping has, by its keys; raises `Unfit`."""
    if not isinstance(node, MappingNode):
        raise Unfit("the file is not of the form that a program finds its way in; mend the file itself")
    return {str(key.value): value for key, value in node.value}


def items(node: Any) -> list[Any]:
    """What a list has; raises `Unfit`."""
    if not isinstance(node, SequenceNode):
        raise Unfit("the file has no list where one is needed; mend the file itself")
    return list(node.value)


def values(node: Any) -> tuple[str, ...]:
    """The words of a list; raises `Unfit`."""
    return tuple(map(text_of, items(node)))


def text_of(node: Any) -> str:
    """The text of a word; nothing where it is none."""
    return str(node.value) if isinstance(node, ScalarNode) else ""


def exchanged(text: str, changes: Iterable[Change | None]) -> str:
    """The text with all changes made."""
    for each in sorted((change for change in changes if change is not None), reverse=True):
        text = text[: each.start] + each.text + text[each.end :]
    return text


def scalar(node: Any, value: str | datetime.date) -> Change | None:
    """A word exchanged for another; None where it is the same. Raises `Unfit`."""
    if not isinstance(node, ScalarNode) or node.style in ("|", ">"):
        raise Unfit("what is to change is written in a way that a form cannot change; edit the file itself")
    same = str(node.value) == str(value)
    return None if same else Change(node.start_mark.index, node.end_mark.index, written(value))


def written(value: str | datetime.date) -> str:
    """A word as YAML, which reads it again as it is."""
    text = str(value)
    plain = isinstance(value, datetime.date) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS)
    return text if plain else json.dumps(text, ensure_ascii=False)


def listed(text: str, node: Any, wanted: Sequence[str]) -> Change | None:
    """A list of words exchanged for another; None where it is the same. In a block, lines that stay are not touched.

    What stays keeps its order, and what comes stands behind it. Raises `Unfit`.
    """
    nodes, have = items(node), list(values(node))
    if set(have) == set(wanted):
        return None
    order = [name for name in have if name in wanted] + [name for name in wanted if name not in have]
    if node.flow_style:
        return Change(node.start_mark.index, node.end_mark.index, f"[{', '.join(map(written, order))}]")
    lines, at = text.split("\n"), [each.start_mark.line for each in nodes]
    if len(set(at)) != len(at):
        raise Unfit("the list is written in a way that a form cannot change; edit the file itself")
    gone = {line for line, name in zip(at, have, strict=True) if name not in wanted}
    added = [f"{' ' * node.start_mark.column}- {written(name)}" for name in order if name not in have]
    kept = [lines[line] for line in range(at[0], at[-1] + 1) if line not in gone]
    start = sum(len(line) + 1 for line in lines[: at[0]])
    end = sum(len(line) + 1 for line in lines[: at[-1] + 1]) - 1
    return Change(start, end, "\n".join([*kept, *added]))
