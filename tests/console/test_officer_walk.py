"""Officers change a rule in a browser: nobody alone, at once for who asks next, and back in one step; by keys too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo.scenes import DENIED
from tests.conftest import World
from tests.console.proposing import amount, asked, proposed, served, wages
from tests.console.test_officer import policies
from tests.waiting import until

__all__ = ["policies"]

Problems = Callable[[Page], list[str]]


@pytest.fixture
def enter(policies: World, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Sign somebody in with a context of their own; `enter(role, path)`."""
    contexts = []

    def entered(role: str, path: str, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.goto(policies.told["pages"]["login_as"][role])
        page.goto(policies.told["gateway"] + path)
        return page

    yield entered
    for context in contexts:
        context.close()


def told_amount(world: World) -> bool:
    """Whether the next inquiry is told how much is owed."""
    subject, official = world.subject("ordinary"), world.told["clients"]["market-regulator"]["officials"][0]
    given = {"id": subject, "case": world.case("market-regulator", subject)}
    reply = world.ask("market-regulator", DENIED, given, official=official)
    assert reply.codes in ([], ["UNAUTHORIZED_FIELD_OR_TYPE"]), reply
    return not reply.codes


def test_two_others_approve_it_counts_at_once_and_one_takes_it_back(
    policies: World, enter: Callable[..., Page], problems: Problems
) -> None:
    before = asked(policies.told, "GET", "status")["active"]["epoch"]
    id_ = proposed(policies.told, policies.region.place.policies, amount, "Procurement Act, amended.")
    place = f"/console/proposals/{id_}"
    assert not told_amount(policies)
    author = enter("officer", place)
    expect(author.get_by_text("You cannot approve it: you proposed it.")).to_be_visible()
    expect(author.get_by_role("link", name="Read and approve")).to_have_count(0)
    for role, width, scheme in (("second-officer", 1280, "light"), ("third-officer", 390, "dark")):
        page = enter(role, place, width, scheme)
        assert problems(page) == []
        page.get_by_role("link", name="Read and approve").click()
        assert problems(page) == []
        page.get_by_role("button", name="Go on").click()
        expect(page).to_have_title(re.compile("^Error:"))
        assert problems(page) == []
        page.get_by_label("Why you agree").fill("The amount is needed for the threshold.")
        page.get_by_label("I have read what opens and what closes").check()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Nothing was entered yet.")).to_be_visible()
        assert problems(page) == []
        page.get_by_role("button", name="Approve this proposal").click()
        expect(page.get_by_role("status")).to_contain_text("You approved the proposal.")
        assert problems(page) == []
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0
    assert not told_amount(policies), "what is approved is not active"
    author.reload()
    author.get_by_role("link", name="Activate it").click()
    author.wait_for_url("**/activate")
    assert problems(author) == []
    try:
        author.get_by_role("button", name="Activate it now").click()
        expect(author.get_by_role("status")).to_contain_text("The next inquiry is decided by it.")
        until("the active set to be served", lambda: served(policies.told))
        assert told_amount(policies)
        author.get_by_role("link", name="History of rules").click()
        assert problems(author) == []
        author.get_by_role("link", name=f"Go back to number {before}", exact=True).click()
        expect(author.get_by_text("No data of people, and nothing not public.")).to_be_visible()
        assert problems(author) == []
        author.get_by_label("Your reasons").fill("The amendment is contested.")
        author.get_by_role("button", name=f"Go back to number {before}").click()
        expect(author.get_by_role("status")).to_contain_text("The earlier rule set is active again.")
    finally:
        if asked(policies.told, "GET", "status")["active"]["how"] == "proposal":
            asked(policies.told, "POST", "rollback", {"epoch": before, "reason": "A test failed."})
    until("the active set to be served", lambda: served(policies.told))
    assert not told_amount(policies)
    author.goto(policies.told["gateway"] + place)
    expect(author.get_by_text("It was active, and other rules are now.")).to_be_visible()


def test_peoples_data_takes_a_steward_and_a_day(
    policies: World, enter: Callable[..., Page], problems: Problems
) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, wages, "Subsidies depend on wages now.")
    place = f"/console/proposals/{id_}"
    for role in ("second-officer", "third-officer"):
        approve(enter(role, f"{place}/approve"))
    page = enter("officer", place)
    expect(page.get_by_text("A steward approves: Labour Office.")).to_be_visible()
    expect(enter("steward", place).get_by_text("it opens nothing of your department")).to_be_visible()
    steward = enter("labour-steward", "/console/")
    steward.get_by_role("link", name="Subsidies depend on wages now.").click()
    steward.get_by_role("link", name="Read and approve").click()
    approve(steward)
    for role in ("officer", "oversight"):
        page = enter(role, place, 390, "dark")
        expect(page.get_by_text("Approved, waits for 24 hours")).to_be_visible()
        expect(page.get_by_text("Oversight was notified. It can be activated from")).to_be_visible()
        expect(page.get_by_role("link", name="Activate it")).to_have_count(0)
        assert problems(page) == []
    assert "Approved, waits for 24 hours" in enter("oversight", "/console/").content()


def approve(page: Page) -> None:
    """Fill in the form, and approve what the page to check says."""
    page.get_by_label("Why you agree").fill("As in the Act.")
    page.get_by_label("I have read what opens and what closes").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Approve this proposal").click()
    expect(page.get_by_role("status")).to_contain_text("You approved the proposal.")


def test_a_proposal_is_approved_by_keys_alone(policies: World, enter: Callable[..., Page]) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, amount, "By keys.")
    page = enter("second-officer", f"/console/proposals/{id_}")

    def reach(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if name in page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText"):
                box = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert box == "solid", f"nobody sees that {name} is where the keys go"
                return
        raise AssertionError(f"{name} is not reached")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    reach("Read and approve")
    page.keyboard.press("Enter")
    page.wait_for_url("**/approve")
    reach("Why you agree")
    page.keyboard.type("As in the Act.")
    reach("I have read")
    page.keyboard.press("Space")
    reach("Go on")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing was entered yet.")).to_be_visible()
    reach("Approve this proposal")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You approved the proposal.")
