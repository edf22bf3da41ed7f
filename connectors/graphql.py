"""The connector for departments with their own GraphQL: all datasets and subjects of one inquiry in one request.

Only datasets whose records do not name their subject (`not_returned`) are asked for one subject at a time, each on a
connection of its own: nothing in such an answer would tell that two of them changed places.

With `entities: true` the subjects are federation entities, read by `_entities(representations:)`; otherwise `query` is
a field of the department's `Query` that takes `$scheme` and `$value`, once per subject. Either way the selection holds
the mapped names of exactly the requested fields. Documents are made once per shape of request.

An error of the department fails the datasets that its path names, the others go on; an error without a path fails all,
and so does one whose path leads to nothing that was asked for.
A subject that is null is unknown to the department: no records. GraphQL October 2021, section 7; Apollo Federation v2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from connectors.base import Config, Connector, DatasetShape, Failure, Fault, Mismatch, Outcome, RecordRequest, Subject
from connectors.explaining import answers, questions
from connectors.explaining.noted import Noted
from connectors.http.calling import Asking, Caller, Kind, Reading, read_caller
from connectors.http.forwarding import Forward, read_forward
from connectors.http.transport import Response
from connectors.kit.headers import read_headers
from connectors.kit.source import MANY_RECORDS, invalid, unmapped
from connectors.mapping import duplicate_keys
from connectors.mapping.graphql_documents import Operation, Part, Source, compile_operation, read_source

DEPARTMENT_KEYS = (
    "kind", "url", "auth", "tls", "limits", "headers", "forward", "allow_plain_http", "transport", "echo",
    "connections",
    "entities", "types", "keys", "query", "variables", "datasets",
)  # fmt: skip
_OPERATIONS = 4096
"""Compiled documents kept: far more than there are shapes of request in a rule set."""

_ERRORS = 1000
"""Errors of one answer that are looked at: far more than there are places to be wrong in."""

_FAILED = Failure(Fault.UNAVAILABLE, True, "the department reported an error for the dataset")


class _Error(msgspec.Struct):
    path: list[str | int] | None = None


class _Answer(msgspec.Struct):
    data: dict[str, msgspec.Raw] | None = None
    errors: list[_Error] | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_subject = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_decode_subjects = msgspec.json.Decoder(list[dict[str, msgspec.Raw] | None]).decode
_Key = tuple[Subject, str]
_Groups = list[tuple[Part, list[Subject]]]


class GraphqlConnector:
    """Fills `connectors.base.Connector`."""

    def __init__(self, caller: Caller, url: str, source: Source, forward: Forward) -> None:
        self._forward, self.forwards = forward, forward.names
        self._caller = caller
        self._url = url
        self._source = source
        self._operations: dict[tuple[Part, ...], Operation] = {}

    async def fetch(self, request: RecordRequest) -> Mapping[_Key, Outcome]:
        """See the port."""
        end, about = self._caller.end(request.deadline), request.forwarded
        headers = self._forward.headers(about) if about is not None else None
        outcomes: dict[_Key, Outcome] = {}
        wanted: dict[Subject, list[tuple[str, tuple[str, ...]]]] = {}
        for dataset in request.datasets:
            if dataset.dataset not in self._source.datasets:
                outcomes |= unmapped(request, dataset.dataset)
                continue
            for subject in dataset.subjects:
                wanted.setdefault(subject, []).append((dataset.dataset, dataset.fields))
        requests = []
        together: dict[Part, list[Subject]] = {}
        for subject, datasets in wanted.items():
            if not self._source.knows(subject.kind):
                failure = Failure(Fault.UNAVAILABLE, False, "`types` or `query` leaves out this kind of subject")
                outcomes |= {(subject, name): failure for name, _ in datasets}
                continue
            named = tuple(each for each in datasets if self._source.datasets[each[0]].named)
            silent = tuple(each for each in datasets if not self._source.datasets[each[0]].named)
            if named:
                together.setdefault(Part(subject.kind, named), []).append(subject)
            if silent:
                requests.append(self._ask([(Part(subject.kind, silent), [subject])], end, headers, named=False))
        if together:
            requests.append(self._ask([*together.items()], end, headers, named=True))
        if len(requests) == 1:
            return outcomes | await requests[0]
        for told in await asyncio.gather(*requests):
            outcomes |= told
        return outcomes

    async def _ask(
        self, groups: _Groups, end: float, headers: Mapping[str, str] | None, *, named: bool
    ) -> dict[_Key, Outcome]:
        """Every key's outcome, by one request. `named`: the records name their subjects."""
        operation = self._operation(tuple(p for p, s in groups for _ in (s if not self._source.entities else s[:1])))
        body = operation.body([subjects for _, subjects in groups])
        keys = [(subject, name) for part, subjects in groups for subject in subjects for name, _ in part.datasets]

        def read(answer: Response) -> Reading:
            outcomes = self._read(answer.body, groups, keys)
            records = [outcome for outcome in outcomes.values() if not isinstance(outcome, Failure)]
            if sum(map(len, records)) > self._caller.most_records:
                return Reading(dict.fromkeys(keys, invalid(MANY_RECORDS)), True, False)
            wrong = any(isinstance(o, Failure) and o.fault is Fault.INVALID for o in outcomes.values())
            return Reading(outcomes, wrong, len(records) == len(keys) and all(records))

        lane = operation if named else None
        asking = Asking(Kind("POST", lane), self._url, body, end, read, headers)
        told: dict[_Key, Outcome] | Failure = await self._caller.ask(asking)
        return dict.fromkeys(keys, told) if isinstance(told, Failure) else told

    def _operation(self, parts: tuple[Part, ...]) -> Operation:
        operation = self._operations.get(parts)
        if operation is None:
            if len(self._operations) >= _OPERATIONS:
                self._operations.clear()
            operation = self._operations[parts] = compile_operation(self._source, parts)
        return operation

    def _read(self, body: bytes, groups: _Groups, keys: list[_Key]) -> dict[_Key, Outcome]:
        """Every key's outcome out of one answer."""
        try:
            answer = _decode_answer(body)
        except (ValueError, RecursionError):
            return dict.fromkeys(keys, invalid("not a GraphQL answer"))
        wrong = duplicate_keys.check(body)
        if wrong is not None:
            return dict.fromkeys(keys, invalid(wrong))
        errors = [error.path or [] for error in answer.errors or ()]
        if len(errors) > _ERRORS:
            return dict.fromkeys(keys, invalid("more errors than there can be"))
        if [] in errors:
            return dict.fromkeys(keys, _FAILED)
        if answer.data is None:
            return dict.fromkeys(keys, _FAILED if errors else invalid("neither `data` nor `errors`"))
        outcomes: dict[_Key, Outcome] = {}
        places_asked: list[list[str | int]] = []
        index = 0
        for part, subjects in groups:
            if self._source.entities:
                raw = answer.data.get(f"q{index}")
                places = _entities(raw, len(subjects))
                prefixes: list[list[str | int]] = [[f"q{index}", i] for i in range(len(subjects))]
                index += 1
            else:
                places = [_subject(answer.data.get(f"q{index + i}")) for i in range(len(subjects))]
                prefixes = [[f"q{index + i}"] for i in range(len(subjects))]
                index += len(subjects)
            for subject, place, prefix in zip(subjects, places, prefixes, strict=True):
                for number, (name, fields) in enumerate(part.datasets):
                    dataset = self._source.datasets[name]
                    alias = f"d{number}"
                    if errors:
                        paths = [[*prefix, each] for each in dataset.names(alias, fields)]
                        places_asked += paths
                    if errors and any(_meet(error, path) for error in errors for path in paths):
                        outcomes[subject, name] = _FAILED
                    elif isinstance(place, str):
                        outcomes[subject, name] = invalid(place)
                    elif place is None:
                        outcomes[subject, name] = []
                    else:
                        records = dataset.read(dataset.held(place, alias), fields, subject)
                        outcomes[subject, name] = invalid(records) if isinstance(records, str) else records
        if not all(any(_meet(error, path) for path in places_asked) for error in errors):
            return dict.fromkeys(keys, invalid("an error's path leads to nothing that was asked for"))
        return outcomes

    async def explain(self, request: RecordRequest) -> list[Mismatch]:
        """See `Explained`."""
        of_all, found = Noted(()), list[Mismatch]()
        for dataset in request.datasets:
            if dataset.dataset not in self._source.datasets:
                continue
            noted = Noted(("datasets", dataset.dataset), self._url)
            for subject in dataset.subjects:
                if not self._source.knows(subject.kind):
                    of_all.add(
                        ("types" if self._source.entities else "query",), f"leaves out the kind `{subject.kind}`"
                    )
                    continue
                operation = self._operation((Part(subject.kind, ((dataset.dataset, dataset.fields),)),))
                end = self._caller.end(request.deadline)
                tried = await self._caller.attempt("POST", self._url, operation.body([[subject]]), end)
                asked = answers.Asked(self._url, "url", ("field",))
                answer = await questions.usable(self._caller, tried, asked, of_all, noted)
                if answer is not None:
                    questions.explain(answer.body, self._source, dataset, subject, of_all, noted)
            found += noted.all()
        await answers.ending(self._caller, self._url, "url", of_all)
        return [*of_all.all(), *found]

    async def examine(self) -> list[str]:
        """See `Examined`."""
        return await self._caller.examine(self._url)

    async def close(self) -> None:
        """See the port."""
        await self._caller.close()


def _meet(error: list[str | int], path: list[str | int]) -> bool:
    """Whether an error's path leads to a place, or to what is above or below it."""
    return error[: len(path)] == path[: len(error)]


_Place = Mapping[str, msgspec.Raw] | None | str


def _entities(raw: msgspec.Raw | None, count: int) -> list[_Place]:
    """The subjects of one `_entities` answer; a text says what is wrong with all of them."""
    try:
        places: list[_Place] = [*_decode_subjects(raw)] if raw is not None else []
    except (ValueError, RecursionError):
        places = []
    return places if len(places) == count else ["`_entities` is no list with one entry per subject"] * count


def _subject(raw: msgspec.Raw | None) -> _Place:
    try:
        return _decode_subject(raw) if raw is not None else "a subject is missing from the answer"
    except (ValueError, RecursionError):
        return "a subject is no object"


def build(config: Config, shapes: Mapping[str, DatasetShape]) -> Connector:
    """The connector of one department of `kind: graphql`."""
    keys = config.mapping(("datasets",), DEPARTMENT_KEYS)
    headers = {
        **read_headers(keys["headers"]),
        "accept": "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
    }
    url = keys["url"].url(keys["allow_plain_http"].boolean(False))
    return GraphqlConnector(read_caller(keys, headers), url, read_source(keys, shapes), read_forward(keys, headers))
