"""Everybody at the open pages, in a browser and without a sign-in: an organisation's record, found by its number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import World


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_public_reads_a_record(
    world: World, browser: Browser, problems: Callable[[Page], list[str]], width: int, scheme: str
) -> None:
    subject = world.subject("ordinary")
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=False,
    )
    page = context.new_page()
    page.goto(world.told["gateway"] + "/open/organisations")
    page.locator("#value").fill(subject["value"])
    page.get_by_role("button", name="Open its record").click()
    expect(page).to_have_url(f"{world.told['gateway']}/open/organisations/LEI/{subject['value']}")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("main")).to_contain_text("Registered name")
    expect(page.locator("main")).to_contain_text(subject["value"])
    context.close()
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{world.told['gateway']}/open/organisations/LEI/{subject['value']}")
    assert problems(page) == []
    context.close()
