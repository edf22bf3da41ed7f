"""A described system as parts of files: of `sources.yaml`, the catalogue, purposes and requesters. Pure.

Where the catalogue has the department, its datasets and fields keep their names, and what the description does not have
of them is a gap. Else all that a person has to decide is one: who is meant, how it may be disclosed, on what law.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connectors.base import FieldType
from gateway.connecting.starting import guessing, naming
from gateway.connecting.starting.guessing import Record
from gateway.connecting.starting.model import (
    MOST_DATASETS,
    MOST_PASSED,
    Described,
    Items,
    Known,
    Lines,
    Lookup,
    Names,
    Note,
    Part,
    Said,
    Value,
)
from gateway.errors import CommandRefused, printable


class Dataset(NamedTuple):
    """One dataset as it is proposed: its id, where it is, and its fields with the values that they are read from.

    A field of the catalogue that nothing in the description is called like has its type alone.
    """

    id: str
    lookup: Lookup
    record: Record
    fields: Mapping[str, Value | FieldType]


class Draft(NamedTuple):
    """What is proposed for a department. `passed` lists what is not, and why."""

    department: str
    described: Described
    datasets: tuple[Dataset, ...]
    known: Known
    passed: tuple[str, ...]


def draft(department: str, described: Described, known: Known) -> Draft:
    """Datasets and fields with the names that they will have; raises `CommandRefused` where there is none."""
    passed = list(described.passed)
    datasets: list[Dataset] = []
    taken = {*known.others} - {*known.datasets}
    for lookup in described.lookups:
        record = guessing.record(lookup, known.schemes)
        if len(datasets) >= MOST_DATASETS:
            passed.append(f"{lookup.shown}: these are more than {MOST_DATASETS} datasets; split the description")
        elif not known.title:
            name = naming.dataset(lookup.called, department, taken)
            taken.add(name)
            datasets.append(Dataset(name, lookup, record, _named(lookup, record)))
        elif (name := _like(lookup, department, known, {each.id for each in datasets})) != "":
            datasets.append(Dataset(name, lookup, record, _of_catalogue(lookup, record, known.datasets[name])))
        else:
            passed.append(f"{lookup.shown}: no dataset of the department in the catalogue is called so")
    if not datasets:
        reasons = "".join(f"\n  {printable(line)}" for line in passed[:MOST_PASSED])
        raise CommandRefused(f"nothing that is described is a dataset of `{department}` in the catalogue{reasons}")
    for name in known.datasets.keys() - {each.id for each in datasets}:
        passed.append(f"dataset `{name}` of the catalogue: nothing in the description is called so; write its source")
    return Draft(department, described, tuple(datasets), known, tuple(passed))


def _named(lookup: Lookup, record: Record) -> dict[str, Value | FieldType]:
    """The values that can be asked for, by a name for each."""
    found: dict[str, Value | FieldType] = {}
    for value in filter(record.is_field, lookup.values):
        name, own = naming.field(value.path, found)
        found[name] = value if own else value._replace(titled=False)
    return found


def _like(lookup: Lookup, department: str, known: Known, taken: set[str]) -> str:
    """The dataset of the catalogue that is called most like the list; nothing where none is called like it."""
    found = [(naming.likeness(lookup.called, name.removeprefix(f"{department}-")), name) for name in known.datasets]
    best = max((each for each in found if each[1] not in taken), default=(0, ""))
    return best[1] if best[0] else ""


def _of_catalogue(lookup: Lookup, record: Record, fields: Mapping[str, FieldType]) -> dict[str, Value | FieldType]:
    """The catalogue's fields, each with the value that is called so, or else most like it."""
    values = [value for value in lookup.values if value not in (record.subject, record.scheme)]
    found: dict[str, Value | FieldType] = {}
    for name, type_ in fields.items():
        own = naming.pieces(name)
        exact = [each for each in values if own in (naming.pieces(each.name), naming.pieces(each.path[-1]))]
        near = max(values, key=lambda each: naming.likeness(name, each.name), default=None)
        if exact:
            found[name] = exact[0]
        elif near is not None and naming.likeness(name, near.name):
            found[name] = near._replace(why=guessing.BY_NAME)
        else:
            found[name] = type_
    return found


def source(drafted: Draft) -> Lines:
    """The department's part of `sources.yaml`."""
    datasets = Lines(tuple((each.id, _source(each, drafted.known)) for each in drafted.datasets))
    notes = tuple(("", Note(f"passed over: {text}")) for text in drafted.passed[:MOST_PASSED])
    return Lines(((drafted.department, Lines((*drafted.described.keys, ("datasets", datasets), *notes))),))


def _source(dataset: Dataset, known: Known) -> Lines:
    lookup, says = dataset.lookup, dataset.record
    record: list[tuple[str, Part]] = [
        ("id", _mapped(says.identity, "what names the record among all of this list")),
        ("version", _mapped(says.version, "what changes whenever the record does; not its id")),
    ]
    if says.document is not None:
        record.append(("document", _mapped(says.document)))
    else:
        record.append(("", Note("document: the decision that it rests on; mandatory where the dataset is adverse")))
    if says.effective is not None:
        record.append(("effective", _mapped(says.effective)))
    else:
        record.append(("", Note("effective: the day that its display counts from; mandatory with a display period")))
    record.append(("subject", _subject(dataset, known)))
    of = known.datasets.get(dataset.id, {})
    fields = [(name, _field(name, value, of)) for name, value in dataset.fields.items()]
    notes = [("", Note(f"passed over: {text}")) for text in lookup.passed[:MOST_PASSED]]
    is_of = f"; guess: it is called like `{dataset.id}`" if of else ""
    entries: tuple[tuple[str, Part], ...] = (
        ("", Note(f"{lookup.shown}{is_of}")),
        *lookup.place,
        ("record", Lines(tuple(record))),
        ("fields", Lines((*fields, *notes))),
    )
    return Lines(entries)


def _mapped(value: Value | None, what: str = "") -> Said:
    return Said(None, what) if value is None else Said(value.name, guessing.BY_NAME)


def _field(name: str, value: Value | FieldType, of: Mapping[str, FieldType]) -> Said:
    """What stands for a field. `of` are the fields of the catalogue, where that has the dataset."""
    if isinstance(value, FieldType):
        return Said(None, f"the source's name for it ({value}); nothing in the description is called so")
    if name in of and value.type not in (of[name], None):
        return Said(value.name, f"by its name; the catalogue has {of[name]}, the description {value.type}")
    return Said(value.name, value.why if name in of else "")


def _subject(dataset: Dataset, known: Known) -> Part:
    who, scheme = dataset.record.subject, dataset.record.scheme
    if who is None:
        return Said(None, 'where the record names its subject, `{scheme: ..., value: ...}`; or {not_returned: "why"}')
    says: Part = Lines((("const", guessing.scheme_of(f"{dataset.lookup.value} {who.name}".strip(), known.schemes)),))
    if scheme is not None:
        says = _mapped(scheme)
    return Lines((("scheme", says), ("value", _mapped(who))))


def catalogue(drafted: Draft) -> Lines:
    """The department's file of the catalogue; all its datasets are drafts."""
    described = drafted.described
    title = Said(described.title, "the title of its description") if described.title else Said(None, "its name")
    datasets = Lines(tuple((each.id, _catalogued(each)) for each in drafted.datasets))
    return Lines((("department", Said(drafted.department)), ("title", title), ("datasets", datasets)))


def _catalogued(dataset: Dataset) -> Lines:
    lookup = dataset.lookup
    fields: list[tuple[str, Part]] = []
    for name, value in dataset.fields.items():
        if isinstance(value, Value):
            type_ = Said(value.type, value.why) if value.type else Said(None, f"one of {', '.join(FieldType)}")
            title = Said(value.title, "" if value.titled else "of its name")
            fields.append((name, Lines((("type", type_), ("title", title)))))
    return Lines(
        (
            ("title", Said(lookup.title, "" if lookup.titled else "of its name")),
            ("status", Said("draft")),
            ("subjects", Said(None, "[organisation], [person] or both")),
            ("information", Said(None, "public, or non_public: what moves with the subject's consent only")),
            ("disclosure", Said(None, "open, shared or authorised")),
            ("nature", Said(None, "neutral, favourable or adverse")),
            ("basis", Said(None, '[{law: ..., article: "..."}]')),
            ("", Note("display: {min: P3M, max: P3Y, from: effective}; mandatory where it is adverse")),
            ("fields", Lines(tuple(fields))),
        )
    )


def purpose(drafted: Draft, name: str) -> Lines:
    """A purpose that lists all that is proposed."""
    fields = Lines(tuple((each.id, _purposed(each)) for each in drafted.datasets))
    entries: tuple[tuple[str, Part], ...] = (
        ("title", Said(None, "what it is, as people call it")),
        ("articles", Said(None, 'the articles that it rests on, as ["19", "22(1)"]')),
        ("basis", Said(None, '[{law: ..., article: "..."}]')),
        ("dpv", Said(None, "the term of the W3C's Data Privacy Vocabulary, as dpv:LegalCompliance")),
        ("subjects", Said(None, "[organisation], [person] or both")),
        ("frequency", Said(None, "inquiries of a requester about a subject, as {max: 100, per: P1D}")),
        ("delete_after", Said(None, "when the recipient must have deleted the answer, as P30D")),
        ("fields", fields),
    )
    return Lines(((name, Lines(entries)),))


def _purposed(dataset: Dataset) -> Lines:
    note = Note(
        "all that there are; leave out what is not needed; of an adverse dataset `because` and `basis` give the reason"
    )
    return Lines((("", note), ("names", Names(tuple(dataset.fields)))))


def requester(drafted: Draft, purpose: str, client: str) -> Lines:
    """An item of `requesters`: a client with a grant for the purpose and all datasets that are proposed."""
    grant = Lines(
        (
            ("purpose", Said(purpose)),
            ("datasets", Names(tuple(each.id for each in drafted.datasets))),
            ("from", Said(None, "the first day, as 2026-01-01")),
            ("until", Said(None, "the last day")),
            ("agreed_by", Said(None, "the agreement that it rests on")),
        )
    )
    return Lines(
        (
            ("issuer", Said(None, "the issuer's name in gateway.yaml")),
            ("client", Said(client)),
            ("title", Said(None, "what the system is called")),
            ("department", Said(None, "whose system it is")),
            ("roles", Said(None, "roles of requesters.yaml, as [department]")),
            ("grants", Items((grant,))),
        )
    )
