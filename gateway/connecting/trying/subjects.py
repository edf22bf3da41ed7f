"""Whom a department's system is asked about when nobody is meant: its declared test subjects, or made-up identifiers.

A made-up identifier passes the scheme's own check, so that the system takes it for one. It is the same at every run. It
may still be somebody's, by chance: so nothing of what comes is ever shown, and a declared test subject is better.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from re import _constants as ops  # type: ignore[attr-defined]  # the one reader of patterns that there is
from re import _parser as patterns  # type: ignore[attr-defined]
from typing import Any

from connectors.base import Subject
from gateway.catalogue.model import Catalogue, Dataset, IdentifierScheme

_TRIES = 20_000
_LENGTHS = range(5, 21)
_MOST = 64
_DIGITS, _LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def made_up(catalogue: Catalogue, dataset: Dataset, count: int = 2) -> list[Subject]:
    """So many subjects of a dataset that nobody is meant by; none where no scheme could be filled."""
    for kind in dataset.subjects:
        for scheme in catalogue.schemes.values():
            if kind in scheme.subjects:
                return [Subject(kind, scheme.name, value) for value in _values(scheme, count)]
    return []


def declared(subjects: Sequence[Subject], dataset: Dataset) -> list[Subject]:
    """The test subjects that a dataset can be asked about."""
    return [subject for subject in subjects if subject.kind in dataset.subjects]


@functools.cache
def _values(scheme: IdentifierScheme, count: int) -> tuple[str, ...]:
    dice = random.Random(f"dutybound test subject {scheme.name}")  # noqa: S311 - the same at every run
    parsed = patterns.parse(scheme.pattern) if scheme.pattern else None
    found: list[str] = []
    for number in range(_TRIES):
        value = _filled(parsed, dice) if parsed is not None else _digits(_LENGTHS[number % len(_LENGTHS)], dice)
        try:
            value = scheme.canonical(value)
        except ValueError:
            continue
        if value not in found:
            found.append(value)
        if len(found) == count:
            break
    return tuple(found)


def _digits(length: int, dice: random.Random) -> str:
    return "".join(dice.choice(_DIGITS) for _ in range(length))


def _filled(parsed: Any, dice: random.Random) -> str:
    """A text that a pattern may match, made from its parts; what it cannot make is left out, and the check decides."""
    made = ""
    for op, argument in parsed:
        if op is ops.LITERAL:
            made += chr(argument)
        elif op is ops.ANY:
            made += dice.choice(_DIGITS)
        elif op is ops.IN:
            made += dice.choice(_members(argument))
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            least, most, what = argument
            most = least + 3 if most is ops.MAXREPEAT else most
            for _ in range(min(dice.randint(least, max(least, int(most))), _MOST)):
                made += _filled(what, dice)
        elif op is ops.SUBPATTERN:
            made += _filled(argument[-1], dice)
        elif op is ops.BRANCH:
            made += _filled(dice.choice(argument[1]), dice)
        if len(made) > _MOST:
            break
    return made


def _members(of_set: Any) -> str:
    """The characters of a set, of digits and letters where it names a class of them."""
    found = ""
    for op, argument in of_set:
        if op is ops.LITERAL:
            found += chr(argument)
        elif op is ops.RANGE:
            found += "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 127) + 1)))
        elif op is ops.CATEGORY:
            found += _DIGITS if argument is ops.CATEGORY_DIGIT else _DIGITS + _LETTERS
        elif op is ops.NEGATE:
            return _DIGITS + _LETTERS
    return found or _DIGITS
