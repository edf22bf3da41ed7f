"""What came of an intake, as the operator and the department are shown it. Never a value of a file.

The last report is kept beside the index as `report.json`, for whoever watches the department.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

FILE = "report.json"
MOST = 20
"""Troubles that are shown; of the others only the number."""


class Outcome(enum.StrEnum):
    """What came of an intake."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    UNREACHED = "unreached"


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong, and where: a file's name, its row from 1 as an editor counts lines of records, its column."""

    what: str
    file: str = ""
    row: int = 0
    column: str = ""

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row else ""
        column = f"column `{self.column}`" if self.column else ""
        return ": ".join([*[", ".join(filter(None, (self.file, row, column)))][: bool(self.file)], self.what])


class Counted(msgspec.Struct, frozen=True):
    """Of one dataset: its records, and how many of the delivery before are not among them."""

    records: int
    vanished: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One intake. `at` and `as_of` are RFC 3339; `sequence` and `as_of` are those of the delivery, where one was read.

    `troubles` are at most `MOST`; `more` says how many others there are.
    """

    outcome: Outcome
    at: str
    sequence: int = 0
    as_of: str = ""
    datasets: dict[str, Counted] = {}
    troubles: list[Trouble] = []
    more: int = 0

    @property
    def vanished(self) -> int:
        """Records of the delivery before that this one does not have."""
        return sum(each.vanished for each in self.datasets.values())


class RefusedError(Exception):
    """The delivery cannot be taken in."""

    def __init__(self, troubles: list[Trouble], more: int = 0) -> None:
        super().__init__(str(troubles[0]))
        self.troubles, self.more = troubles, more


def refused(what: str, file: str = "", row: int = 0, column: str = "") -> RefusedError:
    """A refusal for one reason."""
    return RefusedError([Trouble(what, file, row, column)])


def refused_for(troubles: Sequence[Trouble]) -> RefusedError:
    """A refusal for several reasons, of which `MOST` are shown."""
    return RefusedError([*troubles[:MOST]], len(troubles[MOST:]))


class Troubles:
    """Collects what is wrong, up to a number at which reading on shows nothing new."""

    def __init__(self) -> None:
        self.first: list[Trouble] = []
        self.count = 0

    def add(self, trouble: Trouble) -> None:
        """One more. Raises `RefusedError` where they are enough."""
        self.count += 1
        if len(self.first) < MOST:
            self.first.append(trouble)
        if self.count >= MOST * 50:
            self.settle()

    def settle(self) -> None:
        """Raises `RefusedError` where there is any."""
        if self.count:
            raise RefusedError(self.first, self.count - len(self.first))


def keep(folder: Path, report: Report) -> None:
    """Make it the last report, for the owner only. Raises `OSError`."""
    new = folder / f".{FILE}"
    new.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    new.chmod(0o600)
    os.replace(new, folder / FILE)


def last(folder: Path) -> Report | None:
    """The last report of an index's folder; None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None
