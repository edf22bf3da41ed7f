"""Two subjects never mix, whatever a source sends and when: copies of answers, late and doubled, on any connection.

The model: a source that tells the truth, and before or after any answer sends copies of answers that the same
connection carried before. What is asked about comes back as it is there, since a copy is found out and asked over.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import graphql, rest
from connectors.base import Connector, DatasetRequest, Failure, Outcome, Subject
from connectors.http import connection, pooled_transport
from tests.connectors import rest_source, test_graphql
from tests.connectors.asking import ask, connected, fetch
from tests.connectors.servers import Handler, Request, answer, serve

WHO = tuple(Subject("organisation", "LEI", value) for value in ("AAAA", "BBBB", "CCCC", "DDDD"))
RECORDS = {"arrears": (2, 1, 0, 0), "awards": (1, 0, 2, 0)}
"""Of each subject; the last one is unknown to the source."""
FIELDS = {"arrears": "period", "awards": "title"}
SILENT = ("rest silent", "entities silent", "query silent")
ECHO = "X-Request-ID"
KINDS = ("rest", "entities", "query", *SILENT)
ECHOING = ("rest echo", *(f"{kind} echo" for kind in SILENT))
"""Kinds whose source repeats a header: questions of all kinds share their connections, also where none is named."""


class Step(NamedTuple):
    """What is sent beside one answer: copies of which earlier answers before it and after it; and whether at once."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    apart: bool = False


Question = dict[str, tuple[int, ...]]
"""By dataset, which subjects are asked about."""


def ids(dataset: str, subject: Subject) -> list[str]:
    return [f"{dataset}-{subject.value}-{n}" for n in range(RECORDS[dataset][WHO.index(subject)])]


def configured(kind: str, url: str, transport: str) -> dict[str, Any]:
    config = {
        "rest": rest_source.config(url),
        "entities": test_graphql.config(test_graphql.ENTITIES, url),
        "query": test_graphql.config(test_graphql.QUERY, url),
    }[kind.split()[0]]
    if kind.startswith("rest"):
        config["datasets"]["awards"]["path"] = "/subjects/{scheme}/{value}/awards"
    if "silent" in kind:
        for dataset in config["datasets"].values():
            dataset["record"] = {**dataset["record"], "subject": {"not_returned": "an old system"}}
    if kind.endswith("echo"):
        config["echo"] = ECHO
    return {**config, "transport": transport, "limits": {"retries": 0, "timeout": "60s", "concurrency": 2}}


def truth(request: Request) -> bytes:
    """What the source answers to one request, alone."""
    echo = {ECHO: request.headers[ECHO.lower()]} if ECHO.lower() in request.headers else {}
    if request.method == "GET":
        _, _, _, value, dataset = request.target.split("/")
        subject = next(who for who in WHO if who.value == value)
        rows = [rest_source.row(1, subject) | {"noticeNo": each} for each in ids(dataset, subject)]
        return answer({"items": rows}, **echo) if WHO.index(subject) < 3 else answer({}, 404, **echo)
    asked = json.loads(request.body)
    parties = []
    for subject in WHO[:3]:
        party = test_graphql.party(subject)
        (file,), (prize,) = party["files"]["nodes"], party["prizes"]
        party["files"]["nodes"] = [{**file, "docket": each} for each in ids("arrears", subject)]
        party["prizes"] = [{**prize, "docket": each} for each in ids("awards", subject)]
        parties.append(party)
    return answer(test_graphql.executed(asked, *parties), **echo)


def source(steps: Sequence[Step]) -> Handler:
    sent: dict[asyncio.StreamWriter, list[bytes]] = {}
    left = iter(steps)

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        step, held = next(left, Step()), sent.setdefault(writer, [])
        held.append(truth(request))
        told = [held[back % len(held)] for back in step.before if len(held) > 1]
        told += [held[-1], *(held[back % len(held)] for back in step.after)]
        for each in told if step.apart else [b"".join(told)]:
            writer.write(each)
            await writer.drain()
            if step.apart:
                await asyncio.sleep(0.002)

    return handle


async def wrong(connector: Connector, questions: Sequence[Question]) -> list[tuple[str, str, Any]]:
    """What came back otherwise than it is."""
    found = []
    for question in questions:
        datasets: list[DatasetRequest] = [
            ask(name, FIELDS[name], *(WHO[number] for number in numbers)) for name, numbers in question.items()
        ]
        for (subject, dataset), outcome in (await fetch(connector, *datasets, within=60.0)).items():
            if _told(outcome) != ids(dataset, subject):
                found.append((subject.value, dataset, _told(outcome)))
    return found


def _told(outcome: Outcome) -> Any:
    return outcome if isinstance(outcome, Failure) else [record.m_id for record in outcome]


async def played(kind: str, transport: str, steps: Sequence[Step], questions: Sequence[Question]) -> list[Any]:
    build = rest.build if kind.startswith("rest") else graphql.build
    async with (
        serve(source(steps)) as server,
        connected(build, configured(kind, server.url, transport)) as connector,
    ):
        return await wrong(connector, questions)


places = st.lists(st.integers(-3, 3), max_size=2).map(tuple)
some = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(tuple)
asked = st.dictionaries(st.sampled_from(sorted(RECORDS)), some, min_size=1)


@pytest.mark.parametrize(
    ("kind", "transport"),
    [*((kind, name) for kind in KINDS for name in ("pooled", "httpx")), *((k, "pooled") for k in ECHOING)],
)
@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.builds(Step, places, places, st.booleans()), max_size=12),
    questions=st.lists(asked, min_size=2, max_size=6),
)
def test_subjects_never_mix(kind: str, transport: str, steps: list[Step], questions: list[Question]) -> None:
    assert asyncio.run(played(kind, transport, steps, questions)) == []


LATE = [Step(before=(back,), apart=apart) for apart in (False, True) for back in (-2, 0)]
TURNS: list[list[Question]] = [
    [{"arrears": (first,)}, {dataset: (second,)}, {"arrears": (first,)}, {"arrears": (second,)}]
    for first in range(4)
    for second in range(4)
    for dataset in RECORDS
]


async def mixed(kind: str) -> list[Any]:
    """What goes wrong where every answer but a connection's first follows a copy: all turns after each other."""
    questions = [question for turn in TURNS for question in turn]
    return [each for step in LATE for each in await played(kind, "pooled", [step] * 12 * len(TURNS), questions)]


async def goes_wrong(kind: str, wrong: Callable[[str, str, Any], bool]) -> bool:
    """Whether a planted fault is found there: nothing more is played once it is."""
    for step in LATE:
        for questions in TURNS:
            if any(wrong(*each) for each in await played(kind, "pooled", [step] * 12, questions)):
                return True
    return False


@pytest.mark.long_cases("query")
@pytest.mark.parametrize("kind", ["rest", "entities", "query"])
async def test_keeping_a_connection_after_an_answer_that_names_nobody_would_be_found_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault, planted: then a late "none" hides another's records."""
    assert await mixed(kind) == []
    real = connection.Connection.settle
    monkeypatch.setattr(connection.Connection, "settle", lambda self, keep: real(self, True))
    assert await goes_wrong(kind, lambda value, dataset, told: told == [])


@pytest.mark.long_cases("query")
@pytest.mark.parametrize("kind", SILENT)
async def test_keeping_a_connection_of_a_source_that_names_nobody_would_be_found_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault, planted: then one subject is given another's records, which is what must never be."""
    assert await mixed(kind) == []
    real = pooled_transport.PooledTransport.send

    async def lane_for_all(self: Any, *given: Any) -> Any:
        *others, _, fresh = given
        return await real(self, *others, "one lane", fresh)

    monkeypatch.setattr(pooled_transport.PooledTransport, "send", lane_for_all)
    assert await goes_wrong(
        kind, lambda value, dataset, told: isinstance(told, list) and bool(told) and value not in told[0]
    )


@pytest.mark.long_cases("query")
@pytest.mark.parametrize("kind", ECHOING)
async def test_believing_an_answer_without_its_questions_echo_would_be_found_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault, planted: a header that is sent and not looked at proves nothing."""
    assert await mixed(kind) == []
    monkeypatch.setattr(connection.Connection, "is_doubtful", lambda *_: False)
    assert await goes_wrong(kind, lambda value, dataset, told: isinstance(told, list))


async def test_one_lane_for_all_questions_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault, planted: then one dataset's records stand in the place of another's, of the same subject."""
    real, real_opening = pooled_transport.PooledTransport.send, pooled_transport.PooledTransport.opening

    async def lane_for_all(self: Any, *given: Any) -> Any:
        *others, lane, fresh = given
        return await real(self, *others, "one lane" if lane is not None else None, fresh)

    def opened_in_it(self: Any, *given: Any) -> Any:
        *others, _ = given
        return real_opening(self, *others, "one lane")

    monkeypatch.setattr(pooled_transport.PooledTransport, "send", lane_for_all)
    monkeypatch.setattr(pooled_transport.PooledTransport, "opening", opened_in_it)
    assert await goes_wrong(
        "rest", lambda value, dataset, told: isinstance(told, list) and bool(told) and dataset not in told[0]
    )


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
@pytest.mark.parametrize("kind", ["entities silent", "query silent"])
async def test_a_source_that_turns_its_list_round_gives_nobody_anothers(kind: str, transport: str) -> None:
    """Where records do not name their subject, each one is asked about alone: a list of one has no other order."""

    async def reversing(request: Request, writer: asyncio.StreamWriter) -> None:
        told = json.loads(truth(request).partition(b"\r\n\r\n")[2])
        if kind.startswith("entities"):
            told["data"] = {name: list(reversed(entities)) for name, entities in told["data"].items()}
        else:
            told["data"] = dict(zip(told["data"], reversed(told["data"].values()), strict=True))
        writer.write(answer(told))

    async with (
        serve(reversing) as server,
        connected(graphql.build, configured(kind, server.url, transport)) as connector,
    ):
        assert await wrong(connector, [{"arrears": (0, 1, 2, 3), "awards": (3, 2, 1)}]) == []
    assert len(server.requests) == 4


@pytest.mark.parametrize("kind", ["rest", "entities", "query"])
@pytest.mark.parametrize("connections", ["kept", "one_request"])
async def test_a_late_copy_about_the_same_subject_needs_a_connection_a_question(kind: str, connections: str) -> None:
    """On a kept one nothing tells it from the answer: the record is told as it was before."""
    taken, before, asked = asyncio.Event(), dict[asyncio.StreamWriter, bytes](), 0

    async def late(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        name = b"rev" if kind == "rest" else b"issue"
        own = re.sub(b'("%s": ?)"?\\w+"?' % name, b'\\1"%d"' % asked, truth(request).partition(b"\r\n\r\n")[2])
        if (copy := before.get(writer)) is not None:
            writer.write(copy)
            await writer.drain()
            await taken.wait()
        before[writer] = answer(own)
        writer.write(before[writer])

    build = rest.build if kind == "rest" else graphql.build
    async with serve(late) as server:
        config = configured(kind, server.url, "pooled") | {"connections": connections}
        async with connected(build, config) as connector:
            versions = []
            for _ in range(3):
                outcome = (await fetch(connector, ask("arrears", "period", WHO[1])))[WHO[1], "arrears"]
                assert not isinstance(outcome, Failure)
                versions.append(outcome[0].m_version)
                if len(versions) == 2:
                    taken.set()
    assert versions[:2] == (["1", "1"] if connections == "kept" else ["1", "2"])
    assert connections == "kept" or (versions, server.opened) == (["1", "2", "3"], 3)
