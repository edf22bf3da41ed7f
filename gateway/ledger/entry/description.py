"""What an entry beside inquiries records, in a reader's words: made by `describe`, shown by every format. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Deed(NamedTuple):
    """`happened` is a sentence without its subject, `rows` what a full account adds to it.

    `by` is the person, or what acted, where one is named; `subject` a scheme and value, `records` what of it was the
    matter, as `<dataset>/<record id>` with `@<version>` where one is meant.
    """

    title: str
    happened: str
    rows: list[tuple[str, list[str]]]
    by: str = ""
    why: str = ""
    subject: tuple[str, str] | None = None
    case: str | None = None
    records: tuple[str, ...] = ()


def subject_of(scheme: str | None, value: str | None) -> tuple[str, str] | None:
    """The subject, where the entry names one that was not erased."""
    return None if value is None else (scheme or "", value)


def name_of(subject: tuple[str, str] | None) -> str:
    """The subject's name for a sentence about one."""
    return " ".join(subject) if subject else "a subject that was erased"
