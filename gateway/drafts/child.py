"""What is looked at of a draft's files in a process of its own: they are unfinished, and may be made to take for ever.

`python -m gateway.drafts.child` reads a `Looked` from its standard input and writes a `Found`. Nothing of the files
reaches the process that serves but plain words and names.
"""

from __future__ import annotations

import datetime
import resource
import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

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


class Looked(msgspec.Struct, frozen=True):
    """An archive, what is wanted of it, the day it is held to, and how names of `gateway.yaml` are read."""

    part: Literal["check", "matrix"]
    files: bytes
    day: datetime.date
    issuers: Mapping[str, str]
    registries: tuple[str, ...] | None
    wanted: Wanted = EVERYTHING


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

    `standing` says whether the grant holds on the day. `reason` is why nothing is permitted.
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


class Found(msgspec.Struct, frozen=True):
    """What came of it: what is wrong, how much there is (`counts`), and the matrix with what it can be narrowed to.

    `left_out` is how many rows were too many to be told.
    """

    places: tuple[Place, ...] = ()
    counts: Mapping[str, int] = {}
    digest: str = ""
    rows: tuple[Row, ...] = ()
    left_out: int = 0
    requesters: Mapping[str, str] = {}
    purposes: Mapping[str, str] = {}
    datasets: Mapping[str, str] = {}


def main() -> int:
    """Look at what comes on the standard input."""
    if sys.argv[1:]:
        print(main.__doc__)
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU, MOST_CPU))
    from gateway.drafts.found import found

    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Looked)
    sys.stdout.buffer.write(msgspec.msgpack.encode(found(asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
