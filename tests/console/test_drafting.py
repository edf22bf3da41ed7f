"""An officer at a draft: edits a rule, sees an error and mends it, tests it, sees what it opens, and proposes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import World
from tests.console.proposing import asked
from tests.console.visitor import Visitor
from tests.waiting import until

RULE = "rules/licence-renewal.cedar"
PUBLIC = 'resource.information == Information::"public"'
WRONG = 'resource.information == Information::"publc"'
NARROW = f'{PUBLIC} &&\n  resource.nature != Nature::"adverse"'
SCRIPT = "<script>alert('x')</script> </textarea> {{ w }} 'quoted' & \"more\""
WAIT = 60_000
"""Milliseconds in which what runs in a process of its own is told."""


@pytest.fixture
def officer(visitor: Visitor) -> Iterator[Visitor]:
    """An officer, whose drafts are gone again afterwards."""
    page = visitor.sign_in("officer")
    yield visitor
    page = visitor.get("/console/drafts")
    for id_ in set(re.findall(r"/console/drafts/([0-9a-f]{32})", page.text)):
        visitor.post(f"/console/drafts/{id_}/discard", {}, page)


def begun(officer: Visitor) -> str:
    """The path of a new draft."""
    answer = officer.post("/console/drafts", {}, officer.get("/console/drafts"))
    assert answer.status_code == 303
    return answer.headers["location"]


def written(page: Page, text: str, scripts: bool) -> None:
    """Have the file say this, as people do: a script's editor draws only the lines that are seen, and selects all."""
    if not scripts:
        page.get_by_role("textbox", name="The text").fill(text)
        return
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    expect(page.locator("textarea[name=text]")).to_have_value(text)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_an_officer_goes_from_a_draft_to_a_proposal(
    world: World, browser: Browser, unfit: Callable[[Page], list[str]], officer: Visitor, scripts: bool
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=scripts)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(world.told["pages"]["login_as"]["officer"])
    page.get_by_role("link", name="Drafts").first.click()
    page.get_by_role("button", name="Begin a draft").click()
    draft = page.url
    page.get_by_role("link", name=RULE).click()
    text = page.locator("textarea[name=text]").input_value()
    assert PUBLIC in text
    looks = [] if not scripts else [page]

    written(page, text.replace(PUBLIC, WRONG), scripts)
    if scripts:
        expect(page.get_by_role("status", name="Problems")).to_contain_text("publc")
    page.get_by_role("button", name="Save and check").click()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.locator(".errors")).to_contain_text("publc")
    expect(page.locator("#text-error")).to_contain_text("publc")
    expect(page.get_by_role("region", name="The lines around the first problem")).to_contain_text("^")
    assert WRONG in page.locator("textarea[name=text]").input_value()
    for each in looks:
        assert unfit(each) == [], each.url
    page.get_by_role("link", name="Tests").click()
    expect(page.locator(".note.bad")).to_contain_text("1 problem stops it")
    expect(page.locator(".running")).to_be_hidden()
    page.get_by_role("link", name="See each with its line").click()
    expect(page.locator(".places")).to_contain_text("publc")
    for each in looks:
        assert unfit(each) == [], each.url
    page.locator(".places").get_by_role("link", name=RULE).click()

    written(page, text.replace(PUBLIC, NARROW), scripts)
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator(".tag.ok")).to_have_text("No problem")
    page.get_by_role("link", name="Tests").click()
    expect(page.locator("main")).to_contain_text("The tests do not pass")
    for each in looks:
        assert unfit(each) == [], each.url
    page.get_by_role("link", name="What it opens and closes").click()
    expect(page.locator(".diff .closes").first).to_contain_text("will no longer see")
    for each in looks:
        assert unfit(each) == [], each.url
    page.get_by_role("link", name="Who may see what").click()
    expect(page.get_by_role("table")).to_contain_text("Register of organisations")
    for each in looks:
        assert unfit(each) == [], each.url
    page.get_by_label("Record", exact=True).select_option("environmental-penalties")
    page.get_by_label("Purpose", exact=True).select_option("LICENCE_RENEWAL")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("nothing of Administrative penalties of the Environment Agency")

    page.get_by_role("link", name="Try it on past inquiries").click()
    page.get_by_role("button", name="Begin the simulation").click()
    expect(page.locator(".errors")).to_contain_text("Enter why you look.")
    page.get_by_label("Why do you look?").fill("To see what it closes.")
    page.get_by_role("button", name="Begin the simulation").click()
    expect(page.get_by_role("status").first).to_contain_text("The ledger records that you look.")
    until(
        "the simulation to be through",
        lambda: page.reload() and "would differ" in page.locator("main").inner_text(),
    )
    for each in looks:
        assert unfit(each) == [], each.url

    page.goto(f"{draft}/file?name={RULE}")
    written(page, text, scripts)
    page.get_by_role("button", name="Save and check").click()
    page.goto(f"{draft}/file?name=calendar.yaml")
    dates = page.locator("textarea[name=text]").input_value()
    days = 5 if scripts else 4
    written(page, dates.replace("objection: 7", f"objection: {days}"), scripts)
    page.get_by_role("button", name="Save, then run the tests").click()
    expect(page.locator(".note.ok")).to_contain_text("tests pass")
    page.goto(draft)
    expect(page.locator(".files").get_by_role("listitem").filter(has_text="calendar.yaml")).to_contain_text("Changed")
    for each in looks:
        assert unfit(each) == [], each.url
    page.get_by_role("button", name="Propose this draft").click()
    expect(page.locator(".errors")).to_contain_text("Enter why it is needed.")
    page.get_by_label("Why is it needed?").fill("Fewer days are enough.")
    page.get_by_role("button", name="Propose this draft").click()
    expect(page.get_by_role("status").first).to_contain_text("Your draft is proposed.")
    asked(world.told, "POST", f"proposals/{page.url.rpartition('/')[2]}/refuse", {"reason": "It was a walk."})
    assert [each for each in said if not each.startswith("Failed to load resource")] == []  # a form that was wrong
    context.close()


def test_a_draft_is_nobody_elses(world: World, officer: Visitor) -> None:
    place, other = begun(officer), Visitor(dict(world.told))
    other.sign_in("second-officer")
    for path in (
        "",
        f"/file?name={RULE}",
        "/check",
        "/tests",
        "/changes",
        "/matrix",
        "/simulation",
        "/grants",
        "/purposes",
    ):
        assert officer.get(place + path).status_code == 200, path
        assert other.get(place + path).status_code == 404, path
    page = other.get("/console/drafts")
    for path in ("/discard", "/propose", "/file", "/file/remove", "/simulation", "/simulation/stop"):
        day = "2026-11-01"
        form = {"name": RULE, "text": "x", "seen": "", "reason": "x", "since": day, "through": day}
        assert other.post(place + path, form, page).status_code == 404, path
    assert place.rpartition("/")[2] not in page.text


def test_a_form_needs_the_sessions_token(officer: Visitor) -> None:
    place = begun(officer)
    page = officer.get(f"{place}/file?name={RULE}")
    for path in ("/discard", "/propose", "/file", "/file/check", "/file/remove", "/simulation", "/simulation/stop"):
        answer = officer.post(place + path, {"csrf": "x", "name": RULE, "text": "x"}, page)
        assert answer.status_code == 403, path
    assert officer.get(f"{place}/file?name={RULE}").text.count("permit") == page.text.count("permit")


def test_nothing_that_is_written_runs(officer: Visitor) -> None:
    place = begun(officer)
    page = officer.get(f"{place}/file?name=rules/new.cedar")
    assert "Not saved yet" in page.text
    form: dict[str, Any] = {"name": "rules/new.cedar", "text": f"{SCRIPT}\n", "seen": ""}
    told = officer.post(f"{place}/file/check", form, page)
    assert told.headers["content-type"] == "application/json"
    assert told.json()["problems"][0]["line"] == 1
    assert officer.post(f"{place}/file", form, page).status_code == 303
    for path in ("/file?checked=yes&name=rules/new.cedar", "/check", "/tests", "/changes", ""):
        shown = officer.get(place + path)
        assert (shown.status_code, "<script>alert" in shown.text) == (200, False), path
    wrong = officer.get(f"{place}/file?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in wrong.text


def test_what_another_page_wrote_meanwhile_is_shown_before_it_is_written_over(officer: Visitor) -> None:
    place = begun(officer)
    first = officer.get(f"{place}/file?name={RULE}")
    second = officer.get(f"{place}/file?name={RULE}")
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', first.text))
    form = {"name": RULE, "seen": hidden["seen"]}
    assert officer.post(f"{place}/file", {**form, "text": "// theirs\n"}, first).status_code == 303
    refused = officer.post(f"{place}/file", {**form, "text": "// mine\n"}, second)
    assert (refused.status_code, "// mine" in refused.text, "// theirs" in refused.text) == (422, True, True)
    seen = re.findall(r'name="seen" value="([0-9a-f]+)"', refused.text)[0]
    assert officer.post(f"{place}/file", {**form, "seen": seen, "text": "// mine\n"}, refused).status_code == 303
    assert "// mine" in officer.get(f"{place}/file?name={RULE}").text


def test_a_grant_and_a_purpose_are_changed_by_forms(
    world: World, browser: Browser, unfit: Callable[[Page], list[str]], officer: Visitor
) -> None:
    begun(officer)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(world.told["pages"]["login_as"]["officer"])
    page.goto(world.told["gateway"] + "/console/drafts")
    page.get_by_role("rowheader").get_by_role("link").first.click()
    page.get_by_role("link", name="Grants as forms").click()
    assert unfit(page) == [], page.url
    page.get_by_role("rowheader").get_by_role("link", name="Procurement and licensing system").first.click()
    assert unfit(page) == [], page.url
    ticked = page.get_by_role("group", name="Records").get_by_role("checkbox", checked=True)
    names = [str(each.get_attribute("value")) for each in ticked.all()]
    for name in names:
        page.locator(f"#d-{name}").uncheck()
    page.get_by_label("Agreed by").fill("")
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator(".errors")).to_contain_text("Enter by which agreement.")
    expect(page.locator(".errors")).to_contain_text("Choose at least one.")
    assert unfit(page) == [], page.url
    page.get_by_label("Agreed by").fill(SCRIPT)
    page.locator(f"#d-{names[0]}").check()
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_role("status").first).to_contain_text("The grant is changed in your draft.", timeout=WAIT)
    page.get_by_role("link", name="Grants as forms").click()
    expect(page.get_by_role("table")).to_contain_text(SCRIPT)

    page.get_by_role("link", name="Purposes as forms").click()
    assert unfit(page) == [], page.url
    page.get_by_role("rowheader").get_by_role("link", name="Qualification of a tenderer").click()
    page.get_by_label("What it is called").fill("")
    page.get_by_label("Articles").fill(" , ")
    page.locator("#f-organisation-register-registeredOn").check()
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator(".errors").get_by_role("listitem")).to_have_count(2)
    assert unfit(page) == [], page.url
    page.get_by_label("What it is called").fill(SCRIPT)
    page.get_by_label("Articles").fill("19; 28(1)")
    page.get_by_role("button", name="Save and check").click()
    expect(page.locator("#articles-error")).to_contain_text("It was not saved: `articles` must name")
    expect(page.locator("#title-error")).to_have_count(0)
    page.get_by_label("Articles").fill("19, 28(1)")
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_role("status").first).to_contain_text("The purpose is changed in your draft.", timeout=WAIT)
    page.get_by_role("link", name="Purposes as forms").click()
    expect(page.get_by_role("link", name=SCRIPT)).to_have_count(1)
    context.close()


def test_a_file_is_taken_away_and_a_draft_let_go(officer: Visitor) -> None:
    place = begun(officer)
    page = officer.get(f"{place}/file?name={RULE}")
    seen = re.findall(r'name="seen" value="([0-9a-f]+)"', page.text)[0]
    gone = officer.post(f"{place}/file/remove", {"name": RULE, "seen": seen}, page)
    assert gone.status_code == 303
    shown = officer.get(place)
    assert "Taken away" in shown.text
    assert f"name={RULE}" not in shown.text
    for name in ("../../etc/passwd", "rules/ünï.cedar", "rules/a%2e b.cedar"):
        named = officer.post(f"{place}/file", {"name": name, "text": "x", "seen": ""}, shown)
        assert (named.status_code, f"`{name}` is no file of a rule set" in named.text) == (422, True), name
    officer.post(f"{place}/discard", {}, shown)
    assert officer.get(place).status_code == 404
