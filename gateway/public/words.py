"""What public pages say in words: days as people write them, and values by their type."""

from __future__ import annotations

import datetime

NONE_GIVEN = "not given"


def day(date: datetime.date) -> str:
    """`26 November 2026`."""
    return f"{date.day} {date:%B %Y}"


def value(text: str | None, kind: str) -> str:
    """A value of the catalogue's type `kind`, as people read it."""
    if text is None:
        return NONE_GIVEN
    if kind == "Boolean":
        return "yes" if text == "true" else "no"
    try:
        if kind == "Date":
            return day(datetime.date.fromisoformat(text))
        if kind == "DateTime":
            at = datetime.datetime.fromisoformat(text)
            return f"{day(at.date())}, {at:%H:%M}"
    except ValueError:
        return text
    return text


def law(law_: str, article: str | None) -> str:
    """`Trade Licensing Act, article 12`."""
    return f"{law_}, article {article}" if article else law_
