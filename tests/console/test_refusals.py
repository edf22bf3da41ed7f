"""An officer's room of refusals: what the charts and tables say, and that nothing small is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from starlette.requests import Request

from gateway.console.names import Named, Names
from gateway.console.officer import charts
from gateway.console.officer.charts import Bar
from gateway.console.officer.refusals import refusals
from gateway.console.rendering import Pages
from gateway.console.visiting import Visit
from gateway.errors import Code
from gateway.rules.load import load
from gateway.rules.model import Reason
from gateway.texts import words
from gateway.texts.words import Words
from tests.conftest import World
from tests.console import counted
from tests.console.test_journey import SCRIPT, other
from tests.console.visitor import Visitor
from tests.rules.policies import SHIPPED

PATH = "/console/refusals"


@pytest.fixture
def months(world: World) -> Iterator[list[str]]:
    """The names of the twelve months before this one, which were counted and closed."""
    with counted.year(world.told) as names:
        yield names


def plain(page: str) -> str:
    """What stands on a page, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_the_charts_say_what_was_found_and_the_tables_have_every_figure(months: list[str], visitor: Visitor) -> None:
    visitor.sign_in("officer")
    page = visitor.get(PATH)
    assert page.status_code == 200
    assert len(page.content) < 30_000
    text, named = plain(page.text), words.read()
    last, before = (named[f"months.{int(month[5:])}"] for month in (months[-1], months[-2]))
    assert f"Answered in part, most often in {last}: the purpose does not cover it" in text
    assert f"118 or more in {last}." in text
    assert f"44 in {last}, 3 fewer than in {before}." in text
    assert f"No figure is shown of {last}." in text
    assert page.text.count('role="img"') >= 6
    for figure in ("102", "118+", "1,466", "9,704+", "31+"):
        assert re.search(rf">{re.escape(figure)}<", page.text), figure
    assert "No rule permits it" not in text, "none of its figures is shown"
    assert not re.findall(r">[0-9]\+?</(?:td|span)>", page.text)
    assert not re.findall(r"style=|<style|<script", page.text)
    assert not re.findall(r"\b[A-Z]+_[A-Z_]+\b", text)


def test_one_purpose_is_chosen_by_its_title_and_nothing_else_is_taken(months: list[str], visitor: Visitor) -> None:
    visitor.sign_in("officer")
    page = visitor.get(f"{PATH}?purpose=SUBSIDY_ASSESSMENT").text
    assert '<option value="SUBSIDY_ASSESSMENT" selected>' in page
    assert "The person did not agree" in page
    assert "It was asked too often" not in page
    assert "By purpose" not in page
    for none in ("NO_SUCH", "", "%00", "x" * 4000, "%3Cscript%3Ealert(1)%3C/script%3E"):
        answer = visitor.get(f"{PATH}?purpose={none}")
        assert (answer.status_code, "By purpose" in answer.text, "selected" in answer.text) == (200, True, False)
        assert SCRIPT not in answer.text
        assert "<script" not in answer.text


class _Told(Visit):
    """A visit to which the API tells the same whatever is asked."""

    def __init__(self, found: Any) -> None:
        rules = load(SHIPPED).policies
        texts = Words(words.read())
        pages = Pages(texts, Names(lambda: Named(rules.catalogue, rules.purposes, {}), texts), "")
        parts: Any = SimpleNamespace(pages=pages)
        request = Request({"type": "http", "query_string": b"", "headers": []})
        super().__init__(parts, request, None, {})  # type: ignore[arg-type]
        self._found = found

    async def call(self, method: str, path: str, value: Any = None) -> Any:
        return self._found


async def test_where_each_reason_has_figures_the_page_stays_small() -> None:
    every = [("answered", None), *(("denied", each) for each in Reason), *(("refused", each) for each in Code)]
    months = [f"2026-{number:02}" for number in range(1, 13)]
    figures = [
        {"month": month, "what": what, "reason": reason, "count": 123456, "whole": False, "purpose": f"PURPOSE_{one}"}
        for month in months for what, reason in every for one in range(40)
    ]  # fmt: skip
    told = {
        "least": 10,
        "months": [{"month": month, "closed": month < "2026-12"} for month in months],
        "totals": [each for each in figures if each["purpose"] == "PURPOSE_0"],
        "figures": figures,
    }
    page = bytes((await refusals(_Told(told))).body)
    assert page.count(b'role="img"') == 8
    assert page.count(b">123,456+</td>") == 12 * len(every)
    assert page.count(b"<option") == 41
    assert page.count(b"Reasons with fewer") == 2
    assert len(page) < 29_000, "and the frame of somebody signed in"


def test_it_is_a_room_of_officers(world: World, visitor: Visitor) -> None:
    for role in ("subject", "steward", "oversight", "requester"):
        assert other(visitor, role).get(PATH).status_code == 403, role
    officer = other(visitor, "officer")
    assert f'href="{PATH}"' in officer.get("/console/").text


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (320, "light")])
def test_everybody_can_use_it(
    world: World, months: list[str], browser: Browser, problems: Callable[[Page], list[str]], width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message, said=said: said.append(message.text))
    page.goto(world.told["pages"]["login_as"]["officer"])
    page.goto(world.told["gateway"] + PATH)
    assert page.locator("figure.chart").count() >= 6
    assert problems(page) == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.get_by_label("Purpose", exact=True).select_option("LICENCE_RENEWAL")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**{PATH}?purpose=LICENCE_RENEWAL")
    assert problems(page) == []
    context.close()


def test_a_scale_ends_at_a_round_figure() -> None:
    assert [charts.top(each) for each in (0, 10, 20, 21, 50, 51, 118, 200, 201, 99_999)] == [
        20, 20, 20, 50, 50, 100, 200, 200, 500, 100_000
    ]  # fmt: skip


def test_bars_stand_on_the_axis_within_the_picture() -> None:
    bars = [Bar(None, True), Bar(10, True), Bar(100_000, True), Bar(50_000, False)]
    found = charts.drawn(bars, 100_000)
    assert found.first is None
    assert (found.closed.count("z"), found.running.count("z")) == (2, 1)
    tops = [float(each) for each in re.findall(r"V(\d+\.\d)", found.closed + found.running)]
    assert tops == [charts.FOOT - 2, charts.TOP, (charts.TOP + charts.FOOT) / 2]
    for x, width in re.findall(r"M([\d.]+) [\d.]+V[\d.]+h([\d.]+)", found.closed + found.running):
        assert charts.LEFT <= float(x) < float(x) + float(width) <= charts.RIGHT
    assert charts.drawn([*bars, *bars], 100_000).first is not None
