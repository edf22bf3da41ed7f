"""The tables of a run are written into the pages that show them, and a page's other words stay."""

from __future__ import annotations

from typing import Any

from tests.bench import page
from tests.bench.report import Line
from tests.bench.steps import STEPS
from tests.docs.reading import ROOT


def run(*parts: str) -> dict[str, Any]:
    """What `bench.json` has after a run of these parts."""
    journey = {
        "bench": "journey", "name": "dutybound", "connections": 32, "cpu_ms": 0.5, "requests_per_s": 1_900.0,
        "p50_ms": 9.0, "p99_ms": 20.0, "workers_ms": 0.4, "projector_ms": 0.08, "recalls_ms": 0.02,
    }  # fmt: skip
    rows = {
        "journey": {**journey, "supervisor_ms": 0.0},
        "workers": {**journey, "bench": "workers", "name": "SQLite, 2 workers", "to_one": 1.9, "store_share": 0.0},
        "steps": {"bench": "steps", "name": "fetch", "cpu_us": 120.0, "share": 0.2},
        "ledger": {"bench": "ledger", "name": "share", "cpu_us": 60.0},
    }
    budget = [Line("CPU at 32 connections", 0.18, "", 0.2, 0.12)]
    return {
        "machine": "2 cores", "python": "3.11.7", "node": "20.1.0", "others_cores": 0.04, "memory_drift": 1.1,
        "budget": [line._asdict() | {"mark": line.mark()} for line in budget],
        "rows": [rows[part] for part in parts],
    }  # fmt: skip


def test_the_pages_show_every_table_that_a_whole_run_gives() -> None:
    shown = {name for path in page.PAGES for name in page.names((ROOT / path).read_text("utf-8"))}
    assert shown == set(page.tables(run("journey", "workers", "steps", "ledger")))


def test_a_table_is_written_anew_and_the_words_around_it_stay() -> None:
    text = "Before.\n\n<!-- bench: steps -->\n| old |\n<!-- end -->\n\nAfter.\n"
    told = run("steps")
    once = page.renewed(text, page.tables(told))
    assert once.startswith("Before.\n\n<!-- bench: steps -->")
    assert once.endswith("<!-- end -->\n\nAfter.\n")
    assert "| fetch | 120.0  | 0.200 |" in once
    assert "old" not in once
    assert "2 cores, Node 20.1.0; other processes had at most 0.04 cores, and memory was at most 1.1 times" in once
    assert page.renewed(once, page.tables(told)) == once


def test_a_run_of_some_parts_leaves_the_tables_of_the_others() -> None:
    text = "<!-- bench: workers -->\n| old |\n<!-- end -->\n<!-- bench: budget -->\n| old |\n<!-- end -->\n"
    assert page.renewed(text, page.tables(run("journey", "steps"))) == text
    assert page.renewed(text, page.tables(run("journey", "workers"))).count("| old |") == 1, "no budget without all"


def test_the_page_has_every_step_that_is_measured() -> None:
    """The rows that `make bench` prints are those that the page has from its last renewal."""
    shown = (ROOT / "gateway" / "SPEED.md").read_text("utf-8").partition("<!-- bench: steps -->")[2]
    names = {line.split("|")[1].strip() for line in shown.partition("<!-- end -->")[0].splitlines() if "|" in line}
    assert {name for name, _, _ in STEPS} <= names
