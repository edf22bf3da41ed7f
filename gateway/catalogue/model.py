"""What may be shared: the values that a catalogue is made of. No I/O here.

Arts. 18, 20-22, 44: every dataset says whose it is, on what law it rests, how it may be disclosed and how long it is
displayed. Only `published` datasets can be asked for.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from connectors.base import FieldType, SubjectKind

Information = Literal["public", "non_public"]
Disclosure = Literal["open", "shared", "authorised"]
Nature = Literal["adverse", "favourable", "neutral"]
Shape = Literal["list", "subject"]


class Status(enum.StrEnum):
    """The lifecycle of a dataset, in order (Arts. 20, 21)."""

    DRAFT = "draft"
    CONSULTATION = "consultation"
    APPROVED = "approved"
    PUBLISHED = "published"
    RETIRED = "retired"


PROVIDED = (Status.PUBLISHED, Status.RETIRED)
"""Statuses of a dataset that there are records of."""


class Basis(msgspec.Struct, frozen=True, omit_defaults=True):
    """The legal basis of a dataset or purpose; `version` is the law's that is meant, where it matters.

    `url` is where a dataset's law can be read, such as its European Legislation Identifier.
    """

    law: str
    article: str | None = None
    version: str | None = None
    url: str | None = None


class Period(msgspec.Struct, frozen=True):
    """An ISO 8601 duration of calendar years, months and days; `text` is how it was written."""

    text: str
    months: int
    days: int

    def after(self, start: datetime.date) -> datetime.date:
        """The day this period after `start`, in calendar months: a missing day is the month's last."""
        month = start.year * 12 + start.month - 1 + self.months
        year, month0 = divmod(month, 12)
        if year > datetime.MAXYEAR:
            return datetime.date.max
        first_of_next = (
            datetime.date(year + (month0 == 11), (month0 + 1) % 12 + 1, 1) if year < datetime.MAXYEAR else None
        )
        last = (first_of_next - datetime.timedelta(days=1)).day if first_of_next else 31
        try:
            return datetime.date(year, month0 + 1, min(start.day, last)) + datetime.timedelta(days=self.days)
        except OverflowError:
            return datetime.date.max


class Display(msgspec.Struct, frozen=True):
    """How long records are displayed, counted from the record's `effective` date (Art. 44)."""

    min: Period | None
    max: Period | None
    counted_from: str = "effective"
    law: str | None = None


class Field(msgspec.Struct, frozen=True):
    """One catalogue field; `name` is its GraphQL name too. `override` is the written reason for a reserved pattern."""

    name: str
    type: FieldType
    title: str
    override: str | None = None


class Dataset(msgspec.Struct, frozen=True):
    """One dataset of one department.

    `id` is its kebab-case name (`tax-arrears`), `graphql_name` the field on subjects (`taxArrears`) and `type_name`
    the record type (`TaxArrears`). A `subject`-shaped dataset puts its fields on the subject itself. `open_law` is
    the law that lets an adverse dataset be open; `override` the written reason for a reserved word in its id or title.
    """

    id: str
    department: str
    department_title: str
    title: str
    status: Status
    subjects: tuple[SubjectKind, ...]
    information: Information
    disclosure: Disclosure
    nature: Nature
    category: str
    basis: tuple[Basis, ...]
    display: Display | None
    restorable: bool
    shape: Shape
    fields: Mapping[str, Field]
    open_law: str | None = None
    override: str | None = None

    @property
    def graphql_name(self) -> str:
        head, *rest = self.id.split("-")
        return head + "".join(map(str.capitalize, rest))

    @property
    def type_name(self) -> str:
        return "".join(map(str.capitalize, self.id.split("-")))


class IdentifierScheme(msgspec.Struct, frozen=True):
    """A kind of identifier. `canonical` gives the canonical form of a value, or raises `ValueError`.

    `module` and `pattern` say where that check comes from.
    """

    name: str
    title: str
    subjects: tuple[SubjectKind, ...]
    canonical: Callable[[str], str]
    module: str | None = None
    pattern: str | None = None


class Catalogue(msgspec.Struct, frozen=True):
    """All datasets of all departments and all identifier schemes, as one content-addressed version.

    `digest` is the SHA-256, in hexadecimal, of the canonical form of all of it. One with mistakes has all names that
    are written, so that nobody takes them for unknown: what is `broken` has invented parts, and where it is not `whole`
    there may be more datasets and departments than it knows. `remedies` say what a subject can do about a decision of a
    department (Art. 45).
    """

    datasets: Mapping[str, Dataset]
    schemes: Mapping[str, IdentifierScheme]
    departments: Mapping[str, str]
    digest: str
    broken: frozenset[str] = frozenset()
    whole: bool = True
    remedies: Mapping[str, str] = {}

    def has_not(self, dataset: str) -> bool:
        """Whether it is certain that there is no such dataset."""
        return self.whole and dataset not in self.datasets

    def provided_by(self, department: str) -> Mapping[str, Dataset]:
        """What the department provides, or provided until it was retired: of these it still has records."""
        return {
            name: each
            for name, each in self.datasets.items()
            if each.department == department and each.status in PROVIDED
        }

    @property
    def published(self) -> Mapping[str, Dataset]:
        """The only datasets that exist for a requester."""
        return {name: d for name, d in self.datasets.items() if d.status is Status.PUBLISHED}
