"""A parser of commands: every command and group is described by a sentence and an example, from its line in the list.

A group that is called without a command shows its help. A word that is no command is refused with the nearest one.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from gateway.command.examples import EXAMPLES
from gateway.values import suggest


class Command(argparse.ArgumentParser):
    """A parser whose sub-commands are like itself. `shown` is where it stands in the arguments: the last one called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("action", "parsers", _Commands)
        self.set_defaults(shown=self)

    def add_subparsers(self, **options: Any) -> Any:
        """As argparse's; none of them need be named: the group shows its help then."""
        return super().add_subparsers(**{**options, "required": False, "metavar": "COMMAND"})

    def format_help(self) -> str:
        """The usage, a sentence, the arguments and an example."""
        self.description = _sentence(self.description or "")
        words = self.prog.partition(" ")[2]
        example = EXAMPLES.get(words)
        return super().format_help() + (
            f"\nexample:\n  dutybound {words} {example}".rstrip() + "\n" if example is not None else ""
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, _Commands) and value not in action.choices:
            wrong = f"there is no command `{self.prog} {value}`{suggest(str(value), action.choices)}"
            raise argparse.ArgumentError(None, f"{wrong}; `{self.prog} --help` lists them")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """Refuse a wrong call, with status 2."""
        self.exit(2, f"{self.format_usage()}{self.prog}: {message}\n")


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]
    def add_parser(self, name: str, **options: Any) -> Any:
        options.setdefault("description", options.get("help"))
        return super().add_parser(name, **options)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') or not text else '.'}"
