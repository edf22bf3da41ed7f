"""What a catalogue refuses, although it can be read. One small function a rule, in one ordered tuple each.

`ON_DATASET` looks at one dataset, `ON_ALL` at all of them together. A check yields `Finding`s: the key in the dataset
that is at fault, and what is wrong with the fix. Retired datasets are history and only looked at alone. Pure.

Articles: 18-21 and 22-25 (disclosure), 37 (documents), 44 (display); special categories and scores are refused by
`gateway.catalogue.words`. That an adverse dataset's source names the document of each record is checked where sources
are read, for the datasets that `needs_document` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from gateway.catalogue import words
from gateway.catalogue.model import Dataset, Display, Status
from gateway.catalogue.periods import may_exceed, parse


class Finding(NamedTuple):
    """What is wrong with a dataset: the path below it, the message, and whether the path's key itself is at fault."""

    path: tuple[str, ...]
    message: str
    at_key: bool = False


DatasetCheck = Callable[[Dataset], Iterable[Finding]]
CatalogueCheck = Callable[[Mapping[str, Dataset]], Iterable[tuple[str, Finding]]]

THREE_MONTHS, ONE_YEAR, THREE_YEARS = parse("P3M"), parse("P1Y"), parse("P3Y")
SHORTEST_REASON = 10
"""A written reason has at least this many characters: `ok` is none."""

_RESERVED_TYPES = """
    query mutation subscription organisation person subject record recordmeta permission dataset datasetfield
    basis display inquiryreceipt obligation property caution purpose identifierscheme identifierinput
    decimal date datetime string int float boolean id
    me helddataset heldrecord heldvalue accesshistory access accesskind optout
    consent consentfields consentfieldsinput consentrequest consentrequestpage requestername requesterinput
    matter matterpage matterkind matterstate outcome paper paperinput recordinput onbehalfinput
    change changepage changeevent reportedevent confirmed
    recall recallpage recalledrecord recallaction recallstate acknowledgementoutcome suspension suspensionpage
    finding findingpage opened verdict"""
RESERVED_TYPES = frozenset(_RESERVED_TYPES.split())
"""Type names, in lower case, that the schema has or keeps for itself."""
SUBJECT_FIELDS = frozenset(["scheme", "value", "record"])
RECORD_FIELDS = frozenset(["record"])


def needs_document(dataset: Dataset) -> bool:
    """Whether each record must name the judgment, decision or document it rests on (Art. 37)."""
    return dataset.nature == "adverse"


def special_category(dataset: Dataset) -> Iterator[Finding]:
    if dataset.category in words.SPECIAL:
        meaning = words.SPECIAL[dataset.category]
        yield Finding(("category",), f"`{dataset.category}`: {meaning} may not be in a catalogue; remove the dataset")


def scoring_dataset(dataset: Dataset) -> Iterator[Finding]:
    for path, text, at_key in (((), dataset.id, True), (("title",), dataset.title, False)):
        if found := words.scoring(text):
            yield Finding(
                path,
                f"`{found.words}` in `{text}` names {found.meaning}; no such dataset may be shared: "
                "share the facts that it was made from",
                at_key,
            )


def special_dataset(dataset: Dataset) -> Iterator[Finding]:
    found = words.special(dataset.id) or words.special(dataset.title)
    if found and dataset.override is None:
        yield Finding(
            (),
            f"`{found.words}` speaks of {found.meaning}, which may not be in a catalogue; if it means something else, "
            'write: `override: "<reason>"`',
            True,
        )
    yield from override((), dataset.override, needed=found is not None)


def reserved_fields(dataset: Dataset) -> Iterator[Finding]:
    for field in dataset.fields.values():
        path = ("fields", field.name)
        special = words.special(field.name) or words.special(field.title)
        scoring = words.scoring(field.name) or words.scoring(field.title)
        if field.override is None:
            for found, verb in ((special, "speaks of"), (scoring, "names")):
                if found:
                    yield Finding(
                        path,
                        f"`{found.words}` {verb} {found.meaning}, which may not be in a catalogue; remove the field, "
                        'or if it means something else, write: `override: "<reason>"`',
                        True,
                    )
        yield from override(path, field.override, needed=bool(special or scoring))


def override(path: tuple[str, ...], reason: str | None, *, needed: bool) -> Iterator[Finding]:
    """What is wrong with the written reason for a reserved word, or with there being one."""
    if reason is None:
        return
    if not needed:
        yield Finding((*path, "override"), "nothing here is refused, so there is nothing to override; remove it")
    elif len(reason.strip()) < SHORTEST_REASON:
        yield Finding((*path, "override"), f"`{reason}` is no reason; write what the name means and why it is harmless")


def openness(dataset: Dataset) -> Iterator[Finding]:
    if dataset.disclosure != "open":
        if dataset.open_law is not None:
            yield Finding(("open_law",), f"belongs to an `open` dataset; this one is `{dataset.disclosure}`")
        return
    if dataset.information == "non_public":
        yield Finding(
            ("disclosure",), "`open` is not for non-public information (Arts. 22-25); write `disclosure: authorised`"
        )
    if dataset.nature == "adverse" and dataset.open_law is None:
        yield Finding(
            ("disclosure",),
            "an adverse dataset is `open` only where a law provides for it; cite it (`open_law: ...`) or write"
            " `shared`",
        )


def adverse_display(dataset: Dataset) -> Iterator[Finding]:
    display = dataset.display
    if dataset.nature != "adverse":
        return
    if display is None:
        yield Finding(
            (),
            "an adverse dataset needs the term for which its records are shown; add for example "
            "`display: {min: P3M, max: P3Y, from: effective}` (Art. 44)",
            True,
        )
    elif display.max is None and display.law is None:
        yield Finding(("display",), "has no `max`, so records would be shown for ever; add it, or cite the `law`")


def adverse_subject(dataset: Dataset) -> Iterator[Finding]:
    if dataset.shape == "subject" and dataset.nature != "neutral":
        yield Finding(
            ("shape",),
            f"a `{dataset.nature}` dataset cannot have `shape: subject`: its records would lose their source, "
            "display and disputes; remove `shape`",
        )


def penalty(dataset: Dataset) -> Iterator[Finding]:
    if dataset.category not in (words.PENALTY, words.SAFETY_PENALTY):
        return
    if dataset.nature != "adverse":
        yield Finding(("nature",), f"`{dataset.category}` is adverse; write `nature: adverse`")
    if dataset.display:
        yield from _penalty_display(dataset.display, safety=dataset.category == words.SAFETY_PENALTY)


def _penalty_display(display: Display, *, safety: bool) -> Iterator[Finding]:
    least = ONE_YEAR if safety else THREE_MONTHS
    if display.max and display.law is None and may_exceed(display.max, THREE_YEARS):
        yield Finding(
            ("display", "max"),
            f"`{display.max.text}` is over 3 years, the most for an administrative penalty (Art. 44); shorten it, or"
            " cite the law that sets it (`law: ...`)",
        )
    if display.min is None:
        yield Finding(("display",), f"has no `min`; an administrative penalty is shown at least {least.text} (Art. 44)")
    elif may_exceed(least, display.min):
        yield Finding(
            ("display", "min"),
            f"`{display.min.text}` is under `{least.text}`, the least for this category (Art. 44); lengthen it",
        )


def display_order(dataset: Dataset) -> Iterator[Finding]:
    display = dataset.display
    if display and display.min and display.max and may_exceed(display.min, display.max):
        yield Finding(("display", "min"), f"`{display.min.text}` is longer than `max` ({display.max.text}); swap them")


def field_names(dataset: Dataset) -> Iterator[Finding]:
    reserved = SUBJECT_FIELDS if dataset.shape == "subject" else RECORD_FIELDS
    for name in dataset.fields:
        if name in reserved:
            yield Finding(
                ("fields", name), f"`{name}` is a field that the schema has itself; choose another name", True
            )
    if dataset.type_name.lower() in RESERVED_TYPES:
        yield Finding(
            (), f"`{dataset.id}` would become the type `{dataset.type_name}`, which the schema has itself", True
        )
    if dataset.graphql_name in SUBJECT_FIELDS:
        yield Finding((), f"`{dataset.id}` would become the field `{dataset.graphql_name}`, which subjects have", True)


ON_DATASET: tuple[DatasetCheck, ...] = (
    special_category,
    scoring_dataset,
    special_dataset,
    reserved_fields,
    openness,
    adverse_display,
    adverse_subject,
    penalty,
    display_order,
    field_names,
)


def _current(datasets: Mapping[str, Dataset]) -> list[Dataset]:
    return [dataset for dataset in datasets.values() if dataset.status is not Status.RETIRED]


def same_type(datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, Finding]]:
    seen: dict[str, str] = {}
    for dataset in _current(datasets):
        other = seen.setdefault(dataset.type_name.lower(), dataset.id)
        if other != dataset.id:
            message = f"`{dataset.id}` and `{other}` would become the same type `{dataset.type_name}`; rename one"
            yield dataset.id, Finding((), message, True)


def one_register(datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, Finding]]:
    seen: dict[str, str] = {}
    for dataset in datasets.values():
        if dataset.shape != "subject" or dataset.status is not Status.PUBLISHED:
            continue
        for kind in dataset.subjects:
            other = seen.setdefault(kind, dataset.id)
            if other != dataset.id:
                message = f"`{other}` already puts its fields on the {kind}; only one published dataset per kind may"
                yield dataset.id, Finding(("shape",), message)


def subject_fields(datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, Finding]]:
    current = _current(datasets)
    for register in current:
        if register.shape != "subject":
            continue
        for other in current:
            common = set(register.subjects) & set(other.subjects)
            if other.shape == "list" and common and other.graphql_name in register.fields:
                name = other.graphql_name
                message = f"`{name}` is also the field of dataset `{other.id}` on the {min(common)}; rename one"
                yield register.id, Finding(("fields", name), message, True)


ON_ALL: tuple[CatalogueCheck, ...] = (same_type, one_register, subject_fields)
