"""What is looked at of a draft's files in a process of its own: they are unfinished, and may be made to take for ever.

`python -m gateway.drafts.child` reads a `Looked` from its standard input and writes a `Found`. Nothing of the files
reaches the process that serves but plain words and names.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.bounds.children import bound

MOST_MEMORY = 1024**3
MOST_CPU = 60
"""Bytes, and seconds, that a look may take; then its process ends."""
MOST_TOLD = 200
"""Problems that are told."""
MOST_ROWS = 1_000
"""Rows of a matrix that are told."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of whom and what a matrix is wanted; an empty name stands for all."""

    requester: str = ""
    purpose: str = ""
    dataset: str = ""


EVERYTHING = Wanted()
Part = Literal["check", "matrix", "grants", "purposes"]


class Edit(msgspec.Struct, frozen=True, tag=True):
    """What a grant is to have: of the requester at the place `entry` of the file, the one at `number` of its
    grants."""

    entry: int
    number: int
    since: datetime.date
    until: datetime.date
    agreed_by: str
    datasets: tuple[str, ...]


class GrantTold(msgspec.Struct, frozen=True):
    """A grant as the file has it, right or wrong, and where; `title` is its requester's, the id where it has none."""

    entry: int
    number: int
    client: str
    title: str
    purpose: str
    datasets: tuple[str, ...]
    since: str
    until: str
    agreed_by: str


class Purposed(msgspec.Struct, frozen=True, tag=True):
    """A purpose as the file has it, right or wrong, or as it is to be: the members that a form has.

    `fields` are the names of fields by dataset.
    """

    name: str
    title: str
    articles: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]


class Looked(msgspec.Struct, frozen=True):
    """An archive, what is wanted of it, the day it is held to, and how names of `gateway.yaml` are read."""

    part: Part
    files: bytes
    day: datetime.date
    issuers: Mapping[str, str]
    registries: tuple[str, ...] | None
    wanted: Wanted = EVERYTHING
    edit: Edit | Purposed | None = None


class Place(msgspec.Struct, frozen=True):
    """One thing that is wrong, and where; `line` and `column` count from 1, 0 where there is none.

    A `warning` keeps nothing from being proposed.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: Literal["error", "warning"] = "error"


class Row(msgspec.Struct, frozen=True):
    """What a grant permits of a dataset about one kind of subject: which of its `fields`, and what that takes.

    `standing` says whether the grant holds on the day. `reason` is why nothing is permitted. `rules` are those that
    permit or deny, by id, each with its file.
    """

    grant: str
    requester: str
    title: str
    purpose: str
    purpose_title: str
    subject: str
    dataset: str
    dataset_title: str
    department: str
    fields: tuple[str, ...]
    permitted: tuple[str, ...]
    takes: tuple[str, ...]
    standing: str
    reason: str
    rules: Mapping[str, str] = {}


class Found(msgspec.Struct, frozen=True):
    """What came of it: what is wrong, how much there is (`counts`), and the matrix with what it can be narrowed to.

    `left_out` is how many rows were too many to be told. `grants` and `several` purposes are those of the file, where
    `fields` are those that each dataset has; `text` is what it says with
    an edit; where it is `unfit` for that, why.
    """

    places: tuple[Place, ...] = ()
    counts: Mapping[str, int] = {}
    digest: str = ""
    rows: tuple[Row, ...] = ()
    left_out: int = 0
    requesters: Mapping[str, str] = {}
    purposes: Mapping[str, str] = {}
    datasets: Mapping[str, str] = {}
    fields: Mapping[str, tuple[str, ...]] = {}
    grants: tuple[GrantTold, ...] = ()
    several: tuple[Purposed, ...] = ()
    unfit: str = ""
    text: str = ""


def main() -> int:
    """Look at what comes on the standard input."""
    if sys.argv[1:]:
        print(main.__doc__)
        return 0
    bound(MOST_MEMORY, MOST_CPU)
    from gateway.drafts.found import answered

    sys.stdout.buffer.write(answered(sys.stdin.buffer.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
