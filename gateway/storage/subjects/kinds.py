"""The kinds of fact about a subject: each is declared by the member of `SubjectFacts` that holds it. Pure.

A member's line is all there is to declare. A kind without a member restrains nothing: it is over as it begins, so no
inquiry reads it, and it is there for whoever asks what changed since (`gateway.ledger.projections`). What is entered is
checked against its kind (`gateway.storage.subjects.facts`), and what is read becomes the member by it
(`gateway.inquiry.facts`). Tables and queries know columns, and no kind, so a store takes a new kind as it is.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, get_type_hints

import msgspec

About = Literal["subject", "dataset", "record", "requester", "grant"]

_COLUMNS: Mapping[About, frozenset[str]] = {
    "subject": frozenset(),
    "dataset": frozenset({"dataset"}),
    "record": frozenset({"dataset", "record"}),
    "requester": frozenset({"issuer", "client", "purpose", "fields"}),
    "grant": frozenset({"purpose", "dataset", "record"}),
}


class Kind(NamedTuple):
    """A kind of fact: what the store calls it, what of the subject one is about, and whether it has a last day.

    `past`: the member has only those whose last day is over.
    """

    name: str
    about: About
    until: bool = False
    past: bool = False

    @property
    def columns(self) -> frozenset[str]:
        """The columns that one fills, beside those that every fact has."""
        return _COLUMNS[self.about] | ({"until"} if self.until else frozenset())


class Consent(msgspec.Struct, frozen=True):
    """A subject's consent: to one requester and purpose, for datasets (and fields, or all), until a day (included)."""

    id: str
    issuer: str
    client: str
    purpose: str
    datasets: Mapping[str, frozenset[str] | None]
    until: datetime.date


_OBJECTION = Kind("objection", "record", until=True)


class SubjectFacts(msgspec.Struct, frozen=True):
    """What is known of one named subject, at one moment.

    A kind about records gives their keys (`dataset/record-id`), one about datasets their ids, one about the subject
    itself whether there is any. `disputed` records have an open objection, `overdue` ones one not decided in time.
    """

    consents: Annotated[tuple[Consent, ...], Kind("consent", "requester", until=True)] = ()
    disputed: Annotated[frozenset[str], _OBJECTION] = frozenset()
    overdue: Annotated[frozenset[str], _OBJECTION._replace(past=True)] = frozenset()
    withdrawn: Annotated[frozenset[str], Kind("withdrawal", "record")] = frozenset()
    restored: Annotated[frozenset[str], Kind("restoration", "record")] = frozenset()
    opted_out: Annotated[frozenset[str], Kind("opt-out", "dataset")] = frozenset()
    case_verified: bool = False


NOTHING = SubjectFacts()
"""Of a subject of whom nothing is known."""

MEMBERS: Mapping[str, Kind] = {
    member: hint.__metadata__[0]
    for member, hint in get_type_hints(SubjectFacts, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""Each member that is made of facts, and of which kind."""

CORRECTION = Kind("correction", "record")
"""A record has another version since."""

SUSPENSION = Kind("suspension", "grant")
"""A client may not ask for a dataset under its grant for a purpose, until it answers a recall, which `record` names.

It is a fact about the client: its issuer and id stand in the place of a subject's scheme and value (ADR 25)."""

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (*MEMBERS.values(), CORRECTION, SUSPENSION)}
"""Each kind of fact, by its name."""
