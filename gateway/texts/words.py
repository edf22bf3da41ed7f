"""All texts of the pages, from one file for each language: `en.toml`, or the file that `texts` of `gateway.yaml` names.

A text has a dotted name; what stands in braces in it is filled in, escaped. Texts are trusted and may hold markup; what
is filled in is not. A name that there is none of is a defect, found when the page is made.
"""

from __future__ import annotations

import datetime
import json
import re
import string
import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gateway.errors import ConfigurationError, Problem

_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_MOMENT = re.compile(_DAY.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_LARGE = re.compile(r"-?[0-9]{4,}\.[0-9]{2}")
"""Amounts; whole numbers may be years, or numbers of papers."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
ENGLISH = Path(__file__).parent / "en.toml"


def read(file: Path | None = None) -> dict[str, str]:
    """The texts of a file, by dotted name; the English ones where none is named.

    Raises `ConfigurationError` where it is no TOML, lacks a text that the English file has, has one that it has not, or
    has braces that name something else.
    """
    file = file or ENGLISH
    try:
        found = dict(_flat(tomllib.loads(file.read_text("utf-8")), ""))
    except (OSError, ValueError) as error:
        raise ConfigurationError([Problem(str(file), 0, 0, "", f"cannot be read as TOML: {error}")]) from error
    if file != ENGLISH:
        problems = [Problem(str(file), 0, 0, name, what) for name, what in _unlike(found, read())]
        if problems:
            raise ConfigurationError(problems)
    return found


def _unlike(found: Mapping[str, str], english: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each name with what is wrong with its text, against the English file."""
    if not _LANGUAGE.fullmatch(found.get("language", "")):
        yield "language", "must be the tag of a language, like `bg` or `en-GB`"
    for name in english.keys() - found.keys():
        yield name, f"is missing; in English it is `{english[name]}`"
    for name in found.keys() - english.keys():
        yield name, "is no text of the pages; remove it"
    for name in english.keys() & found.keys():
        try:
            unknown = sorted(_filled(found[name]) - _filled(english[name]))
        except ValueError as error:
            yield name, f"has braces that cannot be filled in: {error}"
            continue
        if unknown:
            yield name, f"nothing fills in `{{{unknown[0]}}}`; in English it is `{english[name]}`"


def _filled(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def _flat(found: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", str(value)


_FROM_THE_RIGHT = frozenset(["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"])
"""Languages that are written from the right."""


class Words:
    """The texts of one language, and how it writes days, times and lists; times are those of `zone`."""

    def __init__(self, texts: Mapping[str, str], zone: Callable[[], datetime.tzinfo] = lambda: datetime.UTC) -> None:
        self._texts, self._zone = texts, zone

    def __call__(self, name: str, /, **values: Any) -> Markup:
        """A text, with what is filled in; raises `KeyError`."""
        return Markup(self._texts[name]).format(**values)  # noqa: S704 - our own file; `format` escapes what comes in

    @property
    def direction(self) -> str:
        """Where lines begin, as HTML's `dir` has it."""
        return "rtl" if self._texts["language"].partition("-")[0].lower() in _FROM_THE_RIGHT else "ltr"

    def get(self, name: str, otherwise: str) -> Markup:
        """A text where there is one of that name, else other words, escaped."""
        return Markup(self._texts[name]) if name in self._texts else Markup.escape(otherwise)  # noqa: S704 - as above

    def scripts(self, *names: str) -> str:
        """What scripts read from `data-texts`: JSON with the texts below `scripts.<each name>`, by `<name>.<rest>`."""
        above = tuple(f"scripts.{name}." for name in names)
        found = {name.removeprefix("scripts."): text for name, text in self._texts.items() if name.startswith(above)}
        return json.dumps(found, ensure_ascii=False)

    def number(self, name: str, count: int, /, **values: Any) -> Markup:
        """The text for one, or for several."""
        return self(f"{name}.{'one' if count == 1 else 'many'}", count=count, **values)

    def day(self, value: str | datetime.date | None) -> Markup:
        """`Monday 30 November 2026`, from an ISO date, or from a moment as the clocks of the place show it."""
        if not value:
            return Markup("")
        if isinstance(value, str):
            at = datetime.datetime.fromisoformat(value)
            value = at.date() if _DAY.fullmatch(value) else self.here(at).date()
        names = {"weekday": self(f"days.{value.isoweekday()}"), "month": self(f"months.{value.month}")}
        return self("days.long", day=value.day, year=value.year, **names)

    def month(self, name: str) -> Markup:
        """`November 2026`, from `2026-11`."""
        return self("days.month", month=self(f"months.{int(name[5:])}"), year=name[:4])

    def law(self, law: str, article: str | None) -> Markup:
        """`Trade Licensing Act, article 12`."""
        return (
            self("laws.of", law=law, article=self("laws.article", article=article)) if article else Markup.escape(law)
        )

    def reason(self, code: str) -> Markup:
        """Why something was refused or denied, by its code, as it stands within a sentence."""
        return self.get(f"reasons.{code}", self.get(f"codes.{code}", code))

    def here(self, at: datetime.datetime) -> datetime.datetime:
        """A moment as the clocks of the place show it."""
        return at.astimezone(self._zone())

    def end_of(self, day: datetime.date) -> datetime.datetime:
        """The last second of a day; raises `OverflowError` at the end of the calendar."""
        return datetime.datetime.combine(day, datetime.time(23, 59, 59), self._zone()).astimezone(datetime.UTC)

    def moment(self, value: str | datetime.datetime) -> Markup:
        """Day and time."""
        at = self.here(datetime.datetime.fromisoformat(value) if isinstance(value, str) else value)
        return self("days.at", day=self.day(at.date()), time=at.strftime("%H:%M"))

    def written(self, value: str) -> Markup:
        """A record's value as people write it: days, moments and large figures; everything else as it is."""
        if _DAY.fullmatch(value):
            return self.day(value)
        if _MOMENT.fullmatch(value):
            return self.moment(value)
        return Markup.escape(f"{Decimal(value):,}" if _LARGE.fullmatch(value) else value)

    def several(self, items: list[Any]) -> Markup:
        """`a`, `a and b`, `a, b and c`."""
        escaped = [Markup.escape(each) for each in items]
        if len(escaped) < 2:
            return Markup("").join(escaped)
        return self("lists.last", first=Markup(", ").join(escaped[:-1]), last=escaped[-1])
