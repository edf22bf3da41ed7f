"""What is given to an act, read once and refused in the caller's words (`MATTER_INVALID`, `ARGUMENT`)."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import MOST_NAMED, Subject
from connectors.base import named as name_of
from connectors.composing import COMPOSED, composed
from gateway.catalogue.model import Catalogue, Dataset
from gateway.errors import Code, Refusal
from gateway.ledger.acting.planned import invalid
from gateway.ledger.entry.acts import Paper
from gateway.writing import unseen, unseen_in_lines

MOST_TEXT = 4_000
MOST_PAPERS = 20


def wrong(message: str) -> Refusal:
    """An argument that will not do."""
    return invalid("ARGUMENT", message)


def text(given: object, name: str, most: int = MOST_TEXT) -> str:
    """Text as it is kept: trimmed, NFC, of 1 to `most` characters; a line ends as `\\n`, however it was sent.

    Without control characters, among them those that turn the direction of what follows.
    """
    said = str(given).replace("\r\n", "\n").strip()
    if len(said) > most * COMPOSED:
        raise _too_long(name, len(said), most)
    try:
        said = composed(said).strip()
    except ValueError as error:
        raise wrong(f"`{name}` is no text that one can read: {error}") from None
    if all(unicodedata.category(each)[0] in "CZ" for each in said):
        raise wrong(f"`{name}` is empty of words; write what is meant")
    if len(said) > most:
        raise _too_long(name, len(said), most)
    if has := unseen_in_lines(said):
        raise wrong(f"`{name}` has control characters: {has}; leave them out")
    return said


def _too_long(name: str, length: int, most: int) -> Refusal:
    return wrong(f"`{name}` has {length:,} characters; at most {most:,} are taken")


def plain(given: Any) -> Any:
    """An argument as it is kept, so that one that differs only in how it was sent is the same again."""
    if type(given) is str:
        said = given.replace("\r\n", "\n").strip()
        try:
            return composed(said).strip()
        except ValueError:
            return said  # no act takes it
    if isinstance(given, Mapping):
        return {name: plain(each) for name, each in given.items()}
    return [plain(each) for each in given] if isinstance(given, list | tuple) else given


def named(given: object, name: str) -> str:
    """An id, a version or a number, by the rule that makes those of departments' records: a line of text."""
    try:
        return name_of(str(given))
    except ValueError:
        text(given, name, MOST_NAMED)  # says what is wrong, where it is wrong in longer text too
        has = unseen(str(given).strip())
        raise wrong(f"`{name}` must be one line of plain text{f', and has {has}' if has else ''}") from None


def searchable(given: str, name: str) -> None:
    """Refuse an id that no store can be asked about: PostgreSQL takes no text with a NUL."""
    if "\0" in given:
        raise wrong(f"`{name}` has control characters: {unseen(given)}; leave them out")


def reference(given: Mapping[str, Any]) -> str | None:
    """The caller's reference, where there is one."""
    said = given.get("reference")
    return None if said is None else named(said, "reference")


def identifier(catalogue: Catalogue, given: Mapping[str, Any]) -> Subject:
    """The subject that an identifier names; raises `Refusal` `IDENTIFIER_INVALID`."""
    scheme = catalogue.schemes.get(str(getattr(given["scheme"], "value", given["scheme"])))
    if scheme is not None:
        try:
            return Subject(scheme.subjects[0], scheme.name, scheme.canonical(given["value"]))
        except ValueError:
            pass
    if scheme is None:
        message = f"there is no such scheme; identifiers are of {', '.join(f'`{name}`' for name in catalogue.schemes)}"
        raise Refusal(Code.IDENTIFIER_INVALID, message)
    message = f"this is not a valid {scheme.title}: check its length, characters and check digits"
    raise Refusal(Code.IDENTIFIER_INVALID, message)


def dataset(catalogue: Catalogue, given: object, kind: str, name: str = "dataset") -> Dataset:
    """A published dataset that covers this kind of subject."""
    found = catalogue.published.get(str(given))
    if found is None or kind not in found.subjects:
        raise no_dataset(name)
    return found


def no_dataset(name: str) -> Refusal:
    """There is no such dataset, for this caller and kind of subject."""
    return wrong(f"`{name}` is no dataset about a subject like this; see `catalogue`")


def fields(catalogue: Catalogue, given: Sequence[Mapping[str, Any]], kind: str) -> dict[str, tuple[str, ...]]:
    """The fields of each dataset, as a consent lists them: by name, each once, and at least one."""
    if not given:
        raise wrong("`fields` names nothing: a consent to nothing is none")
    found: dict[str, tuple[str, ...]] = {}
    for each in given:
        of = dataset(catalogue, each["dataset"], kind, "fields.dataset")
        names = [str(name) for name in each["fields"]]
        if of.id in found:
            raise wrong(f"`fields` names `{of.id}` twice; keep one")
        if not names or len(set(names)) != len(names):
            raise wrong(f"`fields` of `{of.id}` must name at least one field, and each once")
        unknown = [name for name in names if name not in of.fields]
        if unknown:
            raise wrong(f"`{of.id}` has no field `{unknown[0][:60]}`; see `catalogue`")
        found[of.id] = tuple(sorted(names))
    return dict(sorted(found.items()))


def last_day(given: datetime.date, today: datetime.date, longest: datetime.date, name: str = "until") -> datetime.date:
    """A last day that is not over, and not beyond the longest."""
    if given < today:
        raise wrong(f"`{name}` is over; name a day from {today} on")
    if given > longest:
        raise wrong(f"`{name}` is too far away; the latest is {longest}")
    return given


def papers(given: Sequence[Mapping[str, Any]] | None) -> tuple[Paper, ...]:
    """Papers that are named: issuer, number, and the date where there is one."""
    several = given or ()
    if len(several) > MOST_PAPERS:
        raise wrong(f"`papers` has {len(several)}; at most {MOST_PAPERS} are taken")
    return tuple(
        Paper(named(each["issuer"], "papers.issuer"), named(each["number"], "papers.number"), each.get("date"))
        for each in several
    )
