"""The connector for departments with a REST interface: one question per subject and dataset, or one per batch.

`path` is a template with `{scheme}` and `{value}`, both percent-encoded; with `method: POST` the value stands in the
`body` instead, and the question is sent once unless the department says that it is `safe` to repeat. Where the source
can leave fields out, `select` names the query parameter that lists the source-side names of exactly the requested
fields. Where it answers in pages, `paging` follows a token or a link, which must stay on the same origin. 404 means no
records unless `no_records` says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import msgspec

from connectors.base import (
    Config,
    Connector,
    DatasetRequest,
    DatasetShape,
    Failure,
    Fault,
    Mismatch,
    Outcome,
    Record,
    RecordRequest,
    Subject,
)
from connectors.explaining import answers, paged
from connectors.explaining.noted import Noted
from connectors.http.calling import Asking, Caller, Kind, Reading, read_caller
from connectors.http.endpoint import Endpoint, Question, read_endpoint
from connectors.http.forwarding import Forward, read_forward
from connectors.http.transport import Response
from connectors.kit.headers import read_headers
from connectors.kit.source import MANY_PAGES, MANY_RECORDS, different, invalid, read_datasets, unmapped
from connectors.mapping.decoding import Decoder, Page
from connectors.mapping.xml_answers import XmlDecoder
from connectors.prompt.port import Begun, Told
from connectors.prompt.question import begin
from connectors.prompt.together import Together

DEPARTMENT_KEYS = (
    "kind", "base_url", "auth", "tls", "limits", "headers", "forward", "datasets", "allow_plain_http", "transport",
    "echo", "connections",
)  # fmt: skip
Headers = Mapping[str, str] | None
"""What one inquiry's questions have beside the department's own headers."""
_WAYS = 4096
"""Ways that are kept: far more than there are datasets, field lists and schemes in a rule set."""
_LAST_PAGE = Page([], None)
_TOO_MANY = Reading(invalid(MANY_RECORDS), True, False)
_BAD_VALUE = Failure(Fault.INVALID, False, "the identifier cannot be used in a question")


class _Way(msgspec.Struct, frozen=True):
    """How subjects of one scheme are asked about, for the same fields of one dataset, in one page each."""

    endpoint: Endpoint
    around: tuple[str, ...]
    decoder: Decoder | XmlDecoder
    kind: Kind


class RestConnector:
    """Fills `connectors.base.Connector`."""

    def __init__(self, caller: Caller, base_url: str, endpoints: Mapping[str, Endpoint], forward: Forward) -> None:
        self._caller, self._base_url = caller, base_url
        self._endpoints = endpoints
        self._forward, self.forwards = forward, forward.names
        self._ways: dict[tuple[str, tuple[str, ...], str], _Way] = {}

    async def fetch(self, request: RecordRequest) -> Mapping[tuple[Subject, str], Outcome]:
        """See the port."""
        end, about = self._caller.end(request.deadline), request.forwarded
        headers = self._forward.headers(about) if about is not None else None
        datasets = request.datasets
        if len(datasets) == 1 and len(datasets[0].subjects) == 1:
            # The hot path: one call needs no task of its own.
            dataset = datasets[0]
            if dataset.dataset not in self._endpoints:
                return unmapped(request)
            subject = dataset.subjects[0]
            return {(subject, dataset.dataset): await self._one(dataset, subject, end, headers)}
        outcomes: dict[tuple[Subject, str], Outcome] = {}
        async with asyncio.TaskGroup() as tasks:
            for dataset in datasets:
                endpoint = self._endpoints.get(dataset.dataset)
                if endpoint is None:
                    outcomes |= unmapped(request, dataset.dataset)
                elif endpoint.batch is not None and len(dataset.subjects) > 1:
                    for group in endpoint.batch.groups(dataset.subjects):
                        tasks.create_task(self._store_batch(outcomes, dataset, group, end, headers))
                else:
                    for subject in dataset.subjects:
                        tasks.create_task(self._store_one(outcomes, dataset, subject, end, headers))
        return outcomes

    def begin(self, request: RecordRequest, told: Callable[[Told], None]) -> Begun | None:
        """See `Prompt`: of each subject one question can be sent at once."""
        end, about = self._caller.end(request.deadline), request.forwarded
        headers = self._forward.headers(about) if about is not None else None
        datasets = request.datasets
        if len(datasets) == 1:
            [(name, fields, subjects)] = datasets
            if len(subjects) == 1:
                asking = self._about(name, fields, subjects[0], end, headers)
                return None if asking is None else begin(self._caller, asking, (subjects[0], name), told)
        return self._begin_all(datasets, end, headers, told)

    def _begin_all(
        self, datasets: Sequence[DatasetRequest], end: float, headers: Headers, told: Callable[[Told], None]
    ) -> Begun | None:
        asked: list[tuple[Asking, tuple[Subject, str]]] = []
        for name, fields, subjects in datasets:
            if len(subjects) > 1 and name in self._endpoints and self._endpoints[name].batch is not None:
                return None
            for subject in subjects:
                asking = self._about(name, fields, subject, end, headers)
                if asking is None:
                    return None
                asked.append((asking, (subject, name)))
        together = Together(len(asked), end, told)
        for asking, key in asked:
            together.ask(self._caller, asking, key)
        return together if asked else None

    async def _store_one(
        self,
        outcomes: dict[tuple[Subject, str], Outcome],
        dataset: DatasetRequest,
        subject: Subject,
        end: float,
        headers: Headers,
    ) -> None:
        outcomes[subject, dataset.dataset] = await self._one(dataset, subject, end, headers)

    async def _one(self, dataset: DatasetRequest, subject: Subject, end: float, headers: Headers) -> Outcome:
        endpoint = self._endpoints[dataset.dataset]
        if endpoint.paging is not None:
            return await self._pages(endpoint, dataset, subject, end, headers)
        asking = self._about(dataset.dataset, dataset.fields, subject, end, headers)
        return _BAD_VALUE if asking is None else await self._caller.ask(asking)

    def _about(
        self, name: str, fields: tuple[str, ...], subject: Subject, end: float, headers: Headers
    ) -> Asking | None:
        """A question about one subject, answered in one page; None where there is no such."""
        way = self._ways.get((name, fields, subject.scheme)) or self._way(name, fields, subject.scheme)
        question = way.endpoint.asked(way.around, subject) if way is not None else None
        if way is None or question is None:
            return None
        one, most = way.decoder.one, self._caller.most_records

        def read(answer: Response) -> Reading:
            if answer.status != 200:
                return Reading([], False, False)
            records = one(answer.body, subject)
            if type(records) is str:
                return Reading(invalid(records), True, False)
            if len(records) > most:
                return _TOO_MANY
            return Reading(records, False, len(records) > 0)

        return Asking(way.kind, question.url, question.body, end, read, headers)

    def _way(self, name: str, fields: tuple[str, ...], scheme: str) -> _Way | None:
        """None where the dataset is unknown or answered in pages, or the scheme cannot stand in a question."""
        endpoint = self._endpoints.get(name)
        around = endpoint.around(scheme, fields) if endpoint is not None and endpoint.paging is None else None
        if endpoint is None or around is None:
            return None
        decoder = endpoint.decoder(fields)
        # Connections are kept by kind of question: what a decoder is made for.
        kind = _kind(endpoint, decoder if endpoint.named else None, endpoint.no_records)
        kind = msgspec.structs.replace(kind, opening=self._caller.opening(kind, around[0]))
        if len(self._ways) >= _WAYS:
            self._ways.clear()
        way = self._ways[name, fields, scheme] = _Way(endpoint, around, decoder, kind)
        return way

    async def _pages(
        self,
        endpoint: Endpoint,
        dataset: DatasetRequest,
        subject: Subject,
        end: float,
        headers: Headers,
    ) -> Outcome:
        question = endpoint.question(subject, dataset.fields)
        if question is None:
            return _BAD_VALUE
        paging, decoder = endpoint.paging, endpoint.decoder(dataset.fields)
        assert paging is not None
        records: list[Record] = []
        known: set[tuple[str, str]] = set()

        def read(answer: Response) -> Reading:
            if answer.status != 200:
                return Reading(_LAST_PAGE, False, False)
            page = decoder.page(answer.body, subject)
            if isinstance(page, str):
                return Reading(invalid(page), True, False)
            return Reading(page, False, len(page.records) > 0)

        seen = {question.url}
        first = url = question.url
        while True:
            lane = (decoder, len(seen)) if endpoint.named else None
            allowed = endpoint.no_records if url is first else ()
            asking = Asking(_kind(endpoint, lane, allowed), url, question.body, end, read, headers)
            page: Page | Failure = await self._caller.ask(asking)
            if isinstance(page, Failure):
                return page
            came = {(r.m_id, r.m_version) for r in page.records if r.m_id and r.m_version}
            if came & known:
                # What moved from one page to the next pushed something else out.
                return invalid("a record comes twice over pages")
            known |= came
            records += page.records
            if len(records) > self._caller.most_records:
                return _TOO_MANY.told  # type: ignore[no-any-return]  # a Failure
            if page.next is None:
                return records
            following = paging.url(first, url, page.next)
            if following is None:
                return invalid("the next page is on another origin, or no address")
            if following in seen or len(seen) >= paging.max_pages:
                return invalid(MANY_PAGES)
            seen.add(following)
            url = following

    async def _store_batch(
        self,
        outcomes: dict[tuple[Subject, str], Outcome],
        dataset: DatasetRequest,
        subjects: tuple[Subject, ...],
        end: float,
        headers: Headers,
    ) -> None:
        endpoint = self._endpoints[dataset.dataset]
        question = endpoint.batch_question(subjects, dataset.fields)
        outcome: Mapping[Subject, Outcome] | Failure
        if question is None:
            outcome = _BAD_VALUE
        else:
            decoder, most = endpoint.decoder(dataset.fields), self._caller.most_records

            def read(answer: Response) -> Reading:
                if answer.status != 200:
                    return Reading({subject: [] for subject in subjects}, False, False)
                decoded = decoder.many(answer.body, subjects)
                if isinstance(decoded, str):
                    return Reading(invalid(decoded), True, False)
                if sum(map(len, decoded.values())) > most:
                    return _TOO_MANY
                return Reading(decoded, False, False)

            # Without a lane: the answer about some of these subjects could pass for one about all of them.
            kind = _kind(endpoint, None, endpoint.no_records)
            asking = Asking(kind, question.url, question.body, end, read, headers)
            outcome = await self._caller.ask(asking)
        for subject in subjects:
            outcomes[subject, dataset.dataset] = outcome if isinstance(outcome, Failure) else outcome[subject]

    async def explain(self, request: RecordRequest) -> list[Mismatch]:
        """See `Explained`."""
        of_all, found = Noted(()), list[Mismatch]()
        for dataset in request.datasets:
            if (endpoint := self._endpoints.get(dataset.dataset)) is None:
                continue
            noted = Noted(("datasets", dataset.dataset), endpoint.place[0])
            for subject in dataset.subjects:
                asking = partial(self._asked, endpoint, request.deadline, of_all, noted)
                await paged.explain(asking, endpoint, dataset, subject, noted, self._caller.most_records)
            found += noted.all()
        await answers.ending(self._caller, self._base_url, self._caller.address_key, of_all)
        return [*of_all.all(), *found]

    async def _asked(
        self, endpoint: Endpoint, deadline: float, of_all: Noted, noted: Noted, question: Question, first: bool
    ) -> Response | None:
        end = self._caller.end(deadline)
        tried = await self._caller.attempt(endpoint.method, question.url, question.body, end, endpoint.headers)
        asked, none = (
            answers.Asked(question.url, self._caller.address_key, ("path",)),
            endpoint.no_records if first else (),
        )
        return await answers.usable(self._caller, tried, asked, of_all, noted, none)

    async def examine(self) -> list[str]:
        """See `Examined`."""
        return await self._caller.examine(self._base_url + "/")

    async def close(self) -> None:
        """See the port."""
        await self._caller.close()


def _kind(endpoint: Endpoint, lane: object, allowed: Collection[int]) -> Kind:
    return Kind(endpoint.method, lane, allowed, endpoint.headers, endpoint.once)


def build(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
    """The connector of one department of `kind: rest`."""
    keys = config.mapping(("datasets",), DEPARTMENT_KEYS)
    base_url = keys["base_url"].url(keys["allow_plain_http"].boolean(False)).rstrip("/")
    headers = {"accept": "application/json", **read_headers(keys["headers"])}
    endpoints = read_endpoints(keys["datasets"], shapes, base_url)
    return RestConnector(read_caller(keys, headers), base_url, endpoints, read_forward(keys, headers))


def read_endpoints(
    config: Config, shapes: Mapping[str, DatasetShape], base_url: str, *, links: bool = True
) -> dict[str, Endpoint]:
    """Where each of a department's datasets is, by its id; `links`: whether pages may be found by a link."""
    endpoints = {}
    parts = []
    for part, shape in read_datasets(config, shapes):
        endpoint = endpoints[shape.id] = read_endpoint(part, shape, base_url, links=links)
        parts.append((part, shape.id, endpoint.place if endpoint.place[0] else None))
    different(parts, "`path` and `records`")
    return endpoints
