"""What every kind of source shares: its list of datasets, and the words for an answer that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.base import DatasetShape, Failure, Fault, Outcome, RecordRequest, Subject
from connectors.kit.config import Reader, suggest


def invalid(detail: str) -> Failure:
    """The answer cannot be used; `detail` names the check that failed."""
    return Failure(Fault.INVALID, False, detail)


def unmapped(request: RecordRequest, dataset: str | None = None) -> dict[tuple[Subject, str], Outcome]:
    """The outcome of datasets that `sources.yaml` does not map: of one, or of the whole request."""
    failure = Failure(Fault.UNAVAILABLE, False, "`sources.yaml` does not map the dataset")
    return {
        (subject, asked.dataset): failure
        for asked in request.datasets
        if dataset in (None, asked.dataset)
        for subject in asked.subjects
    }


def read_datasets(
    reader: Reader, department: str, shapes: Mapping[str, DatasetShape]
) -> Iterator[tuple[Reader, DatasetShape]]:
    """Each dataset of the department's `datasets`, with its shape in the catalogue."""
    datasets = reader.child("datasets", required=True)
    ids = datasets.keys()
    if not ids:
        datasets.fail("map at least one dataset")
    for name in ids:
        if name not in shapes:
            datasets.fail(f"the catalogue of `{department}` has no dataset `{name}`{suggest(name, shapes)}", name)
        yield datasets.child(name, required=True), shapes[name]
