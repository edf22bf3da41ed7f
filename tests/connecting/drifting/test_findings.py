"""Drift as findings: entered once, ended once, held to their entries, and shown to those who have it put right."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from gateway.acts.plain import Asked
from gateway.connecting.drifting.entering import entered
from gateway.connecting.drifting.remembered import Drift, id_of
from gateway.connecting.drifting.shown import SourceFindings
from gateway.errors import Refusal, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.store import verify_store
from gateway.storage.watch.source_findings import source_finding
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import Desk
from tests.ledger.support import VERIFIERS

__all__ = ["bare", "desk", "place", "server", "store"]


def drift(department: str, dataset: str = "", kind: str = "wrong") -> Drift:
    key = f"departments.{department}.{dataset}"
    id_ = id_of(department, key, kind)
    return Drift(id_, department, dataset, key, kind, "sources.yaml:3:1: x", "", f"line 3, {key}: x")


def several(*each: Drift) -> dict[str, Drift]:
    return {one.id: one for one in each}


ARREARS, WAGES = drift("tax", "tax-arrears", "vanished"), drift("labour", "wage-arrears")


def acts(desk: Desk) -> list[tuple[str, str, str]]:
    return [(each.what, each.department, each.outcome) for each in desk.acts()]


async def shown(desk: Desk, department: str, *scopes: str, **query: str) -> Any:
    who = desk.official(department, "s.one", *scopes)
    return (await SourceFindings(desk.office).page(Asked(who, b"", {}, query))).value


async def test_each_is_entered_once_and_ended_once(desk: Desk) -> None:
    began, ended = [("source-found", "tax", "vanished"), ("source-found", "labour", "wrong")], "source-fits"
    for _ in range(2):
        await entered(desk.ledger, several(ARREARS, WAGES), None)
        assert acts(desk) == began
    await entered(desk.ledger, {}, ["labour"])
    assert acts(desk)[2:] == [(ended, "labour", "wrong")]
    await entered(desk.ledger, several(WAGES), None)
    assert sorted(acts(desk)[3:]) == [(ended, "tax", "vanished"), began[1]]
    found = desk.acts()[0]
    assert (found.matter, found.dataset, found.words) == (ARREARS.id, "tax-arrears", ARREARS.words)
    assert found.requester == entries.OWN
    verify_store(desk.store, VERIFIERS)


async def test_a_steward_sees_its_own_departments_and_oversight_all(desk: Desk) -> None:
    await entered(desk.ledger, several(ARREARS, WAGES), None)
    await entered(desk.ledger, several(ARREARS), None)
    (item,) = (await shown(desk, "tax"))["items"]
    view = desk.entered()[-1]
    assert isinstance(view, entries.View)
    assert (view.by, view.format) == ("s.one", "source-findings")
    assert (item["id"], item["department"], item["dataset"]) == (ARREARS.id, "tax", "tax-arrears")
    assert (item["kind"], item["what"], item["until"]) == ("vanished", ARREARS.words, None)
    assert (await shown(desk, "labour"))["items"] == []
    (over,) = (await shown(desk, "labour", over="yes"))["items"]
    assert over["until"] >= over["since"]
    first = await shown(desk, "tax", "oversight", over="yes", first="1")
    second = await shown(desk, "tax", "oversight", over="yes", first="1", after=first["next"])
    assert {each["id"] for each in (*first["items"], *second["items"])} == {ARREARS.id, WAGES.id}
    assert second["next"] is None


async def test_nobody_else_is_shown_any(desk: Desk) -> None:
    for scope in ("counter", "officer"):
        with pytest.raises(Refusal) as raised:
            await shown(desk, "tax", scope)
        assert raised.value.code == "FORBIDDEN"
    assert desk.entered() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (delete(source_finding).where(source_finding.c.dataset == "tax-arrears"), "is gone"),
        (update(source_finding).where(source_finding.c.dataset == "tax-arrears").values(what="all is well"), "altered"),
        (
            update(source_finding).where(source_finding.c.dataset == "tax-arrears").values(ended=1, ended_in=7),
            "made up",
        ),
        (update(source_finding).where(source_finding.c.ended_in.is_not(None)).values(ended_in=None), "is gone"),
        (
            insert(source_finding).values(
                filed_in=10**9, finding="f", department="tax", dataset="", kind="wrong", what="x", at=1
            ),
            "made up",
        ),
    ],
)
async def test_a_row_that_is_not_what_entries_say_is_named(desk: Desk, change: Any, words: str) -> None:
    await entered(desk.ledger, several(ARREARS, WAGES), None)
    await entered(desk.ledger, several(ARREARS), None)
    verify_store(desk.store, VERIFIERS)
    with desk.store.engine.begin() as connection:
        connection.execute(change)
    with pytest.raises(VerificationFailed, match=words):
        verify_store(desk.store, VERIFIERS)
