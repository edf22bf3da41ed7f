"""A visitor, and a browser (Debian's Chromium), at the pages of this worker's region."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import World
from tests.console.visitor import Visitor
from tests.npm import installed

HERE = Path(__file__).parent


@pytest.fixture
def visitor(world: World) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(dict(world.told))


@pytest.fixture(scope="module")  # while it runs, no test of its thread can have a loop of its own
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    where = shutil.which("chromium")
    if where is None:
        pytest.fail("chromium is missing: install it (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what keeps people from using a page."""
    return (installed(HERE) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def problems(axe: str) -> Callable[[Page], list[str]]:
    """What axe finds on a page, with all `details` open: rules of WCAG A and AA, and best practice."""

    def found(page: Page) -> list[str]:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        # By the browser itself, which the page's own policy does not bind.
        session = page.context.new_cdp_session(page)
        session.send("Runtime.evaluate", {"expression": axe})
        asked = "axe.run(document).then(found => found.violations.flatMap(v => v.nodes.map(n => v.id + ' ' + n.html)))"
        answer = session.send("Runtime.evaluate", {"expression": asked, "awaitPromise": True, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return list(answer["result"]["value"])

    return found
