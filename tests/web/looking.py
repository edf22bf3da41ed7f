"""A browser's view of pages: what breaks their policy, what axe finds, and what does not fit."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.npm import installed

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = """(() => axe.run({runOnly: RULES}).then((found) => found.violations.map(
    (each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`)))()"""


_SHELL = "chromium-headless-shell"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window, which takes half the work of the whole browser; raises `LookupError` where it is not
    installed. While it runs, no test of its thread can have a loop of its own.
    """
    where = shutil.which(_SHELL)
    if where is None:
        raise LookupError(f"{_SHELL} is missing: install it (Debian: apt-get install {_SHELL})")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=where, args=["--no-sandbox"]) as browser,
    ):
        yield browser


class Looking:
    """Opens pages in tabs of their own. `wrong` is what their consoles said of errors and broken policies."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []
        self.allowed: tuple[str, ...] = ("Failed to load resource",)
        """How what is said of errors may begin; a refusal's status is one of them."""

    def tab(self, width: int = 1280, scheme: Any = "light", context: BrowserContext | None = None) -> Page:
        """A new tab; in a window of its own where there is no `context`."""
        if context is None:
            context = self._browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            context.set_default_timeout(20_000)
            self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        return page

    def close(self) -> None:
        """Close every window, and fail where something went wrong in one."""
        for context in self._contexts:
            context.close()
        wrong = [each for each in self.wrong if not each.startswith(self.allowed)]
        assert wrong == [], wrong


def axe(page: Page) -> list[str]:
    """What axe finds on the page: of WCAG 2.2 A and AA, and of best practice."""
    script = installed(Path(__file__).parents[1] / "console") / "node_modules" / "axe-core" / "axe.min.js"
    page.evaluate(script.read_text("utf-8"))
    found: list[str] = page.evaluate(_AXE.replace("RULES", str(_RULES)))
    return found


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide
