"""Oversight at its pages: a finding is opened and its review ended, in a browser."""

from __future__ import annotations

import datetime
import json
import re
import zoneinfo
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo import client
from tests.conftest import World
from tests.console import watched
from tests.console.visitor import Visitor

SCRIPT = "<script>alert('x')</script> 'quoted' & \"more\""


@pytest.fixture
def finding(world: World) -> str:
    return watched.finding(world.told)


def test_oversight_opens_a_finding_and_ends_its_review(
    world: World, browser: Browser, problems: Callable[[Page], list[str]], finding: str
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["oversight"])
    expect(page.locator("main")).to_contain_text(re.compile(r"findings? that waits? for a review"))
    page.get_by_role("link", name="Findings").first.click()
    row = page.locator(f'a[href*="/console/findings/{finding}?"]')
    expect(row).to_have_count(1)
    row.click()
    assert problems(page) == []
    page.get_by_role("button", name="Open and record").click()
    expect(page.get_by_role("alert").or_(page.locator(".errors"))).to_contain_text("Enter why you open it")
    page.get_by_label("Why you open it").fill(SCRIPT)
    page.get_by_role("button", name="Open and record").click()
    expect(page.get_by_role("status")).to_contain_text("The ledger now records that you opened it")
    expect(page.get_by_role("rowheader")).not_to_have_count(0)
    expect(page.locator("main")).to_contain_text("Refused: the case could not be verified")
    assert problems(page) == []
    page.get_by_role("link", name="Enter what they were").click()
    page.get_by_role("button", name="End the review").click()
    expect(page.locator(".errors")).to_contain_text("Choose what the inquiries were")
    page.get_by_label("Improper").check()
    page.get_by_label("Your reasons").fill(SCRIPT)
    assert problems(page) == []
    page.get_by_role("button", name="End the review").click()
    expect(page.get_by_role("status")).to_contain_text("The review has ended.")
    expect(page.locator(f'a[href*="/console/findings/{finding}?"]')).to_have_count(0)
    page.get_by_label("State").select_option("DECIDED")
    page.get_by_role("button", name="Show").click()
    page.locator(f'a[href*="/console/findings/{finding}?"]').click()
    expect(page.locator("main")).to_contain_text("By o.keller")
    expect(page.locator("main")).to_contain_text(SCRIPT)
    context.close()
    overseer = client.token(world.told, "oversight", "o.marin", "oversight")
    items = client.ask(
        world.told, overseer, "query { findings(state: DECIDED, first: 50) { items { id verdict by because } } }", {}
    ).data["findings"]["items"]
    assert {"id": finding, "verdict": "IMPROPER", "by": "o.keller", "because": SCRIPT} in items


def test_a_finding_s_forms_need_the_sessions_token_and_the_role(visitor: Visitor, finding: str) -> None:
    visitor.sign_in("oversight")
    foreign = Visitor(visitor.told)
    page = foreign.sign_in("officer")
    given = {"verdict": "PROPER", "reason": "x"}
    for path in (f"/console/findings/{finding}", f"/console/findings/{finding}/review"):
        assert visitor.post(path, given, page).status_code == 403
        assert foreign.post(path, given, page).status_code == 403
        assert foreign.get(path).status_code == 403
    assert visitor.get("/console/findings/none").status_code == 404


TENDER = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "%s") {
  organisation(id: $subject) { name taxArrears { period amount } wageArrears { period amount } }
}
"""


def test_one_inquiry_is_shown_to_whoever_asked_and_all_of_it_to_oversight(
    world: World, browser: Browser, problems: Callable[[Page], list[str]]
) -> None:
    subject = world.subject("ordinary")
    case = world.case("market-regulator", subject, "m.ivanova")
    reply = world.ask("market-regulator", TENDER % case, {"subject": subject}, official="m.ivanova")
    assert reply.codes == ["UNAUTHORIZED_FIELD_OR_TYPE"], reply
    receipt = reply.inquiry["receipt"]
    context = browser.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["requester"])
    page.get_by_role("link", name="By receipt").first.click()
    page.get_by_role("button", name="Show the inquiry").click()
    expect(page.locator(".errors")).to_contain_text("Paste the receipt")
    page.get_by_label("Receipt", exact=True).fill(receipt.replace("index ", "index 1"))
    page.get_by_role("button", name="Show the inquiry").click()
    expect(page.locator(".errors")).to_contain_text("This is no receipt of this gateway, it was changed")
    page.get_by_label("Receipt", exact=True).fill(receipt[:-20])
    page.get_by_role("button", name="Show the inquiry").click()
    expect(page.locator(".errors")).to_contain_text("its end with the signature is missing")
    page.get_by_label("Or choose the file").set_input_files(
        {"name": "answer.json", "mimeType": "application/json", "buffer": json.dumps(reply.body).encode()}
    )
    page.get_by_role("button", name="Show the inquiry").click()
    main = page.locator("main")
    expect(main).to_contain_text("Market Regulation Authority asked.")
    expect(main).to_contain_text("the purpose does not cover it")
    assert problems(page) == []
    page.get_by_role("link", name="outside-purpose").first.click()
    expect(page.locator("#rule-outside-purpose")).to_contain_text("Why it was denied")
    expect(page.locator("#rule-outside-purpose")).to_contain_text("The rule forbids where")
    expect(main).to_contain_text(case)
    for hidden in ("Oversight only", "Official", "Withheld", "would have permitted"):
        expect(main).not_to_contain_text(hidden)
    context.close()

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(world.told["pages"]["login_as"]["oversight"])
    page.get_by_role("link", name="One inquiry").first.click()
    page.get_by_label("Number of the inquiry").fill(reply.inquiry["id"])
    page.get_by_role("button", name="Open and record").click()
    expect(page.locator(".errors")).to_contain_text("Enter the day on which it was made")
    page.get_by_label("Day on which it was made").fill(_today())
    page.get_by_label("Why you open it").fill(SCRIPT)
    page.get_by_role("button", name="Open and record").click()
    main = page.locator("main")
    expect(page.get_by_role("status")).to_contain_text("The ledger now records that you opened it")
    expect(main).to_contain_text("Oversight only")
    expect(main).to_contain_text("m.ivanova")
    expect(main).to_contain_text("would have permitted")
    assert problems(page) == []
    context.close()


def _today() -> str:
    return datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Sofia")).date().isoformat()


def test_another_clients_receipt_and_another_roles_page_are_refused(visitor: Visitor, world: World) -> None:
    subject = world.subject("ordinary")
    reply = world.ask("environment-agency", _OPEN_RECORD, {"subject": subject}, official="e.lind")
    visitor.sign_in("requester")
    form = visitor.get("/console/receipt")
    answer = visitor.post("/console/receipt", {"receipt": reply.inquiry["receipt"]}, form)
    assert answer.status_code == 422
    assert "no inquiry of this receipt that you may see" in answer.text
    looking = Visitor(visitor.told)
    looking.sign_in("oversight")
    given = {"inquiry": reply.inquiry["id"], "day": "9999-99-99", "reason": "A complaint."}
    answer = looking.post("/console/inquiries", given, looking.get("/console/inquiries"))
    assert answer.status_code == 422
    assert "Enter the day on which it was made" in answer.text
    steward = Visitor(visitor.told)
    steward.sign_in("steward")
    for path in ("/console/receipt", "/console/inquiries", "/console/ledger", "/console/findings"):
        assert steward.get(path).status_code == 403


def test_an_inquiry_of_several_organisations_has_a_table_of_each(visitor: Visitor, world: World) -> None:
    ids = [world.subject("ordinary"), world.subject("no_records")]
    asked = _OPEN_RECORD.replace("$subject: IdentifierInput!", "$subject: [IdentifierInput!]!")
    asked = asked.replace("organisation(id:", "organisations(ids:")
    reply = world.ask("market-regulator", asked, {"subject": ids}, official="m.ivanova")
    visitor.sign_in("requester")
    page = visitor.post("/console/receipt", {"receipt": reply.inquiry["receipt"]}, visitor.get("/console/receipt"))
    assert page.text.count("<h2>What was decided</h2>") == 1
    for each in ids:
        assert page.text.count(f"<h3>An organisation, LEI <code>{each['value']}</code></h3>") == 1


_OPEN_RECORD = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) {
  organisation(id: $subject) { name }
}
"""
