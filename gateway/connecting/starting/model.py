"""What a description has of a department's system, and the parts of files that are made of it.

Nothing is invented: a value is what the description says, a guess with the reason, or a gap with what to write there.
No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from connectors.base import FieldType

MOST_DATASETS = 40
"""So many datasets are proposed of one description; more is nothing that anybody reads."""
MOST_FIELDS = 100
MOST_PASSED = 200
"""So many lines say what was passed over."""


class Said(NamedTuple):
    """One value of a file. `text` is None for a gap; then `why` is what to write, and else why it is a guess.

    Without a `why` the description says it in so many words.
    """

    text: str | None
    why: str = ""

    @property
    def gap(self) -> bool:
        return self.text is None


YES = Said("true")
"""What is said of a key that is `true` or `false`."""


class Note(NamedTuple):
    """A line that only people read."""

    text: str


class Names(NamedTuple):
    """A list of words, on one line."""

    names: tuple[str, ...]


class Items(NamedTuple):
    """A list of mappings, none of which begins with a `Note`."""

    items: tuple[Lines, ...]


Part: TypeAlias = "Said | Note | Names | Items | Lines"


class Lines(NamedTuple):
    """A mapping as it is written, in its order. The key of a `Note` is not written."""

    entries: tuple[tuple[str, Part], ...]


class Value(NamedTuple):
    """One value of a record as its source has it: where it stands, its type and its title.

    `type` is None where the description does not say it. `why` says why the type is a guess, `titled` that the source
    gives the title itself. `key` is whether it is part of what identifies a row.
    """

    path: tuple[str, ...]
    type: FieldType | None
    title: str
    why: str = ""
    titled: bool = False
    key: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)


class Lookup(NamedTuple):
    """The records that can be had for one subject: a list, or with `one_record` one of them.

    `called` is what the source calls it, `title` how people do, `shown` how a person finds it in the description.
    `place` are the keys of `sources.yaml` that say where it is, without `record` and `fields`. `value` and `scheme` are
    the names by which the question names its subject, where it has them. `passed` says what of a record is not
    proposed; `titled` that the source gives the title itself. `headers` are those that every question has.
    """

    called: str
    title: str
    shown: str
    place: tuple[tuple[str, Part], ...]
    values: tuple[Value, ...]
    value: str = ""
    scheme: str = ""
    passed: tuple[str, ...] = ()
    titled: bool = False
    one_record: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Described(NamedTuple):
    """A department's system by its own description: its keys in `sources.yaml`, its lists, and what was passed over."""

    keys: tuple[tuple[str, Part], ...]
    lookups: tuple[Lookup, ...]
    passed: tuple[str, ...] = ()
    title: str = ""


class Known(NamedTuple):
    """What the gateway's policies have already.

    `schemes` are the identifier schemes with the kinds of subject that each names; `datasets` the department's own, by
    id, with the types of their fields; `others` the ids of all datasets. `title` is the department's, or empty where
    the catalogue does not have it.
    """

    schemes: Mapping[str, Sequence[str]]
    datasets: Mapping[str, Mapping[str, FieldType]]
    others: frozenset[str]
    title: str = ""
