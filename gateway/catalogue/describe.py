"""Datasets and fields in words, the same in the schema's descriptions and in the printed catalogue. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.catalogue.model import Basis, Dataset, Display, Field, Period
from gateway.nouns import counted

INFORMATION: Mapping[str, str] = {"public": "public information", "non_public": "non-public information"}
DISCLOSURE: Mapping[str, str] = {
    "open": "open to everybody",
    "shared": "shared between authorities",
    "authorised": "by authorised inquiry only, with the subject's consent",
}


def period(value: Period) -> str:
    """`3 years`, `1 year and 6 months`, `90 days`."""
    years, months = divmod(value.months, 12)
    parts = [counted(n, word) for n, word in ((years, "year"), (months, "month"), (value.days, "day")) if n]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def basis(value: Basis) -> str:
    """`Tax Collection Act, Art. 45`."""
    return f"{value.law}, Art. {value.article}" if value.article else value.law


def display(value: Display | None) -> str:
    """How long records are shown, in a sentence without its full stop."""
    if value is None:
        return "shown without limit"
    bounds = [f"{word} {period(bound)}" for word, bound in (("at least", value.min), ("at most", value.max)) if bound]
    law = f" ({value.law})" if value.law else ""
    return f"shown {' and '.join(bounds) or 'without limit'} from the record's effective date{law}"


def about(dataset: Dataset) -> str:
    """Whose the dataset is, its legal basis, disclosure, nature and display."""
    law = f" Open by {dataset.open_law}." if dataset.open_law else ""
    return (
        f"Dataset `{dataset.id}` of {dataset.department_title}. Legal basis: {'; '.join(map(basis, dataset.basis))}. "
        f"Disclosure: {INFORMATION[dataset.information]}, {DISCLOSURE[dataset.disclosure]}.{law} "
        f"Nature: {dataset.nature}. Display: {display(dataset.display)}."
    )


def describe_dataset(dataset: Dataset) -> str:
    """The description of a dataset's type and field."""
    return f"{dataset.title}.\n\n{about(dataset)}"


def describe_field(field: Field) -> str:
    """The description of a catalogue field."""
    return f"{field.title}."
