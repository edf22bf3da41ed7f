"""Oversight at its pages: a recall that nobody answers, the grant that stands still for it, and how two end that."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import World
from tests.console import recalled
from tests.console.typed import TURNED, came_back
from tests.console.visitor import Visitor

SCRIPT = "<script>alert('x')</script> \"quoted\" & 'more'"


@pytest.fixture
def suspension(world: World) -> str:
    return recalled.suspension(world)


def test_two_people_of_oversight_end_a_suspension(
    visitor: Visitor, suspension: str, browser: Browser, problems: Callable[[Page], list[str]]
) -> None:
    first, second = signed_in(visitor, "oversight"), signed_in(visitor, "second-oversight")
    late = row(first.get("/console/overdue?side=recalls").text, "Fetch it anew")
    assert "Environment Agency" in late
    assert "The grant is suspended since" in late
    listed = first.get("/console/suspensions")
    (way,) = set(re.findall(rf'href="(/console/suspensions/{suspension}/end)"', listed.text))
    everybody_can_use(browser, problems, visitor.told, [way], ["Why it is to end", "Go on"])
    form = first.get(way)
    unsaid = first.post(way, {"reason": " "}, form)
    assert unsaid.status_code == 422
    assert "Enter why it is to end" in unsaid.text
    check = first.post(way, {"reason": SCRIPT}, form)
    assert "Nothing was entered yet." in check.text
    assert "<script" not in check.text
    edited = first.post(way, {"reason": SCRIPT, "change": "yes"}, check)
    assert SCRIPT in unescape(edited.text)
    came_back(first.post(way, {"reason": TURNED, "checked": "yes"}, check), {"reason": TURNED})
    done = first.post(way, {"reason": SCRIPT, "checked": "yes"}, check)
    assert (done.status_code, done.headers["location"]) == (303, "/console/suspensions")
    page = first.get("/console/suspensions")
    assert "once another person of oversight has confirmed it" in page.text
    assert "<script" not in page.text
    assert first.get(way).status_code == 404
    everybody_can_use(browser, problems, visitor.told, ["/console/overdue?side=recalls", "/console/suspensions"])
    confirm, decline = (f"/console/suspensions/{suspension}/{act}" for act in ("confirm", "decline"))
    own = first.post(confirm, {}, page)
    assert own.status_code in (403, 409)
    assert "nobody confirms what they did themselves" in own.text

    told = second.get("/console/suspensions")
    assert SCRIPT in unescape(told.text)
    came_back(second.post(decline, {"reason": TURNED}, told), {"reason": TURNED})
    assert second.post(decline, {"reason": "Not yet."}, told).status_code == 303
    page = second.get("/console/suspensions")
    assert "You turned it down. It was entered." in page.text
    assert SCRIPT not in unescape(page.text)
    assert first.post(way, {"reason": "The office moved.", "checked": "yes"}, first.get(way)).status_code == 303
    assert second.post(confirm, {}, second.get("/console/suspensions")).status_code == 303
    page = second.get("/console/suspensions")
    assert "The suspension has ended" in page.text
    assert "Ended on" in page.text
    assert second.post(confirm, {"again": "yes"}, page).status_code == 409  # the same form leads to the same page
    late = row(second.get("/console/overdue?side=recalls").text, "Fetch it anew")
    assert "oversight ended the suspension" in late


def test_ending_one_needs_the_role_and_the_sessions_form(visitor: Visitor) -> None:
    visitor.sign_in("oversight")
    foreign = Visitor(visitor.told)
    page = foreign.sign_in("steward")
    for act in ("end", "confirm", "decline"):
        path = f"/console/suspensions/{'0' * 32}/{act}"
        assert visitor.post(path, {"reason": "x"}, page).status_code == 403
        assert foreign.post(path, {"reason": "x"}, page).status_code == 403
        missing = visitor.post(path, {"reason": "x", "checked": "yes"}, visitor.get("/console/suspensions"))
        assert missing.status_code in (403, 404)
    assert foreign.get("/console/suspensions").status_code == 403
    assert visitor.get(f"/console/suspensions/{'0' * 32}/end").status_code == 404


def signed_in(visitor: Visitor, role: str) -> Visitor:
    found = Visitor(dict(visitor.told))
    found.sign_in(role)
    return found


def everybody_can_use(
    browser: Browser, problems: Callable[[Page], list[str]], told: dict[str, Any], paths: list[str],
    fill: Sequence[str] = (),
) -> None:  # fmt: skip
    """Pages as oversight sees them, light and wide, dark and narrow; of a form also the one that follows."""
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(told["pages"]["login_as"]["second-oversight"])

        def fits(page: Page = page) -> None:
            assert problems(page) == [], page.url
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert beyond <= 0, page.url

        for path in paths:
            page.goto(told["gateway"] + path)
            fits()
        if fill:
            page.get_by_label(fill[0]).fill(SCRIPT)
            page.get_by_role("button", name=fill[1]).click()
            fits()
        context.close()


def row(page: str, says: str) -> str:
    """The row of a table that says this."""
    rows: list[Any] = re.findall(r'<tr role="row"><th scope="row".*?</tr>', page, re.S)
    return next(unescape(each) for each in rows if says in each)
