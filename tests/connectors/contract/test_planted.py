"""The contract finds what a connector does wrong: each fault is planted in one that keeps it otherwise."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from connectors.base import Connector, DatasetRequest, Failure, Fault, Faulty, Outcome, Record, RecordRequest, Subject
from connectors.contract import checks, failing, model
from connectors.contract.model import Holding, Result, System
from tests.connectors.asking import ACME, BETA, SHAPES
from tests.connectors.contract.systems import HOLDING, NOBODY, RECORDS

CONFIG = {"url": "https://127.0.0.1:9/", "auth": {"kind": "bearer_file", "file": "token"}}
VALUES = {"period": "2025", "amount": "1.50", "secret": None, "title": "Prize"}
DOWN = Failure(Fault.UNAVAILABLE, True, "planted")
FAULTS = {
    "a record too few": "whole",
    "a faulty record": "whole",
    "a failure": "whole",
    "a failure for nobody": "nothing",
    "others' records for nobody": "nothing",
    "what was kept of somebody before": "nothing",
    "turned round together": "whose",
    "a failure beside others": "whose",
    "small letters": "alike",
    "a float": "types",
    "true for a number's text": "types",
    "half of a character": "types",
    "all fields": "fields",
    "twice": "named",
    "a new content each time": "stable",
    "a new order each time": "stable",
    "mixed up at once": "at once",
    "late": "deadline",
    "an answer after the end": "deadline",
    "cut": "bounded",
    "an answer to what is not mapped": "unmapped",
    "an exception": "unmapped",
    "an outcome too few": "unmapped",
    "no outcomes at all": "whole",
    "a failure of no kind": "whole",
    "a word for records": "whole",
    "gives itself up": "whole",
    "no credentials needed": "credentials",
    "any credentials": "credentials",
    "any certificate": "encrypted",
    "raises as it is closed": "whole",
    "down": "whole",
}
OF_RECORDS = {"whose", "alike", "types", "fields", "named", "stable", "at once", "bounded", "credentials"}
"""Checks that say nothing where no record came."""


class Planted:
    """Fills `Connector`, but for one fault."""

    def __init__(self, fault: str, config: Mapping[str, Any]) -> None:
        self.fault, self._config = fault, config
        self._times = 0
        self._asked: Subject | None = None
        self._kept: list[Record] = []

    async def fetch(self, request: RecordRequest) -> Mapping[tuple[Subject, str], Outcome]:
        self._times += 1
        if (
            left := request.deadline - asyncio.get_running_loop().time()
        ) <= 0 and self.fault != "an answer after the end":
            return _all(request, Failure(Fault.TIMEOUT, True, "late"))
        if left < 1 and self.fault == "late":
            await asyncio.Event().wait()
        if self._config["url"] != CONFIG["url"]:
            await self._reach()
            return _all(request, DOWN)
        if self.fault == "down":
            return _all(request, DOWN)
        if self.fault in ODD:
            return ODD[self.fault](request)
        auth = self._config.get("auth")
        if auth is None and self.fault != "no credentials needed":
            return _all(request, DOWN)
        if auth not in (None, CONFIG["auth"]) and self.fault != "any credentials":
            return _all(request, DOWN)
        if "limits" in self._config and self.fault != "cut":
            return _all(request, Failure(Fault.INVALID, False, "too large"))
        if self.fault == "a failure beside others" and any(len(each.subjects) > 1 for each in request.datasets):
            return _all(request, DOWN)
        outcomes: dict[tuple[Subject, str], Outcome] = {}
        for dataset in request.datasets:
            subjects = dataset.subjects
            if self.fault == "turned round together":
                subjects = (*reversed(subjects),)
            for subject, of in zip(dataset.subjects, subjects, strict=True):
                outcomes[subject, dataset.dataset] = await self._outcome(dataset, of)
        if self.fault == "an outcome too few" and len(request.datasets) > 1:
            outcomes.popitem()
        return outcomes

    async def _outcome(self, asked: DatasetRequest, subject: Subject) -> Outcome:
        if asked.dataset not in SHAPES:
            if self.fault == "an exception":
                raise KeyError(asked.dataset)
            return [] if self.fault == "an answer to what is not mapped" else DOWN
        if self.fault == "mixed up at once":
            self._asked = subject
            await asyncio.sleep(0)
            subject = self._asked
        if self.fault == "small letters":
            subject = subject._replace(value=subject.value.upper())
        if subject == NOBODY and self.fault == "a failure for nobody":
            return DOWN
        if subject == NOBODY and self.fault == "others' records for nobody":
            subject = ACME
        made = [self._record(asked, number) for number in range(RECORDS[asked.dataset].get(subject, 0))]
        if self.fault == "what was kept of somebody before":
            made = self._kept = made or self._kept
        return self._changed(made) if made and subject == ACME else made

    def _changed(self, made: list[Record]) -> Outcome:
        match self.fault:
            case "a record too few":
                return made[1:]
            case "a faulty record":
                return [*made[1:], Faulty(m_id="1", m_version="1", m_reason="planted")]
            case "a failure":
                return DOWN
            case "twice":
                return [*made[1:], made[-1]]
            case "a new order each time" if self._times % 2:
                return made[::-1]
        return made

    def _record(self, asked: DatasetRequest, number: int) -> Record:
        names = SHAPES[asked.dataset].fields if self.fault == "all fields" else asked.fields
        values = {name: VALUES[name] for name in names}
        if self.fault == "a float" and "amount" in values:
            values["amount"] = 1.5
        if self.fault == "true for a number's text" and "period" in values:
            values["period"] = True
        if self.fault == "half of a character" and "title" in values:
            values["title"] = "\ud800"
        if self.fault == "a new content each time" and "period" in values:
            values["period"] = str(self._times)
        struct = msgspec.defstruct("Made", [f"f_{name}" for name in names], bases=(Record,), kw_only=True)
        made: Record = struct(m_id=str(number), m_version="1", **{f"f_{name}": values[name] for name in names})
        return made

    async def _reach(self) -> None:
        context = ssl.create_default_context()
        if self.fault == "any certificate":
            context = ssl._create_unverified_context()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(self._config["url"]).port, ssl=context)
        except ssl.SSLError:
            return
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def close(self) -> None:
        if self.fault == "raises as it is closed":
            raise OSError("planted")


def _given_up(_request: RecordRequest) -> Any:
    raise asyncio.CancelledError


ODD: Mapping[str, Callable[[RecordRequest], Any]] = {
    "no outcomes at all": lambda _: None,
    "a failure of no kind": lambda request: _all(request, DOWN._replace(fault="down")),  # type: ignore[arg-type]
    "a word for records": lambda request: _all(request, "nothing"),  # type: ignore[arg-type]
    "gives itself up": _given_up,
}
"""What is none of the contract's answers, whatever is asked."""


def _all(request: RecordRequest, outcome: Outcome) -> dict[tuple[Subject, str], Outcome]:
    return {(subject, asked.dataset): outcome for asked in request.datasets for subject in asked.subjects}


async def results(fault: str, **changes: Any) -> dict[str, model.Found]:
    def make(config: Mapping[str, Any]) -> Connector:
        return Planted(fault, config)

    system = System(CONFIG, make, SHAPES, HOLDING, [NOBODY])._replace(**changes)
    return {found.check: found async for found in checks.run(system)}


async def test_without_a_fault_everything_passes() -> None:
    found = await results("")
    assert {name: each.why for name, each in found.items() if each.result is not Result.PASSED} == {}
    assert all(each.demands[0].isupper() and each.demands.endswith(".") for each in found.values())


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_found_by_its_check(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (model, failing):
        monkeypatch.setattr(module, "LATE", 0.05)
    found = (await results(fault))[FAULTS[fault]]
    assert found.result is Result.FAILED
    assert found.why
    for value in (ACME.value, BETA.value, "2025", "Prize"):
        assert value not in " ".join(found.why)


async def test_a_system_that_is_down_passes_nothing_that_is_seen_by_records(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await results("down")
    assert {name for name, each in found.items() if each.result is Result.NOT_TRIED} == OF_RECORDS
    assert found["types"].why == (
        f"no record came of {', '.join(f'`{name}`' for name in sorted(SHAPES))}; see `whole`",
    )
    assert found["whole"].result is Result.FAILED


async def test_what_fails_only_beside_others_is_named_as_that() -> None:
    assert (await results("a failure beside others"))["whose"].why == tuple(
        f"{name}: SOURCE_UNAVAILABLE (planted)" for name in SHAPES
    )


def test_every_check_has_a_fault() -> None:
    assert set(FAULTS.values()) == set(checks.CHECKS)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"unknown": []}, {"nothing"}),
        ({"unknown": [], "holding": HOLDING[:1]}, {"nothing", "whose"}),
        ({"holding": []}, set(checks.CHECKS) - {"nothing"}),
        ({"holding": [Holding(ACME, {"arrears": 0})]}, set(checks.CHECKS) - {"nothing"}),
        ({"config": {"url": "http://127.0.0.1:9/", "auth": {"kind": "none"}}}, {"credentials", "encrypted"}),
    ],
)
async def test_what_cannot_be_tried_is_not_passed(changes: dict[str, Any], names: set[str]) -> None:
    found = await results("", **changes)
    assert {name for name, each in found.items() if each.result is Result.NOT_TRIED} >= names
