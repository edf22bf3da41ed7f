"""What every kind of source shares: its list of datasets, and the words for an answer that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.base import Config, DatasetShape, Failure, Fault, Outcome, RecordRequest, Subject


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


def read_datasets(datasets: Config, shapes: Mapping[str, DatasetShape]) -> Iterator[tuple[Config, DatasetShape]]:
    """Each dataset with its shape in the catalogue. One that the catalogue has not is the gateway's to tell."""
    entries = datasets.mapping(any_key=True)
    if datasets.is_mapping and not entries:
        datasets.problem("map at least one dataset")
    for name, entry in entries.items():
        if name in shapes:
            yield entry, shapes[name]
