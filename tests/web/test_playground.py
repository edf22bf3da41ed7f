"""The playground in a browser: what it keeps, what it says, whom it serves, and what it never runs."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.answering import ANSWER, PURPOSES, TOKEN, answering, opened, schema
from tests.web.looking import Looking, axe, overflow

LOOKS = [(1280, "light"), (390, "dark"), (320, "light")]
EVIL = '<img src=x onerror="document.title=\'run\'"><script>document.title="run"</script>'


@pytest.fixture
def at(served: httpx.Client) -> str:
    return str(served.base_url.join("/"))


def query(page: Page) -> Any:
    return page.get_by_role("textbox", name="Query")


def variables(page: Page) -> Any:
    return page.get_by_role("textbox", name="Variables")


def problems(page: Page) -> Any:
    return page.get_by_role("status", name="Problems in the query")


def run(page: Page) -> None:
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#status")).to_contain_text("HTTP ")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_part_can_be_read_by_everybody(looking: Looking, at: str, width: int, scheme: str) -> None:
    page = looking.tab(width, scheme)
    answering(page, {**ANSWER, "errors": [{"message": "no", "path": ["organisation", "taxArrears"]}]})
    opened(page, at)
    query(page).fill("query T($id: IdentifierInput!) @inquiry(purpose: NONE) { organisation(id: $id) { nothing } }")
    expect(problems(page)).to_contain_text("nothing")
    page.get_by_role("button", name="New sheet").click()
    page.get_by_role("tab", name="T", exact=True).click()
    page.get_by_text("What was run in this tab").click()
    run(page)
    for part in ("As sent", "Receipt", "Answer"):
        page.get_by_role("tab", name=part, exact=True).click()
        assert (axe(page), overflow(page)) == ([], 0)
    page.locator("#schema").get_by_role("button", name="Query", exact=True).click()
    assert (axe(page), overflow(page)) == ([], 0)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("path", ["", "open/catalogue"])
def test_the_open_pages_can_be_read_by_everybody(looking: Looking, at: str, path: str, width: int, scheme: str) -> None:
    page = looking.tab(width, scheme)
    page.goto(f"{at}{path}")
    assert (axe(page), overflow(page)) == ([], 0)


def test_a_reload_keeps_what_was_written_and_forgets_the_token(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    query(page).fill("query Mine { catalogue { id } }")
    variables(page).fill('{"case": "MR-1"}')
    run(page)
    expect(page.get_by_role("tab", name="Mine")).to_be_visible()
    page.reload()
    expect(query(page)).to_contain_text("query Mine")
    expect(variables(page)).to_contain_text("MR-1")
    expect(page.get_by_label("Access token")).to_have_value("")
    kept = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
    assert "MR-1" in kept
    assert TOKEN not in kept
    assert page.evaluate("localStorage.length") == 0
    other = looking.tab(context=page.context)
    other.goto(f"{at}graphql")
    expect(query(other)).to_contain_text("query Tender")
    assert "MR-1" not in other.evaluate("JSON.stringify({...sessionStorage})")


def opened_for(looking: Looking, at: str, answer: Any = ANSWER) -> Page:
    page = looking.tab()
    answering(page, answer)
    return opened(page, at)


def test_what_was_run_opens_again_until_it_is_forgotten(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    run(page)
    page.get_by_text("What was run in this tab").click()
    query(page).fill("{ __typename }")
    page.locator("#past").get_by_role("button", name="Tender").click()
    expect(query(page)).to_contain_text("query Tender")
    expect(page.locator("#sheets").get_by_role("tab")).to_have_count(2)
    page.get_by_role("button", name="Forget all of it").click()
    expect(page.locator("#past")).to_contain_text("Nothing was run here yet.")
    assert page.evaluate("sessionStorage.getItem('dutybound.playground.past')") == "[]"


def test_sheets_by_keyboard(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    page.get_by_role("button", name="New sheet").click()
    expect(query(page)).to_be_focused()
    page.keyboard.type("query Second ")
    expect(page.get_by_role("tab", name="Second")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Second").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Tender")).to_be_focused()
    expect(query(page)).to_contain_text("query Tender")
    query(page).press("Control+z")
    expect(query(page)).to_contain_text("query Tender")  # the other sheet's past is not this one's
    page.get_by_role("tab", name="Tender").press("Delete")
    expect(page.locator("#sheets").get_by_role("tab")).to_have_count(1)
    expect(query(page)).to_contain_text("query Second")


def test_tab_goes_through_the_page_and_out_of_every_editor(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    page.get_by_label("Access token").focus()
    been = []
    for _ in range(20):
        page.keyboard.press("Tab")
        been.append(
            page.evaluate(
                """() => { let at = document.activeElement;
                   while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
                   return at.getAttribute("aria-label") || at.textContent.trim().slice(0, 20); }"""
            )
        )
    wanted = ["Tender", "New sheet", "Query", "Variables", "Run", "Tidy up", "What was run in this", "Answer"]
    assert [each for each in been if each in wanted][: len(wanted)] == wanted


def test_the_editor_completes_marks_and_runs_by_keyboard(looking: Looking, at: str) -> None:
    page = looking.tab()
    asked = answering(page)
    opened(page, at)
    query(page).fill(
        "query Q($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION) { organisation(id: $id) { taxA"
    )
    query(page).press("Control+End")
    query(page).press("Control+ ")
    page.get_by_role("option", name="taxArrears").wait_for()
    page.wait_for_timeout(200)  # it takes no key in its first moment, so that nobody accepts by accident
    query(page).press("Enter")
    page.keyboard.type(" { amount } } }")
    expect(problems(page)).to_be_hidden()
    expect(page.locator("#wanted")).to_have_text("id: IdentifierInput {scheme, value}, needed.")
    variables(page).fill("{")
    variables(page).press("Control+a")
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Add what is missing").click()
    expect(variables(page)).to_contain_text('"scheme": "LEI"')
    query(page).press("Control+Enter")
    expect(page.locator("#status")).to_contain_text("HTTP 200")
    assert asked[0]["authorization"] == f"Bearer {TOKEN}"
    assert asked[0]["variables"] == {"id": {"scheme": "LEI", "value": ""}}
    assert "taxArrears" in asked[0]["query"]


def test_variables_are_checked_by_their_types(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    variables(page).fill('{"id": {"scheme": "XYZ", "value": "1"}, "case": 7, "also": 1}')
    told = page.get_by_role("status", name="Problems in the variables")
    for problem in ("XYZ", "String cannot represent", "no variable `also`"):
        expect(told).to_contain_text(problem)
    variables(page).fill('{"id": {"scheme": "LEI", "value": "1"}, "case": "7"}')
    expect(told).to_be_hidden()


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("{a(b:1){c,d}}", "{\n  a(b: 1) {\n    c\n    d\n  }\n}"),
        ("{ # why\na {\nb }\n}", "{ # why\n  a {\n    b }\n}"),
    ],
)
def test_tidying_up(looking: Looking, at: str, written: str, tidied: str) -> None:
    page = opened_for(looking, at)
    query(page).fill(written)
    page.get_by_role("button", name="Tidy up").click()
    expect(page.locator("#query")).to_have_value(tidied + ("" if "#" in written else "\n"))


def test_which_operation_runs_is_chosen(looking: Looking, at: str) -> None:
    page = looking.tab()
    asked = answering(page)
    opened(page, at)
    query(page).fill("query One { catalogue { id } } query Two { catalogue { title } }")
    page.get_by_label("Operation to run").select_option("Two")
    run(page)
    assert asked[0]["operationName"] == "Two"


def test_the_schema_leads_from_type_to_type(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    tree = page.locator("#schema")
    tree.get_by_role("button", name="Query", exact=True).click()
    tree.get_by_role("button", name="Organisation", exact=True).first.click()
    expect(tree.get_by_role("heading")).to_contain_text("Organisation")
    expect(tree).to_contain_text("Legal basis: Tax Collection Act, Art. 45.")
    tree.get_by_role("button", name="TaxArrears", exact=True).click()
    tree.get_by_role("button", name="Back to Organisation").click()
    expect(tree.get_by_role("heading")).to_be_focused()
    page.get_by_label("Find a type or field").fill("amount")
    tree.get_by_role("button", name="TaxArrears.amount").click()
    expect(tree.locator("[data-field-shown]")).to_contain_text("Amount due")


def test_the_purpose_is_explained(looking: Looking, at: str) -> None:
    page = looking.tab()
    rows = [
        {
            "subject": "organisation",
            "dataset": "tax-arrears",
            "field": "amount",
            "permitted": True,
            "needs": ["a case"],
        },
        {
            "subject": "organisation",
            "dataset": "tax-arrears",
            "field": "debtor",
            "permitted": False,
            "articles": ["19"],
        },
    ]
    answering(page, {"data": {"permissions": rows}})
    opened(page, at)
    purpose = page.get_by_role("region", name="The purpose you declare")
    expect(purpose).to_contain_text("Qualification of a tenderer.")
    expect(purpose.get_by_role("listitem").nth(1)).to_have_text("Needs a case: case.")
    purpose.get_by_role("button", name="What may we ask for it?").click()
    expect(purpose).to_contain_text(
        "Notices of tax <arrears> (organisation): amount. It takes: a case. Not debtor (article 19)."
    )
    query(page).fill("query Q @inquiry(purpose: UNKNOWN) { catalogue { id } }")
    expect(purpose).to_contain_text("is no purpose that is registered here")


def test_nothing_that_is_told_is_run(looking: Looking, at: str) -> None:
    page = looking.tab()
    purposes = {"TENDER_QUALIFICATION": f"{EVIL}.\n\n- {EVIL}"}
    told = json.loads(json.dumps(schema(purposes)).replace("Amount due", json.dumps(EVIL)[1:-1]))
    extension = {"code": EVIL, "rule": EVIL, "articles": [EVIL], "advice": EVIL}
    said = {
        "id": EVIL, "receipt": EVIL, "obligations": [{"type": EVIL, "properties": {"date": EVIL}}],
        "cautions": [{"dataset": EVIL, "record": EVIL, "disputed": True, "mitigation": EVIL}],
    }  # fmt: skip
    errors = [{"message": EVIL, "path": [EVIL, EVIL], "extensions": extension}]
    answering(page, {"data": {EVIL: EVIL}, "errors": errors, "extensions": {"inquiry": said}}, told)
    opened(page, at)
    query(page).fill(f"query Q @inquiry(purpose: TENDER_QUALIFICATION) {{ {EVIL} }}")
    variables(page).fill(json.dumps({EVIL: EVIL}))
    run(page)
    for part in ("Answer", "Receipt", "As sent"):
        page.get_by_role("tab", name=part, exact=True).click()
        expect(page.locator("[role=tabpanel]:visible").nth(1)).to_contain_text("<img src=x")
    page.get_by_label("Find a type or field").fill("amount")
    page.locator("#schema").get_by_role("button", name="TaxArrears.amount").click()
    expect(page.locator("#schema")).to_contain_text("<img src=x")
    page.evaluate(
        "sessionStorage.setItem('dutybound.playground.past', JSON.stringify([{query: 1, name: EVIL, at: EVIL}]"
        f".map((each) => ({{...each, query: {json.dumps(EVIL)}}}))))".replace("EVIL", json.dumps(EVIL))
    )
    page.reload()
    page.get_by_text("What was run in this tab").click()
    expect(page.locator("#past")).to_contain_text("<img src=x")
    assert page.title() == "Playground - Dutybound"
    assert page.locator("img, main script").count() == 0


def test_a_broken_store_of_the_browser_is_no_reason_to_stop(looking: Looking, at: str) -> None:
    page = looking.tab()
    answering(page)
    page.goto(f"{at}open/catalogue")
    for kept in ("{", "[1]", '{"sheets": [{"query": 7}], "current": 9}', '"x"', "null"):
        page.evaluate(
            "(kept) => ['sheets', 'past'].forEach((n) => sessionStorage.setItem('dutybound.playground.' + n, kept))",
            kept,
        )
        opened(page, at)
        run(page)


def test_no_gateway_no_silence(looking: Looking, at: str) -> None:
    page = opened_for(looking, at)
    page.unroute("**/graphql")
    page.route("**/graphql", lambda route: route.abort())
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#status")).to_contain_text("The gateway cannot be reached")
    expect(page.get_by_role("button", name="Run")).to_be_enabled()


def test_without_scripts_it_says_so(looking: Looking, at: str) -> None:
    context = looking.tab().context.browser
    assert context is not None
    window = context.new_context(java_script_enabled=False)
    page = window.new_page()
    page.goto(f"{at}graphql")
    assert page.get_by_label("Query", exact=True).input_value().startswith("query Tender")
    expect(page.get_by_text("Any GraphQL client can post to this address instead.")).to_be_visible()
    window.close()
    assert PURPOSES
