"""The FHIR export is FHIR: fhir.resources (PyPI), which knows every element of AuditEvent, reads each one strictly.

It has R4B, whose AuditEvent is R4's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from pydantic import ValidationError

from gateway.ledger.commands.export import enter
from gateway.ledger.entry import entries
from gateway.ledger.export import as_fhir
from gateway.ledger.export.select import choose
from gateway.ledger.log.operator import CLIENT
from tests.ledger.support import ORIGIN, disclosed, opened, refused, store_in


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A resource of each kind of entry."""
    store = store_in(tmp_path_factory.mktemp("fhir"))

    async def fill() -> None:
        async with opened(store) as ledger:
            await disclosed(ledger, 1)
            await refused(ledger, 2)
        looked = entries.Looked("LEI", "5493001KJTIIGC8Y1R12", "MR-2026-17")
        async with opened(store) as ledger:
            await enter(ledger, lambda at: entries.View(1, "view", at, CLIENT, "A. Auditor", "why", looked, (), "fhir"))

    asyncio.run(fill())
    with contextlib.closing(store.reader()) as reader:
        found = list(choose(reader, entries.Looked()))
    made = [*as_fhir.as_ndjson(found), *as_fhir.as_ndjson(found, oversight=False)]
    assert {json.loads(line)["subtype"][0]["code"] for line in made} == {"inquiry", "refusal", "view"}
    return made


def test_each_resource_is_an_audit_event(lines: list[str]) -> None:
    for line in lines:
        assert line.endswith("\n")
        assert line.count("\n") == 1
        event = AuditEvent.model_validate_json(line)
        assert event.type.code in ("110112", "110106")
        assert event.source.observer.identifier.value == f"{ORIGIN}/1"
        assert [agent.requestor for agent in event.agent].count(True) == 1
        assert all(entity.what.identifier.value for entity in event.entity)


def test_what_is_none_is_found(lines: list[str]) -> None:
    event = json.loads(lines[0])
    for wrong in ({"recorded": "yesterday"}, {"agent": [{}]}, {"recorded": None}, {"verdict": "fine"}):
        with pytest.raises(ValidationError):
            AuditEvent.model_validate(event | wrong)
