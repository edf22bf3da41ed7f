"""The rules' editor, as any page of ours can have it: a form's textarea, coloured and checked as somebody types."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from gateway.texts import words
from gateway.texts.words import Words
from gateway.web.frame import Frame
from gateway.web.page import escape
from tests.web.looking import Looking, axe

WORDS = Words(words.read())
FORM = """<h1>Edit</h1><form method="post"><input type="hidden" name="csrf" value="c-1"><label for="text">Rule</label>
<textarea id="text" name="text" data-editor="LANGUAGE" data-check="/checked" data-problems="wrong"
data-texts="TEXTS">permit (\n</textarea>
<div class="problems" id="wrong" role="status" aria-label="Problems" hidden></div></form>"""


def opened(looking: Looking, at: str, language: str, asked: list[dict[str, list[str]]], form: str = FORM) -> Page:
    page = looking.tab()
    shown = Frame(WORDS, "places.playground", "edited", script="editor.js").response(
        form.replace("LANGUAGE", language).replace("TEXTS", escape(WORDS.scripts("editor")))
    )

    def checked(route: Route) -> None:
        asked.append(parse_qs(route.request.post_data or ""))
        found = (
            [{"line": 2, "column": 1, "message": "<b>no</b> such purpose"}] if "wrong" in asked[-1]["text"][0] else []
        )
        route.fulfill(body=json.dumps({"problems": found}), content_type="application/json")

    headers = {name: value.replace("form-action 'none'", "form-action 'self'") for name, value in shown.headers.items()}
    page.route("**/edited", lambda route: route.fulfill(body=bytes(shown.body), headers=headers))
    page.route("**/checked", checked)
    page.goto(f"{at}/edited")
    return page


@pytest.mark.parametrize("language", ["cedar", "yaml", "unknown"])
def test_a_text_is_checked_while_somebody_types(looking: Looking, served: httpx.Client, language: str) -> None:
    asked: list[dict[str, list[str]]] = []
    page = opened(looking, str(served.base_url).rstrip("/"), language, asked)
    editor = page.get_by_role("textbox", name="Rule")
    editor.fill("permit (\nwrong);\n")
    expect(page.get_by_role("status", name="Problems")).to_have_text("Line 2: <b>no</b> such purpose")
    assert page.locator("textarea").input_value() == "permit (\nwrong);\n"
    assert asked[-1] == {"csrf": ["c-1"], "text": ["permit (\nwrong);\n"]}
    assert axe(page) == []
    editor.fill("permit (\nright);\n")
    expect(page.get_by_role("status", name="Problems")).to_be_hidden()


def test_a_check_that_fails_says_nothing(looking: Looking, served: httpx.Client) -> None:
    page = opened(looking, str(served.base_url).rstrip("/"), "cedar", [])
    tried: list[str] = []

    def failing(route: Route) -> None:
        tried.append(route.request.url)
        route.fulfill(status=500, body="down")

    page.unroute("**/checked")
    page.route("**/checked", failing)
    with page.expect_response("**/checked"):
        page.get_by_role("textbox", name="Rule").fill("wrong\nwrong")
    expect(page.get_by_role("status", name="Problems")).to_be_hidden()
    assert tried


CAME_BACK = FORM.replace("data-check", "data-unsaved data-check")


@pytest.mark.parametrize(("form", "asks"), [(FORM, [False, True, False]), (CAME_BACK, [True, True, False])])
def test_the_browser_asks_before_a_text_that_was_not_sent_is_left(
    looking: Looking, served: httpx.Client, form: str, asks: list[bool]
) -> None:
    """Untouched, changed, and sent; a text that came back unsaved counts as changed from the beginning."""
    at = str(served.base_url).rstrip("/")
    for does, asked in zip(("look", "write", "send"), asks, strict=True):
        ways = '<button>Save</button><a href="/away">Away</a></form>'
        page = opened(looking, at, "yaml", [], form.replace("</form>", ways))
        page.route("**/away", lambda route: route.fulfill(body="elsewhere", content_type="text/plain"))
        found: list[str] = []
        page.on("dialog", lambda dialog, found=found: (found.append(dialog.type), dialog.accept()))
        editor = page.get_by_role("textbox", name="Rule")
        editor.click()
        if does != "look":
            editor.press_sequentially("x")
        if does == "send":
            with page.expect_navigation():
                page.get_by_role("button", name="Save").click()
        else:
            with page.expect_navigation(url="**/away"):
                page.get_by_role("link", name="Away").click()
        assert found == (["beforeunload"] if asked else []), does


def test_without_scripts_it_is_a_plain_field(looking: Looking, served: httpx.Client) -> None:
    page = looking.tab()
    page.route("**/static/**", lambda route: route.abort())
    shown = Frame(WORDS, "places.playground", "edited", script="editor.js").response(FORM)
    page.route("**/edited", lambda route: route.fulfill(body=bytes(shown.body), headers=dict(shown.headers)))
    page.goto(f"{str(served.base_url).rstrip('/')}/edited")
    expect(page.get_by_label("Rule")).to_have_value("permit (\n")
