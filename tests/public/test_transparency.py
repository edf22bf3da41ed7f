"""The transparency report as it is served."""

from __future__ import annotations

import csv
import io

import httpx
import pytest
from starlette.applications import Starlette

from gateway.public.figures_page import PATH
from gateway.public.transparency import Transparency
from gateway.storage.projections import transparency as kept
from gateway.storage.projections.transparency import Month, Place
from gateway.storage.tables import micros
from tests.public.desk import WORDS, Desk

ROWS = {
    ("2026-10", "market", "LICENCE_RENEWAL", "answered", ""): (1234, 0),
    ("2026-10", "courts", "COURT_ENFORCEMENT", "answered", ""): (50, 0),
    ("2026-10", "labour", "SUBSIDY_ASSESSMENT", "answered", ""): (7, 0),
    ("2026-10", "market", "LICENCE_RENEWAL", "refused", "QUOTA_EXCEEDED"): (9, 0),
    ("2026-10", "market", "LICENCE_RENEWAL", "recall-answered", ""): (12, 12 * 43_200),
    ("2026-10", "=cmd()", "", "objected", ""): (11, 0),
    ("2026-11", "market", "LICENCE_RENEWAL", "answered", ""): (77, 0),
}


@pytest.fixture(scope="module")
def counted(world: object) -> None:
    engine = world.store.engine  # type: ignore[attr-defined]
    kept.add(engine, 1, 0, Place(5, 0), ROWS)
    kept.close(engine, Month("2026-10", micros(world.now), '[{"shard":"1","counted":5,"checkpoint":"note"}]'))  # type: ignore[attr-defined]


def get(desk: Desk, address: str, accept: str = "application/json") -> httpx.Response:
    report = Transparency(desk.world.store, desk._using, desk.gate, (), WORDS)
    app = Starlette(routes=report.routes())
    desk.ticks += 5

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.get(address, headers={"Accept": accept})

    found: httpx.Response = desk.world.run(ask())
    return found


@pytest.mark.usefixtures("counted")
def test_small_counts_are_not_shown_and_open_months_neither(desk: Desk) -> None:
    told = get(desk, PATH).json()
    assert told["months"] == ["2026-10"]
    assert told["checkpoints"] == [{"shard": "1", "counted": 5, "checkpoint": "note"}]
    assert {each["count"] for each in told["figures"]} <= {1234, 50, 12, 11}
    assert "Labour" not in get(desk, PATH).text
    assert "QUOTA" not in get(desk, PATH).text
    assert get(desk, f"{PATH}?month=2026-11").status_code == 404
    assert [each["averageDays"] for each in told["figures"] if each["what"] == "recall-answered"] == [0.5]


@pytest.mark.usefixtures("counted")
def test_the_page_says_it_in_a_sentence_and_names_no_slug(desk: Desk) -> None:
    page = get(desk, PATH, "text/html").text
    assert "October 2026" in page
    assert "Market Regulation Authority" in page
    assert "1,234" in page
    assert "LICENCE_RENEWAL" not in page
    assert "<script" not in page


@pytest.mark.usefixtures("counted")
def test_no_cell_is_one_that_a_spreadsheet_calculates(desk: Desk) -> None:
    answer = get(desk, f"{PATH}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][0] == "month"
    assert "'=cmd()" in [row[1] for row in rows]
    assert not [each for row in rows for each in row if each.startswith(("=", "+", "-", "@"))]


@pytest.mark.usefixtures("counted")
def test_an_address_takes_its_turn_here_too(desk: Desk) -> None:
    desk.gate.busy = 10_000
    assert get(desk, PATH).status_code == 429
