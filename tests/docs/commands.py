"""The `dutybound` commands as the parser knows them, and whether a written one is right."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from gateway import cli


class Command(NamedTuple):
    """One command: its words after `dutybound`, its parser, and what `--help` says of it."""

    words: tuple[str, ...]
    parser: argparse.ArgumentParser
    help: str


def commands() -> dict[tuple[str, ...], Command]:
    """Every command that can be run, by its words."""
    return dict(_made(cli._parser))


@functools.cache
def _made(parser: Callable[[], argparse.ArgumentParser]) -> Mapping[tuple[str, ...], Command]:
    """The same of a parser that is made so: it takes a tenth of a second, and pages name hundreds of commands."""
    return {command.words: command for command in _below((), parser(), "")}


def _below(words: tuple[str, ...], parser: argparse.ArgumentParser, text: str) -> Iterator[Command]:
    if parser.get_default("run") is not None:
        yield Command(words, parser, text)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                yield from _below((*words, name), child, said[name])


def everything() -> dict[tuple[str, ...], list[str]]:
    """The texts of each command's and group's `--help`, by its words: what it is for, then each argument's help."""
    return dict(_texts((), cli._parser()))


def _texts(words: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    texts = [parser.description, parser.epilog, *(action.help for action in parser._actions)]
    yield words, [text for text in texts if text and text != argparse.SUPPRESS]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from _texts((*words, name), child)


def groups() -> set[tuple[str, ...]]:
    """The words that several commands begin with."""
    return {words[:length] for words in commands() for length in range(1, len(words))}


def find(arguments: list[str]) -> tuple[Command, list[str]]:
    """The command that the arguments name, by its most words, and the rest of them; raises `LookupError`."""
    known = commands()
    for length in range(len(arguments), 0, -1):
        command = known.get(tuple(arguments[:length]))
        if command is not None:
            return command, arguments[length:]
    raise LookupError(f"there is no command `dutybound {' '.join(arguments)}`")


def check_usage(command: Command, rest: list[str], *, whole: bool) -> None:
    """Raise `ValueError` unless every option exists; for a `whole` command also: nothing missing, nothing too much."""
    options = {name: action for action in command.parser._actions for name in action.option_strings}
    named, positionals = set(), 0
    words = iter(rest)
    for word in words:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            if name not in options:
                raise ValueError(f"`dutybound {' '.join(command.words)}` has no option `{name}`")
            named.add(options[name].dest)
            takes = options[name].nargs != 0
            if takes and not equals and next(words, "-").startswith("-"):
                raise ValueError(f"`{name}` takes a value")
        else:
            positionals += 1
    if not whole:
        return
    taken = [action for action in command.parser._actions if not action.option_strings]
    known = [action for action in taken if not isinstance(action, argparse._SubParsersAction)]
    needed = len([action for action in known if action.nargs not in ("?", "*")])
    several = any(action.nargs == "*" for action in known)
    if positionals < needed or (positionals > len(known) and not several):
        raise ValueError(f"`dutybound {' '.join(command.words)}` takes {len(known)} arguments, not {positionals}")
    for action in options.values():
        if action.required and action.dest not in named:
            raise ValueError(f"`dutybound {' '.join(command.words)}` needs `{action.option_strings[0]}`")
