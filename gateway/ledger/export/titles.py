"""What departments, purposes, kinds of record and fields are called, for a sheet: from what `/open/catalogue` answers.

A receipt proves ids. What they are called is only said by a catalogue, so a sheet shows both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.errors import VerificationFailed

_ID = re.compile(r"`(?P<dataset>[a-z][a-z0-9-]*)\.(?P<field>[A-Za-z][A-Za-z0-9]*)`|\b(?P<purpose>[A-Z][A-Z0-9_]+)\b")
"""How a sentence about what was refused names a field or a purpose."""


class _Law(msgspec.Struct):
    law: str
    article: str | None = None


class _Purpose(msgspec.Struct):
    id: str
    title: str
    basis: list[_Law] = []


class _Field(msgspec.Struct):
    name: str
    title: str


class _Dataset(msgspec.Struct):
    id: str
    title: str
    fields: list[_Field] = []


class _Catalogue(msgspec.Struct):
    departments: dict[str, str]
    datasets: list[_Dataset]
    purposes: list[_Purpose] = []


class Titles(NamedTuple):
    """Titles by id; of a purpose its laws too, of a kind of record its fields'. `source` is where they are from."""

    departments: Mapping[str, str] = {}
    purposes: Mapping[str, tuple[str, Sequence[str]]] = {}
    datasets: Mapping[str, tuple[str, Mapping[str, str]]] = {}
    source: str = ""

    def department(self, id_: str) -> str:
        """`Tax Service (tax)`; the id alone where there is no title."""
        return _both(self.departments.get(id_), id_)

    def purpose(self, id_: str) -> str:
        """As `department`."""
        found = self.purposes.get(id_)
        return _both(found[0] if found else None, id_)

    def laws(self, purpose: str) -> list[str]:
        """The laws that a purpose rests on: `Public Procurement Act, article 54`."""
        found = self.purposes.get(purpose)
        return list(found[1]) if found else []

    def dataset(self, id_: str) -> str:
        """As `department`."""
        found = self.datasets.get(id_)
        return _both(found[0] if found else None, id_)

    def fields(self, dataset: str, names: Sequence[str]) -> list[str]:
        """The titles of fields; the name of one that has none."""
        found = self.datasets.get(dataset)
        known: Mapping[str, str] = found[1] if found else {}
        return [_both(known.get(name), name) for name in names]

    def field(self, dataset: str, name: str) -> str:
        """`Amount (amount) of Notices of tax arrears (tax-arrears)`; `tax-arrears.amount` where there is no title."""
        if dataset not in self.datasets:
            return f"{dataset}.{name}"
        return f"{self.fields(dataset, [name])[0]} of {self.dataset(dataset)}"

    def within(self, sentence: str) -> str:
        """A sentence about what was refused, with titles beside the ids that have one."""
        return _ID.sub(self._called, sentence)

    def _called(self, found: re.Match[str]) -> str:
        if purpose := found["purpose"]:
            return self.purpose(purpose)
        return self.field(found["dataset"], found["field"]) if found["dataset"] in self.datasets else found[0]


NONE = Titles()
"""Ids alone."""
GIVEN = "the catalogue that was given when this was made"
ACTIVE = "the policies that were active when this was made"
"""Where titles are from."""


def read(content: bytes, source: str = GIVEN) -> Titles:
    """The titles of a catalogue in JSON; raises `VerificationFailed`."""
    try:
        found = msgspec.json.decode(content, type=_Catalogue)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = "this is no catalogue: save what `/open/catalogue?format=json` answers"
        raise VerificationFailed(message) from error
    return Titles(
        found.departments,
        {each.id: (each.title, [_law(law) for law in each.basis]) for each in found.purposes},
        {each.id: (each.title, {field.name: field.title for field in each.fields}) for each in found.datasets},
        source,
    )


def _law(law: _Law) -> str:
    return law.law if law.article is None else f"{law.law}, article {law.article}"


def _both(title: str | None, id_: str) -> str:
    return id_ if title is None or title == id_ else f"{title} ({id_})"
