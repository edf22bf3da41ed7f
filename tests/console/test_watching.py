"""Oversight at its pages: a finding is opened and its review ended, in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo import client
from tests.conftest import World
from tests.console import watched
from tests.console.visitor import Visitor

SCRIPT = "<script>alert('x')</script> 'quoted' & \"more\""


@pytest.fixture
def finding(world: World) -> str:
    return watched.finding(world.told)


def test_oversight_opens_a_finding_and_ends_its_review(
    world: World, browser: Browser, problems: Callable[[Page], list[str]], finding: str
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["oversight"])
    expect(page.locator("main")).to_contain_text("findings that wait for a review")
    page.get_by_role("link", name="Findings").first.click()
    row = page.locator(f'a[href*="/console/findings/{finding}?"]')
    expect(row).to_have_count(1)
    row.click()
    assert problems(page) == []
    page.get_by_role("button", name="Open and record").click()
    expect(page.get_by_role("alert").or_(page.locator(".errors"))).to_contain_text("Say why you open it")
    page.get_by_label("Why you open it").fill(SCRIPT)
    page.get_by_role("button", name="Open and record").click()
    expect(page.get_by_role("status")).to_contain_text("That you opened it was entered")
    expect(page.get_by_role("rowheader")).not_to_have_count(0)
    expect(page.locator("main")).to_contain_text("Refused: the case could not be verified")
    assert problems(page) == []
    page.get_by_role("link", name="Say what they were").click()
    page.get_by_role("button", name="End the review").click()
    expect(page.locator(".errors")).to_contain_text("Choose what the inquiries were")
    page.get_by_label("Improper").check()
    page.get_by_label("Your reasons").fill(SCRIPT)
    assert problems(page) == []
    page.get_by_role("button", name="End the review").click()
    expect(page.get_by_role("status")).to_contain_text("The review has ended.")
    expect(page.locator(f'a[href*="/console/findings/{finding}?"]')).to_have_count(0)
    page.get_by_label("State").select_option("DECIDED")
    page.get_by_role("button", name="Show").click()
    page.locator(f'a[href*="/console/findings/{finding}?"]').click()
    expect(page.locator("main")).to_contain_text("By o.keller")
    expect(page.locator("main")).to_contain_text(SCRIPT)
    context.close()
    overseer = client.token(world.told, "oversight", "o.marin", "oversight")
    items = client.ask(
        world.told, overseer, "query { findings(state: DECIDED, first: 50) { items { id verdict by because } } }", {}
    ).data["findings"]["items"]
    assert {"id": finding, "verdict": "IMPROPER", "by": "o.keller", "because": SCRIPT} in items


def test_a_finding_s_forms_need_the_sessions_token_and_the_role(visitor: Visitor, finding: str) -> None:
    visitor.sign_in("oversight")
    foreign = Visitor(visitor.told)
    page = foreign.sign_in("officer")
    given = {"verdict": "PROPER", "reason": "x"}
    for path in (f"/console/findings/{finding}", f"/console/findings/{finding}/review"):
        assert visitor.post(path, given, page).status_code == 403
        assert foreign.post(path, given, page).status_code == 403
        assert foreign.get(path).status_code == 403
    assert visitor.get("/console/findings/none").status_code == 404
