"""Back, forward and reload in a browser: each shows a page, and a form with what was written until it is entered."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import World
from tests.console.visitor import Visitor

REASON = "Paid on 3 November, as the receipt shows."


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.new_context().new_page()


def _reported(page: Page, world: World) -> None:
    """A steward wrote a report, and is at the page to check it."""
    page.goto(world.told["pages"]["login_as"]["steward"])
    page.goto(f"{world.told['gateway']}/console/report?dataset=tax-arrears")
    page.locator("#eWITHDRAWN").check()
    page.locator("#scheme").fill("LEI")
    page.locator("#value").fill(world.told["subjects"]["unknown"]["value"])
    page.locator("#record").fill("TA-00000-9")
    page.locator("#reason").fill(REASON)
    page.locator("main form").get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your report")


def test_back_from_a_page_to_check_shows_the_form_with_what_was_written(world: World, page: Page) -> None:
    _reported(page, world)
    page.go_back()
    expect(page.locator("#reason")).to_have_value(REASON)
    expect(page.locator("#eWITHDRAWN")).to_be_checked()
    expect(page.get_by_text("What you wrote is still here.")).to_be_visible()
    for step in (page.go_forward, page.reload):  # the page to check is shown once
        step()
        expect(page.locator("#reason")).to_have_value(REASON)
    page.context.close()


def test_back_after_an_act_shows_no_page_to_check_it_again(world: World, page: Page) -> None:
    _reported(page, world)
    page.get_by_role("button", name="Report it").click()
    expect(page.get_by_role("status")).to_contain_text("Receipt")
    page.go_back()
    expect(page.locator("#reason")).to_have_value("")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Report a change")
    page.context.close()
    second = Visitor(dict(world.told))
    second.sign_in("second-steward")
    listed = second.get("/console/changes")
    [way] = re.findall(r'action="(/console/changes/[0-9a-f]{32}/decline)"', listed.text)
    assert second.post(way, {"reason": "A test has ended."}, listed).status_code == 303


def test_back_from_a_form_that_was_refused_shows_it_as_it_was_sent(world: World, page: Page) -> None:
    page.goto(world.told["pages"]["login_as"]["subject"])
    page.goto(f"{world.told['gateway']}/my/object?dataset=income-statements")
    page.locator("#issuer").fill("Labour Office")
    page.locator("main form button").click()
    expect(page.locator(".errors")).to_be_visible()
    page.locator(".rooms a").first.click()
    page.go_back()
    expect(page.locator("#issuer")).to_have_value("Labour Office")
    page.context.close()
