"""Each page is walked by keyboard alone: Tab comes to everything that can be used, in order, seen, and out again."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import World
from tests.console.rooms import FIRST, ROOMS

OPEN = ("/", "/open/catalogue", "/open/organisations", "/open/transparency", "/login")
"""Pages that need no sign-in, but the playground, whose editor has keys of its own."""

_NUMBERED = """() => {
  const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const all = [...document.querySelectorAll(can)].filter(each => !each.disabled && each.checkVisibility());
  const places = [], radios = new Set();
  for (const each of all) {
    if (each.type === 'radio') {  // a group is one stop, and arrows choose in it
      if (radios.has(each.form.action + each.name)) continue;
      radios.add(each.form.action + each.name);
    }
    each.dataset.stop = places.length;
    places.push(each.outerHTML.slice(0, 120));
  }
  document.activeElement.blur();
  return places;
}"""
_HERE = """() => {
  const each = document.activeElement;
  if (each === document.body || each === null) return null;
  const looks = getComputedStyle(each), box = each.getBoundingClientRect();
  const group = each.type === 'radio' ? each.form.querySelector(`input[name="${each.name}"][data-stop]`) : each;
  return {
    stop: Number(group.dataset.stop),
    seen: looks.outlineStyle !== 'none' || looks.boxShadow !== 'none',
    shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    html: each.outerHTML.slice(0, 120),
  };
}"""


def walked(page: Page) -> list[str]:
    """What is wrong with a walk through the page by Tab, and back out of it."""
    places: list[str] = page.evaluate(_NUMBERED)
    wrong: list[str] = []
    for place, html in enumerate(places):
        here = _next(page)
        if here is None or here["stop"] != place:
            wrong.append(f"expected {html}, came to {here and here['html']}")
            break
        if not (here["seen"] and here["shown"]):
            wrong.append(f"the focus is not to be seen at {html}")
    else:
        end = _next(page)  # out of the page, or at its beginning again
        if end is not None and end["stop"] != 0:
            wrong.append(f"the walk does not end: {end['html']}")
    return wrong


def _next(page: Page) -> dict[str, Any] | None:
    """Where Tab comes to; a date has stops of its own, for day, month, year and calendar."""
    before = page.evaluate(_HERE)
    for _ in range(8):
        page.keyboard.press("Tab")
        here: dict[str, Any] | None = page.evaluate(_HERE)
        if here is None or before is None or here["stop"] != before["stop"] or 'type="date' not in here["html"]:
            return here
    return here


@pytest.mark.parametrize("role", FIRST)
def test_each_page_of_a_role_is_walked_by_keyboard(world: World, browser: Browser, role: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"][role])
    assert walked(page) == []
    for path in ROOMS.get(role, ()):
        page.goto(world.told["gateway"] + path)
        assert walked(page) == [], path
    context.close()


def test_each_open_page_is_walked_by_keyboard(world: World, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    for path in OPEN:
        page.goto(world.told["gateway"] + path)
        assert walked(page) == [], path
    context.close()


def test_what_cannot_be_reached_or_seen_is_found(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    for body, said in (
        ('<a href="#a">a</a><button>b</button>', []),
        ('<a href="#a">a</a><a href="#b" tabindex="-1">b</a>', ["expected"]),
        ('<a href="#a">a</a><button tabindex="1">b</button>', ["expected"]),
        ('<style>a { outline: none }</style><a href="#a">a</a>', ["the focus is not to be seen"]),
        ('<a href="#a">a</a><p tabindex="0" id="p">p</p><script>p.onblur = () => p.focus()</script>', ["the walk"]),
    ):
        page.set_content(body)
        found = walked(page)
        assert [any(each.startswith(word) for each in found) for word in said] == [True] * len(said), (body, found)
        assert bool(found) == bool(said), (body, found)
    context.close()


def test_the_skip_link_leads_past_the_rooms(world: World, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["steward"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    context.close()
