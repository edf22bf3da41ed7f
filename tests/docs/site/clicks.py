"""Somebody who does in a browser what a page's numbered steps say, word by word.

A step begins with what to do: `Open <address>`, `Click **name**`, `Choose **name**`, `Type `text` into **name**`,
`Put `file` into **name**`, or `You see **text**`; "In a private window, ..." begins a window of its own, and "In the
first window, ..." goes back. What follows it in the step is for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.docs.walk import here
from tests.web.looking import chromium

_STEP = re.compile(r"^\d+\. (?:In (a private|the first) window, )?(.+)$", re.MULTILINE)
_DONE = (
    ("open", re.compile(r"open <([^>]+)>", re.IGNORECASE)),
    ("click", re.compile(r"click \*\*(.+?)\*\*", re.IGNORECASE)),
    ("choose", re.compile(r"choose \*\*(.+?)\*\*", re.IGNORECASE)),
    ("type", re.compile(r"type `(.+?)` into \*\*(.+?)\*\*", re.IGNORECASE)),
    ("put", re.compile(r"put `(.+?)` into \*\*(.+?)\*\*", re.IGNORECASE)),
    ("see", re.compile(r"you see \*\*(.+?)\*\*", re.IGNORECASE)),
)
_WAIT = 60_000
"""Milliseconds in which a page is there, on however busy a machine."""


class Reader:
    """A browser's windows. Files that are chosen are in `folder`; `ports` are those of the running demo."""

    def __init__(self, browser: Browser, folder: Path, ports: Mapping[str, int]) -> None:
        self._browser, self._folder, self._ports = browser, folder, ports
        self._first = self._page = self._window()

    def _window(self) -> Page:
        page = self._browser.new_context().new_page()
        page.set_default_timeout(_WAIT)
        return page

    def take(self, text: str) -> int:
        """Do every step of a text, in order; gives how many there were. `AssertionError` where one cannot be done."""
        steps = _STEP.findall(text)
        for window, step in steps:
            if window:
                self._page = self._first if window == "the first" else self._window()
            try:
                self._do(here(step, self._ports))
            except Exception as wrong:
                raise AssertionError(f"{step!r} at {self._page.url}: {wrong}") from wrong
        return len(steps)

    def _do(self, step: str) -> None:
        for name, pattern in _DONE:
            if found := pattern.match(step):
                getattr(self, f"_{name}")(*found.groups())
                return
        raise AssertionError("it begins with nothing that can be done")

    def _open(self, address: str) -> None:
        self._page.goto(address)

    def _click(self, name: str) -> None:
        self._of("link", name).or_(self._of("button", name)).first.click()

    def _choose(self, name: str) -> None:
        self._page.get_by_label(name).first.check()

    def _type(self, text: str, name: str) -> None:
        self._page.get_by_label(name).first.fill(text)

    def _put(self, name: str, label: str) -> None:
        self._page.get_by_label(label).first.set_input_files(self._folder / name)

    def _see(self, text: str) -> None:
        expect(self._page.locator("main").get_by_text(text).first).to_be_visible(timeout=_WAIT)

    def _of(self, role: str, name: str) -> Locator:
        return self._page.get_by_role(role, name=name)  # type: ignore[arg-type]


@contextmanager
def reader(folder: Path, ports: Mapping[str, int]) -> Iterator[Reader]:
    """A reader with a browser, which ends with it."""
    with chromium() as browser:
        yield Reader(browser, folder, ports)
