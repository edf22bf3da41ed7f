"""The bench runs, whole, and measures what it says: every gateway answers every value that the departments have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import budget, compared, data, gateways, journey, load, report, steps, workers, world
from tests.bench.gateways import Reply
from tests.bench.journey import Lengths, Scene
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.npm import installed

SHORTEST = Lengths(0, 0, 1, 1, starts=1)
REST = 5
"""Milliseconds between two requests: the load is not what is tried."""


@pytest.fixture(scope="module")
def departments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, Scene]]:
    folder = tmp_path_factory.mktemp("bench")
    cores, issuer = Cores(), world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        yield child, Scene(folder, cores, urls, issuer)


def test_the_whole_journey_runs_and_has_a_row_for_each_line_of_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run as `make bench` has it, as short as it can be: each gateway answers every value, before and after a load.

    What is measured while other tests run says nothing; only that it is measured is looked at.
    """
    monkeypatch.setattr(journey, "CHECKED", 5)
    monkeypatch.setattr(load, "REST", REST)
    for folder in ("apollo", "node-rest"):
        installed(gateways.HERE / folder)
    rows = compared.run(tmp_path, Cores(), lambda _: None, SHORTEST)
    lines = budget.lines(rows)
    assert [row["name"] for row in rows if row.get("cpu_ms") == 0] == []
    assert {row["name"] for row in rows} >= {"dutybound", "apollo-gateway", "node-rest", "strawberry-httpx", "denial"}
    parts = ("rss_mb", "projector_mb", "recalls_mb", "tree_mb")
    sizes = [[row[key] for key in parts] for row in rows if row["bench"] == "memory"]
    assert all(min(each) > 10 and sum(each[:-1]) < each[-1] for each in sizes)  # the supervisor is in the last
    kept = [line.what for line in lines if not line.what.startswith(("the ledger's", "PostgreSQL", "the same of"))]
    assert len(kept) == 11
    assert [line.what.partition(" ")[0] for line in lines if line.node is not None] == ["p50", "p99", "CPU"]
    table = report.budget(lines)
    assert all(what in table for what in kept)


@pytest.mark.long
def test_several_workers_share_one_store_of_either_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "REST", REST)
    shapes = (("SQLite", 1), ("SQLite", 2), ("PostgreSQL", 1))
    rows = workers.run(tmp_path, Cores(), lambda _: None, SHORTEST, shapes)
    assert [row["name"] for row in rows] == ["SQLite, 1 worker", "SQLite, 2 workers", "PostgreSQL, 1 worker"]
    assert all((row["store_ms"] > 0) == (row["store"] == "PostgreSQL") for row in rows)
    assert [line.what for line in budget.lines(rows)] == ["PostgreSQL, 1 worker, to SQLite: CPU"]


def test_a_value_that_differs_fails_the_run(departments: tuple[Child, Scene]) -> None:
    _, scene = departments
    ask, subject = scene.bare(), data.subjects(data.GROUPS["200"])[0]
    right = {"data": data.expected(data.GROUPS["200"], subject, scene.today)}
    ask.check(0, Reply(200, right, 0))
    right["data"]["organisation"]["alphaNotices"][0]["quantity"] += 1
    with pytest.raises(BenchError, match="wrong answer"):
        ask.check(0, Reply(200, right, 0))


def test_every_step_of_the_profile_is_found(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in steps.steps(tmp_path, Cores(), inquiries=20)}
    assert [name for name, _, _ in steps.STEPS if not rows[name]["cpu_us"] > 0] == []
    assert sum(rows[name]["share"] for name, _, _ in steps.STEPS) == pytest.approx(1, abs=0.2)


def test_an_answer_without_a_receipt_fails_the_run() -> None:
    with pytest.raises(BenchError, match="without a receipt"):
        journey.receipt(Reply(200, {"data": {}, "extensions": {"inquiry": {}}}, 0))


def test_a_request_that_the_bench_does_not_serve_is_told(departments: tuple[Child, Scene]) -> None:
    child, scene = departments
    reply = gateways.post(scene.departments["alpha"], '{"query": "{ other }"}')
    assert reply.status == 400
    with pytest.raises(BenchError, match="refused"):
        compared.unrefused(child)
    child.log.write_text("")
