"""What is out of order is one line when it begins and one when it ends, bounded in rate, with nothing of a subject."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Failure, Fault, Outcome, RecordRequest, Subject
from gateway.config.oauth import IssuerSettings
from gateway.errors import IssuerUnavailable
from gateway.identity.issuers import Ages, Issuer
from gateway.inquiry.fetch import Fetcher
from gateway.inquiry.types import Permit
from gateway.manage.states import EVERY, States
from gateway.storage.store import open_store
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Histogram
from tests.ledger.support import SUBJECT, faulty_store_in, opened, refused
from tests.services import postgres
from tests.storage.test_taken_away import moved, refused_for
from tests.waiting import until_async


class Heard:
    """States, and the lines that they wrote."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        self.states = States(Log(self._stream).state, clock=lambda: self.now)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return [(each["event"], each["part"], each["name"]) for each in self.lines]


def test_a_state_is_told_when_it_begins_and_when_it_ends() -> None:
    heard = Heard()
    department = heard.states.of("department")
    department("tax", None)
    for _ in range(100):
        department("tax", "SOURCE_TIMEOUT: no answer")
    heard.now = 30.4
    department("tax", None)
    department("tax", None)
    assert heard.lines == [
        {
            "event": "began",
            "level": "warning",
            "part": "department",
            "name": "tax",
            "why": "SOURCE_TIMEOUT: no answer",
            "again": 1,
        },
        {
            "event": "ended",
            "level": "info",
            "part": "department",
            "name": "tax",
            "seconds": 30,
            "failures": 100,
            "again": 0,
        },
    ]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=200))
def test_however_it_changes_there_is_one_pair_a_minute_and_in_the_end_the_truth(
    changes: list[tuple[bool, float]],
) -> None:
    heard = Heard()
    tell, began = heard.states.of("ledger"), []
    for fine, pause in changes:
        heard.now += pause
        before = len(heard.lines)
        tell("", None if fine else "away")
        began += [heard.now for each in heard.lines[before:] if each["event"] == "began"]
    assert all(later - earlier >= EVERY for earlier, later in itertools.pairwise(began))
    heard.now += EVERY + 1  # the clock is rounded
    heard.states.settle()
    kinds = [each["event"] for each in heard.lines]
    assert kinds == ["began", "ended"] * (len(kinds) // 2) + ["began"] * (len(kinds) % 2)
    assert bool(len(kinds) % 2) == (bool(changes) and not changes[-1][0])


def test_one_does_not_hide_another() -> None:
    heard = Heard()
    for name in ("tax", "courts"):
        heard.states.of("department")(name, "away")
    heard.states.of("issuer")("tax", "away")
    assert heard.said == [("began", "department", "tax"), ("began", "department", "courts"), ("began", "issuer", "tax")]


async def test_a_ledger_that_refuses_says_so_once_and_why_and_its_groups_are_counted(tmp_path: Any) -> None:
    heard, groups = Heard(), Histogram((1.0, 2.0))
    store = faulty_store_in(tmp_path)
    async with opened(store, retry=0.02, heard=heard.states.of("ledger"), committed=groups.observe) as ledger:
        await refused(ledger, 1)
        moved(store.path)
        for number in range(2, 5):
            await refused_for("", ledger, number)
        (line,) = heard.lines
        assert (line["event"], line["part"]) == ("began", "ledger")
        assert line["why"] in (
            f"the store is out of reach (`{store.path}` is gone; put it back, and stop the gateway for that)",
            "the session with the store was lost",
        )
        store.path.with_name("elsewhere.db").rename(store.path)
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        assert [each["event"] for each in heard.lines] == ["began", "ended"]
        await refused(ledger, 6)
    store.close()
    assert groups.counts[0] == 2


async def test_what_a_database_says_of_rows_is_not_told(tmp_path: Any) -> None:
    heard, store = Heard(), faulty_store_in(tmp_path)
    async with opened(store, retry=60.0, heard=heard.states.of("ledger")) as ledger:
        await refused(ledger, 1)

        def fault(statement: str) -> None:
            if statement.startswith("INSERT"):
                raise sqlite3.IntegrityError("Key (value)=(5299000J2N45DDNE4Y28) already exists")

        store.fault = fault
        await refused_for("5299000J2N45DDNE4Y28", ledger, 2)
        store.fault = None
    (line,) = heard.lines[:1]
    assert "5299000J2N45DDNE4Y28" not in json.dumps(heard.lines)
    assert line["why"] == "the store did not take the entries (the store failed, or cannot be reached)"
    store.close()


async def test_an_issuer_whose_keys_are_out_of_reach_is_told() -> None:
    heard = Heard()
    answers: list[Any] = [IssuerUnavailable("it answered 500"), {"keys": []}]
    settings = IssuerSettings("http://127.0.0.1:9", "login", jwks_url="http://127.0.0.1:9/keys")
    now = iter(range(0, 10_000, 100))
    issuer = Issuer(
        settings, lambda: pytest.fail("not asked"), lambda: float(next(now)), Ages(stale=1.0), heard.states.of("issuer")
    )

    async def send(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    issuer._send = send  # type: ignore[method-assign]
    with pytest.raises(IssuerUnavailable):
        await issuer.key("1", "ES256")
    await issuer.key("1", "ES256")
    assert heard.said == [("began", "issuer", "login"), ("ended", "issuer", "login")]
    assert heard.lines[0]["why"] == "it answered 500"


async def test_a_postgresql_that_stops_is_told_and_that_it_is_back() -> None:
    heard = Heard()
    with postgres() as server:
        store = open_store(server.url(server.database()))
        async with opened(store, retry=0.05, heard=heard.states.of("ledger")) as ledger:
            await refused(ledger, 1)
            server.stop()
            await refused_for("", ledger, 2)
            assert [each["event"] for each in heard.lines] == ["began"]
            server.start()
            await until_async("the ledger to be healthy", lambda: ledger.healthy)
            assert [each["event"] for each in heard.lines] == ["began", "ended"]
            assert heard.lines[1]["failures"] >= 1
        store.close()


async def test_a_department_that_fails_is_told_by_its_check() -> None:
    heard = Heard()
    outcomes: list[Outcome] = [Failure(Fault.INVALID, False, "not JSON"), Failure(Fault.TIMEOUT, True, "late"), []]

    class Department:
        async def fetch(self, request: RecordRequest) -> dict[tuple[Subject, str], Outcome]:
            return {(SUBJECT, "tax-arrears"): outcomes.pop(0)}

        async def close(self) -> None: ...

    fetcher = Fetcher({"tax": Department()}, {"tax-arrears": "tax"}, heard=heard.states.of("department"))  # type: ignore[dict-item]
    for _ in range(3):
        await fetcher.fetch([Permit(SUBJECT, "tax-arrears", ())], asyncio.get_running_loop().time() + 60)
    assert heard.said == [("began", "department", "tax"), ("ended", "department", "tax")]
    assert heard.lines[0]["why"] == "SOURCE_INVALID: not JSON"
    assert heard.lines[1]["failures"] == 2
    assert SUBJECT.value not in json.dumps(heard.lines)
