"""A small YAML file whose values know their line, so that messages name the line to mend."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

At = tuple[str, ...]
"""The keys that lead to a value; of the whole file none."""


class NotRight(Exception):
    """A file cannot be used; `problems` has all that is wrong, each as `file:line: what, and the fix`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Lines:
    """One file as it was written. Reading collects problems; `done` raises them."""

    def __init__(self, path: Path, root: Any) -> None:
        self.path, self._root = path, root
        self._problems, self._told = list[str](), set[At]()

    @classmethod
    def read(cls, path: Path) -> Lines:
        """Raises `NotRight` where the file cannot be read, or is no YAML."""
        try:
            text = path.read_text("utf-8")
            root = YAML(typ="safe", pure=True).compose(text)
        except OSError as error:
            raise NotRight([f"{path}: cannot be read ({error.strerror})"]) from error
        except UnicodeDecodeError as error:
            raise NotRight([f"{path}: is not UTF-8; save it as UTF-8"]) from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise NotRight([f"{path}:{mark.line + 1 if mark else 1}: is not YAML: {error.problem}"]) from error
        except (YAMLError, ValueError, RecursionError) as error:
            raise NotRight([f"{path}:1: is not YAML"]) from error
        return cls(path, root)

    def done(self) -> None:
        """Raises `NotRight` where anything was wrong."""
        if self._problems:
            raise NotRight(self._problems)

    def problem(self, at: At, message: str) -> None:
        """Report that a value is wrong: `message` has what, and the fix. The first about a value counts."""
        if at not in self._told:
            self._told.add(at)
            self._problems.append(f"{self.path}:{self._line(at)}: {'.'.join(at)}{': ' if at else ''}{message}")

    def mapping(self, at: At, required: Collection[str], optional: Collection[str] | None) -> set[str]:
        """The keys of a mapping; where `optional` is None it may have any. One that is not there has none."""
        node = self._node(at)
        if node is None or not isinstance(node, MappingNode):
            if node is not None or not at:
                self.problem(at, "must be a mapping (`key: value` lines)")
            return set()
        keys = [str(key.value) for key, _ in node.value]
        known = [*required, *(optional or ())]
        for key in keys:
            if keys.count(key) > 1:
                self.problem((*at, key), "appears twice; keep one")
            elif optional is not None and key not in known:
                near = get_close_matches(key, known, 1)
                meant = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"
                self.problem((*at, key), f"unknown key{meant}")
        for key in required:
            if key not in keys:
                self._problems.append(f"{self.path}:{self._line(at)}: `{'.'.join((*at, key))}` is missing")
        return set(keys)

    def text(self, at: At, default: str | None = None) -> str:
        """A text that is not empty; one that is missing is reported by `mapping`."""
        node = self._node(at)
        if node is None:
            return default or ""
        if not isinstance(node, ScalarNode) or not str(node.value).strip() or not str(node.value).isprintable():
            self.problem(at, "must be text on one line")
            return ""
        return str(node.value)

    def texts(self, at: At) -> tuple[str, ...]:
        """A list of texts, at least one."""
        node = self._node(at)
        items = node.value if isinstance(node, SequenceNode) else []
        if not items or not all(isinstance(item, ScalarNode) and item.value for item in items):
            self.problem(at, "must be a list of texts, such as `[/usr/local/bin/apply, --quietly]`")
            return ()
        return tuple(str(item.value) for item in items)

    def _node(self, at: At) -> Any:
        node = self._root
        for key in at:
            if not isinstance(node, MappingNode):
                return None
            node = next((value for name, value in node.value if str(name.value) == key), None)
        return node

    def _line(self, at: At) -> int:
        """Where the value's key stands, or the nearest thing above it."""
        node, line = self._root, 1
        for key in at:
            found = [pair for pair in node.value if str(pair[0].value) == key] if isinstance(node, MappingNode) else []
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        return line
