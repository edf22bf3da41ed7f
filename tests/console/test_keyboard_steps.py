"""Whole walks by keyboard alone, in a narrow window with large text and forced colours: what has the focus when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import World
from tests.console.test_keyboard import _HERE, _seen_soon, walked
from tests.web.looking import overflow

_MOST_STOPS = 150
_LARGE = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%' })"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page 320 pixels wide with text twice as large, the colours of the system's own, and nothing that moves."""
    context = browser.new_context(
        viewport={"width": 320, "height": 700}, forced_colors="active", reduced_motion="reduce"
    )
    context.add_init_script(_LARGE)
    yield context.new_page()
    context.close()


def to(page: Page, wanted: Locator) -> None:
    """Go on by Tab until something has the focus, which has to be seen at each stop on the way."""
    for _ in range(_MOST_STOPS):
        if wanted.evaluate("each => each === each.getRootNode().activeElement"):
            return
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        assert here is not None, f"the page ended before {wanted}"
        inside_a_date = 'type="date"' in here["html"]  # the browser marks its parts
        assert (here["seen"] and here["shown"]) or inside_a_date or _seen_soon(page), here["html"]
    raise AssertionError(f"no Tab leads to {wanted}")


def typed(page: Page, field: Locator, text: str) -> None:
    """Write in a field."""
    to(page, field)
    page.keyboard.type(text)


def enter(page: Page, name: str) -> None:
    """Press a button of the page."""
    to(page, page.get_by_role("button", name=name, exact=True))
    page.keyboard.press("Enter")


def test_a_subject_mends_a_form_and_comes_to_what_was_entered(world: World, page: Page) -> None:
    page.goto(world.told["pages"]["login_as"]["other-subject"])
    page.goto(f"{world.told['gateway']}/my/object?dataset=income-statements")
    typed(page, page.locator("#issuer"), "Labour Office")
    enter(page, "File the objection")
    expect(page.locator(".errors")).to_be_focused()
    to(page, page.locator(".errors a").first)
    page.keyboard.press("Enter")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("A statement is missing.")
    typed(page, page.locator("#number"), "LO-1")
    enter(page, "File the objection")
    expect(page.get_by_role("status")).to_be_focused()
    to(page, page.locator(".note summary"))
    page.keyboard.press("Enter")
    expect(page.locator(".note pre")).to_be_visible()
    to(page, page.locator(".note pre"))
    assert overflow(page) == 0
    to(page, page.locator("form[action$='/withdraw'] button").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You took it back.")


def test_a_steward_checks_a_report_and_changes_it(world: World, page: Page) -> None:
    page.goto(world.told["pages"]["login_as"]["steward"])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.goto(f"{world.told['gateway']}/console/report")
    enter(page, "Go on")
    expect(page.locator(".errors")).to_be_focused()
    to(page, page.locator("#eCORRECTED"))
    page.keyboard.press("ArrowDown")
    for field, text in (
        ("#scheme", "LEI"), ("#value", world.told["subjects"]["unknown"]["value"]), ("#dataset", "Notices of tax a"),
        ("#record", "TA-00000-9"), ("#reason", "Paid."),
    ):  # fmt: skip
        typed(page, page.locator(field), text)
    enter(page, "Go on")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("main")).to_contain_text("Paid.")
    assert overflow(page) == 0
    to(page, page.get_by_role("button", name="Report it"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#eWITHDRAWN")).to_be_checked()
    expect(page.locator("#record")).to_have_value("TA-00000-9")


def test_an_officer_begins_a_draft_and_leaves_its_editor(world: World, page: Page) -> None:
    page.goto(world.told["pages"]["login_as"]["officer"])
    page.goto(f"{world.told['gateway']}/console/drafts")
    to(page, page.locator("form[action$='/console/drafts'] button"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/drafts/*")
    draft = page.url
    assert walked(page) == []
    page.goto(f"{draft}/file?name=rules/mine.cedar")
    editor = page.get_by_role("textbox", name="The text")
    page.locator(".cm-content").wait_for()
    assert walked(page) == []
    typed(page, editor, "permit (")
    enter(page, "Save and check")
    expect(page.locator(".errors")).to_be_focused()
    to(page, page.locator(".errors a").first)
    page.keyboard.press("Enter")
    expect(editor).to_be_focused()
    assert overflow(page) == 0
    page.goto(draft)
    to(page, page.locator("details:has(form[action$='/discard']) > summary"))
    page.keyboard.press("Enter")
    to(page, page.locator("form[action$='/discard'] button"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/drafts")


@pytest.mark.parametrize(("role", "path"), [("oversight", "/console/inquiries"), ("requester", "/console/receipt")])
def test_who_asks_for_what_is_not_there_comes_to_what_is_wrong(world: World, page: Page, role: str, path: str) -> None:
    page.goto(world.told["pages"]["login_as"][role])
    page.goto(world.told["gateway"] + path)
    assert walked(page) == []
    typed(page, page.locator("#receipt"), "no receipt")
    if role == "oversight":
        typed(page, page.locator("#reason"), "To see.")
    page.keyboard.press("Tab")
    to(page, page.locator("main form button").last)
    page.keyboard.press("Enter")
    expect(page.locator(".errors")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt")).to_be_focused()
    assert walked(page) == []
