"""What every kind of source shares: its list of datasets, and the words for an answer that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connectors.base import Config, DatasetShape, Failure, Fault, Flaw, Outcome, RecordRequest, Subject
from connectors.mapping.faulty import NO_SUBJECT

MANY_RECORDS = "more records than `limits.records`"
MANY_ROWS = "more rows than `limits.rows`"
MANY_BYTES = "more bytes than `limits.max_bytes`"
MANY_PAGES = "more pages than `paging.max_pages`, or a page that comes again"
_FLAWS = {NO_SUBJECT: Flaw.SUBJECT, **dict.fromkeys((MANY_RECORDS, MANY_ROWS, MANY_BYTES, MANY_PAGES), Flaw.SIZE)}


def invalid(detail: str) -> Failure:
    """The answer cannot be used; `detail` names the check that failed."""
    return Failure(Fault.INVALID, False, detail, _FLAWS.get(detail, Flaw.ANSWER))


def unmapped(request: RecordRequest, dataset: str | None = None) -> dict[tuple[Subject, str], Outcome]:
    """The outcome of datasets that `sources.yaml` does not map: of one, or of the whole request."""
    failure = Failure(Fault.UNAVAILABLE, False, "`sources.yaml` does not map the dataset")
    return {
        (subject, asked.dataset): failure
        for asked in request.datasets
        if dataset in (None, asked.dataset)
        for subject in asked.subjects
    }


def one_of_each_scheme(place: Config, hole: str, schemes: Iterable[str]) -> None:
    """Report a question without the scheme, where records do not name their subject either."""
    if len(found := sorted({*schemes})) > 1:
        place.problem(
            f"must use `{hole}` too: one value can be that of several subjects ({', '.join(found)}), whose records"
            " could not be distinguished, since they do not name their subject (`not_returned`)"
        )


def different(datasets: Iterable[tuple[Config, str, object]], what: str) -> None:
    """Report two datasets that are one list: each is given with its name and its place, `None` where it has none."""
    known: dict[object, str] = {}
    for config, name, place in datasets:
        other = known.setdefault(place, name)
        if other != name and place is not None:
            config.problem(f"is the same list as `{other}`, by its {what}; its records would be reported as both")


def read_datasets(datasets: Config, shapes: Mapping[str, DatasetShape]) -> Iterator[tuple[Config, DatasetShape]]:
    """Each dataset with its shape in the catalogue. One that the catalogue has not is the gateway's to report."""
    entries = datasets.mapping(any_key=True)
    if datasets.is_mapping and not entries:
        datasets.problem("map at least one dataset")
    for name, entry in entries.items():
        if name in shapes:
            yield entry, shapes[name]
