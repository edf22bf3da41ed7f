"""Each page is walked by keyboard alone: Tab comes to everything that can be used, in order, seen, and out again."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as NotInTime

from tests.conftest import World
from tests.console.rooms import FIRST, ROOMS

OPEN = ("/", "/open/catalogue", "/open/organisations", "/open/transparency", "/login")
"""Pages that need no sign-in, but the playground, which is walked with its schema read."""

_SOON = 5_000
"""Milliseconds after which a focus that is not seen never will be."""
_DRAWN = "() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
"""Only then has the focus gone to where the page begins, and does not go there during the walk."""
_NUMBERED = """() => {
  const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"], '
    + '[contenteditable=true]';
  const inside = root => [...root.querySelectorAll('*')].flatMap(
    each => each.shadowRoot ? [each, ...inside(each.shadowRoot)] : [each]);
  const all = inside(document).filter(each => each.matches(can) && !each.disabled && each.checkVisibility());
  const places = [], groups = new Set();
  for (const each of all) {
    // Radios and tabs of a group are one stop, and arrows choose in it.
    if (each.role === 'tab' && each.tabIndex < 0 && [...each.parentNode.children].some(
      other => other.role === 'tab' && other.tabIndex === 0)) continue;
    if (each.type === 'radio') {
      if (groups.has(each.form.action + each.name)) continue;
      groups.add(each.form.action + each.name);
    }
    each.dataset.stop = places.length;
    places.push(each.outerHTML.slice(0, 120));
  }
  document.body.tabIndex = -1;  // so that the walk begins at the top
  document.body.focus();
  document.body.removeAttribute('tabindex');
  return places;
}"""
_HERE = """() => {
  let each = document.activeElement;
  if (each === document.body || each === null) return null;
  while (each.shadowRoot?.activeElement) each = each.shadowRoot.activeElement;
  const box = each.getBoundingClientRect();
  const group = each.type === 'radio' ? each.form.querySelector(`input[name="${each.name}"][data-stop]`) : each;
  const around = each.closest('.cm-editor') ?? each;  // an editor marks its frame
  const looks = getComputedStyle(around);
  return {
    stop: Number(group?.dataset.stop),
    seen: looks.outlineStyle !== 'none' || looks.boxShadow !== 'none',
    shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    html: each.outerHTML.slice(0, 120),
  };
}"""


def walked(page: Page) -> list[str]:
    """What is wrong with a walk through the page by Tab, and back out of it."""
    page.evaluate(_DRAWN)
    places: list[str] = page.evaluate(_NUMBERED)
    wrong: list[str] = []
    for place, html in enumerate(places):
        here = _next(page)
        if here is None or here["stop"] != place:
            wrong.append(f"expected {html}, came to {here and here['html']}")
            break
        if not (here["seen"] and here["shown"]) and not _seen_soon(page):
            wrong.append(f"the focus is not to be seen at {html}")
    else:
        end = _next(page)  # out of the page, or at its beginning again
        if end is not None and end["stop"] != 0:
            wrong.append(f"the walk does not end: {end['html']}")
    return wrong


def _seen_soon(page: Page) -> bool:
    """Whether the focus comes to be seen: an editor marks itself a moment after it has it."""
    try:
        page.wait_for_function(f"() => (here => here.seen && here.shown)(({_HERE})())", timeout=_SOON)
    except NotInTime:
        return False
    return True


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


def test_the_playground_is_walked_and_its_editor_left_by_keyboard(world: World, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{world.told['gateway']}/graphql")
    page.get_by_text("Tab leaves the editor.").wait_for()
    page.get_by_label("Access token").fill(world.token("market-regulator", "m.ivanova"))
    page.locator("#schema").get_by_role("button", name="Query", exact=True).wait_for()
    page.locator("details").evaluate_all("several => several.forEach(each => { each.open = true })")
    page.get_by_role("button", name="New sheet").click()
    assert walked(page) == []
    query = page.get_by_role("textbox", name="Query")
    query.fill("q")
    for opens, keys in ((False, ["Tab"]), (False, ["Shift+Tab"]), (True, ["Tab"]), (True, ["Escape", "Tab"])):
        query.focus()
        if opens:  # what completes is shown, and does not hold the focus
            page.keyboard.press("Control+Space")
            page.locator(".cm-tooltip-autocomplete").wait_for()
        for key in keys:
            page.keyboard.press(key)
        assert not query.evaluate("each => each === each.getRootNode().activeElement"), keys
        assert query.inner_text() == "q", keys
    context.close()


def test_what_cannot_be_reached_or_seen_is_found(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    for body, said in (
        ('<a href="#a">a</a><button>b</button>', []),
        ('<a href="#a">a</a><a href="#b" tabindex="-1">b</a>', ["expected"]),
        ('<a href="#a">a</a><button tabindex="1">b</button>', ["expected"]),
        ('<p><a role="tab" href="#a" tabindex="0">a</a><a role="tab" href="#b" tabindex="-1">b</a></p>', []),
        ('<p><a role="tab" href="#a" tabindex="-1">a</a></p>', ["expected"]),
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
