"""The notice that a page is being made is seen until the content comes."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from gateway import console

ASSETS = Path(console.__file__).parent / "assets"
STYLE, MADE = ((ASSETS / name).read_text("utf-8") for name in ("style.css", "made.css"))
BEGIN = f'<style>{STYLE}</style><main><div class="later"><section class="note running">Running</section>\n'
"""A page of which only the beginning has come: its elements are still open."""
WRITE = "text => document.write(text)"


def test_the_notice_goes_when_the_content_comes(browser: Browser) -> None:
    page = browser.new_page()
    page.evaluate(WRITE, BEGIN)
    notice = page.locator(".running")
    expect(notice).to_be_visible()
    page.evaluate(WRITE, f"<style>{MADE}</style><p>The result")
    expect(page.get_by_text("The result")).to_be_visible()
    expect(notice).to_be_hidden()
    page.close()
