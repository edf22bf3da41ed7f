"""GraphQL departments on a server that others wrote (`apollo/server.mjs`): whole answers, partial ones, and errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import graphql
from connectors.base import Failure, Fault, Outcome, Subject
from deploy.demo.guard import Guard
from deploy.demo.processes import Child
from tests.connectors.asking import ACME, ANN, BETA, ask, connected, fetch, told
from tests.connectors.test_graphql import ENTITIES, QUERY, mapped
from tests.npm import installed
from tests.ports import free_port

MODES = pytest.mark.parametrize("mode", [ENTITIES, QUERY], ids=["entities", "query"])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server answers."""
    folder = installed(Path(__file__).parent / "apollo")
    guard, port = Guard(), free_port()
    command = [shutil.which("node") or "node", str(folder / "server.mjs"), str(port)]
    child = Child("apollo", command, tmp_path_factory.mktemp("apollo"), guard)
    try:
        child.start()
        child.ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        child.stop()
        guard.close()


def who(value: str) -> Subject:
    return Subject("organisation", "LEI", value)


async def got(
    mode: dict[str, Any], url: str, *subjects: Subject, fields: str = "period amount", files: str = ""
) -> dict[tuple[Subject, str], Outcome]:
    """What it says of both datasets, of these subjects and of a good one."""
    config = {**mode, "url": url + "/", "datasets": mapped(files or "files(closed: false) > nodes")}
    async with connected(graphql.build, config) as connector:
        return await fetch(
            connector, *(ask(*each, *subjects, ACME) for each in (("arrears", fields), ("awards", "title")))
        )


def states(outcomes: dict[tuple[Subject, str], Outcome], subject: Subject) -> list[str | int]:
    """Of both datasets: its fault, or how many records there are."""
    found = [outcomes[subject, dataset] for dataset in ("arrears", "awards")]
    return [each.fault.value if isinstance(each, Failure) else len(each) for each in found]


@MODES
async def test_whole_answers_come_whole(mode: dict[str, Any], url: str) -> None:
    outcomes = await got(mode, url, BETA, ANN)
    for subject in (ACME, BETA, ANN):
        assert told(outcomes[subject, "arrears"], "period", "amount") == [("2025", "9.90")]
        assert told(outcomes[subject, "awards"], "title") == [("Prize",)]
        (record,) = outcomes[subject, "arrears"]  # type: ignore[misc]
        assert (record.m_id, record.m_version, record.m_document) == (f"F-{subject.value}", "3", "W")


UNAVAILABLE, INVALID = "SOURCE_UNAVAILABLE", "SOURCE_INVALID"


@MODES
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("NOBODY", [0, 0]),
        ("NULLS", [INVALID, 1]),
        ("FIELD", [UNAVAILABLE, 1]),
        ("LEAF", [UNAVAILABLE, 1]),
        ("OVERFLOW", [UNAVAILABLE, 1]),
        ("NULL IN A LIST", [1, UNAVAILABLE]),
        ("WHOLE", [UNAVAILABLE, UNAVAILABLE]),
        ("ANOTHER", [INVALID, INVALID]),
    ],
)
async def test_what_is_wrong_with_one_is_nobody_elses(
    mode: dict[str, Any], url: str, value: str, expected: list[str | int]
) -> None:
    outcomes = await got(mode, url, who(value))
    assert states(outcomes, who(value)) == expected
    assert states(outcomes, ACME) == [1, 1]
    assert "never to be seen" not in repr(outcomes).lower()


@MODES
async def test_a_field_is_asked_for_where_it_is_wanted_only(mode: dict[str, Any], url: str) -> None:
    """The resolver of `secret` is an error: whoever does not ask for it never meets it."""
    assert states(await got(mode, url, fields="period"), ACME) == [1, 1]
    assert states(await got(mode, url, fields="period secret"), ACME) == [UNAVAILABLE, 1]


@MODES
async def test_the_arguments_of_a_field_are_sent(mode: dict[str, Any], url: str) -> None:
    assert states(await got(mode, url, files="files(closed: true) > nodes"), ACME) == [0, 1]


@MODES
async def test_a_mapping_that_the_schema_has_not_fails_and_is_not_asked_again(mode: dict[str, Any], url: str) -> None:
    """The server refuses the whole document; nothing says whose part of it is wrong."""
    outcomes = await got(mode, url, files="dossiers > nodes")
    assert states(outcomes, ACME) == [UNAVAILABLE, UNAVAILABLE]
    failure = outcomes[ACME, "arrears"]
    assert isinstance(failure, Failure)
    assert (failure.fault, failure.retryable) == (Fault.UNAVAILABLE, False)
