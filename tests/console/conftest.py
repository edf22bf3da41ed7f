"""A visitor, and a browser (Debian's Chromium), at the pages of this worker's region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import World
from tests.console.visitor import Visitor
from tests.npm import installed
from tests.web.looking import chromium

HERE = Path(__file__).parent


@pytest.fixture
def visitor(world: World) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(dict(world.told))


@pytest.fixture(scope="module")  # while it runs, no test of its thread can have a loop of its own
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what keeps people from using a page."""
    return (installed(HERE) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def problems(axe: str) -> Callable[[Page], list[str]]:
    """What axe finds on a page, with all `details` open: rules of WCAG A and AA, and best practice."""

    def found(page: Page) -> list[str]:
        page.wait_for_load_state()  # what is asked of a page that has only begun fails
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        # By the browser itself, which the page's own policy does not bind.
        session = page.context.new_cdp_session(page)
        if not page.evaluate("'axe' in window"):
            session.send("Runtime.evaluate", {"expression": axe})
        asked = "axe.run(document).then(found => found.violations.flatMap(v => v.nodes.map(n => v.id + ' ' + n.html)))"
        answer = session.send("Runtime.evaluate", {"expression": asked, "awaitPromise": True, "returnByValue": True})
        session.detach()
        assert "exceptionDetails" not in answer, answer
        return list(answer["result"]["value"])

    return found


LOOKS: Sequence[tuple[Literal["light", "dark"], int]] = [("light", 1280), ("dark", 390)]
"""How everybody has to be able to use a page: its colours, and how wide it is, in pixels."""


@pytest.fixture
def unfit(problems: Callable[[Page], list[str]]) -> Callable[[Page], list[str]]:
    """What is wrong with a page in each of `LOOKS`: what axe finds, and that it is wider than it is seen."""

    def found(page: Page) -> list[str]:
        wrong = []
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            wrong += problems(page)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"it is wider than {width}")
        return wrong

    return found
