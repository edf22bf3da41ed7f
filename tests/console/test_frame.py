"""Every role's first page in a browser: reached with one click, fit for everybody, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

from gateway.console.rendering import PLACES
from gateway.web import frame
from tests.conftest import World
from tests.console import watched
from tests.console.proposing import amount, asked, proposed
from tests.console.rooms import FIRST, ROOMS
from tests.web.looking import overflow


@pytest.mark.parametrize("role", FIRST)
def test_a_role_reaches_its_page_with_one_click_and_everybody_can_use_it(
    world: World, browser: Browser, unfit: Callable[[Page], list[str]], role: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(world.told["pages"]["login_as"][role])
    assert page.url.startswith(world.told["gateway"] + ("/my/" if role in FIRST[:2] else "/console/"))
    assert page.locator("h1").count() == 1
    assert unfit(page) == []
    assert said == []
    context.close()


@pytest.mark.parametrize("role", ROOMS)
def test_everybody_can_use_each_room(
    world: World, browser: Browser, unfit: Callable[[Page], list[str]], role: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"][role])
    for path in ROOMS[role]:
        answer = page.goto(world.told["gateway"] + path)
        assert answer is not None
        assert answer.status == (404 if "none" in path.split("/") else 200)
        assert len(answer.body()) < 30_000
        assert unfit(page) == [], path
    context.close()


@pytest.mark.parametrize("role", ["subject", "steward", "officer", "oversight"])
def test_a_page_fits_a_narrow_window_with_large_text(world: World, browser: Browser, role: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"][role])
    for path in ("", ROOMS[role][0]):
        if path:
            page.goto(world.told["gateway"] + path)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert overflow(page) == 0, path or "its first page"
    context.close()


def test_rows_fit_a_narrow_window_with_large_text(world: World, browser: Browser) -> None:
    id_ = proposed(world.told, world.region.place.policies, amount, "Long" * 20)
    asked(world.told, "POST", f"proposals/{id_}/refuse", {"reason": "A test has ended."})
    finding = watched.finding(world.told)
    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    for role, path, one in (
        ("officer", "/console/proposals", id_), ("officer", f"/console/proposals/{id_}", "Before you agree"),
        ("oversight", "/console/findings", finding),
    ):  # fmt: skip
        page.goto(world.told["pages"]["login_as"][role])
        page.goto(world.told["gateway"] + path)
        assert one in page.content()
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert overflow(page) == 0, path
    context.close()


def test_from_each_page_one_comes_to_the_same_open_pages() -> None:
    assert {path for _, path in PLACES} == {f"/{each.at}" for each in frame.PLACES}


def test_the_page_of_everybody_leads_to_each_of_them(
    world: World, browser: Browser, problems: Callable[[Page], list[str]]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(world.told["issuer"] + "/")
    assert problems(page) == []
    page.get_by_role("link", name="Go on as T. Weber").click()
    assert page.url == world.told["gateway"] + "/console/"
    context.close()


def test_who_is_not_signed_in_can_choose_how(
    world: World, browser: Browser, problems: Callable[[Page], list[str]]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto(world.told["gateway"] + "/my/")
    assert page.url == world.told["gateway"] + "/login?next=/my/"
    assert problems(page) == []
    page.get_by_role("link", name="Go on - Citizens and organisations").click()
    page.get_by_role("link", name="Go on as").first.click()
    assert page.url == world.told["gateway"] + "/my/"
    context.close()


def test_after_signing_out_the_back_button_shows_nothing(world: World, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["subject"])
    name = page.locator(".who b").inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.go_back()
    page.wait_for_load_state()
    assert name not in page.content()
    context.close()
