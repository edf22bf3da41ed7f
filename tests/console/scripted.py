"""The pages that have scripts, in each state in which a script writes something, by ids alone: in any language."""

from __future__ import annotations

import json
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, expect

from tests.conftest import World

QUERY = """query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {
  organisation(id: $id) { name taxArrears { period amount } wageArrears { period amount } }
}"""
TWO = "query ($a: [Int!], $b: Nothing, $c: Date) { catalogue { id } } query Two @inquiry(purpose: NONE) { no }"

NAMES = {"Tender", "Two", "`id`", '{"name": 1}'}
"""What the tests call operations and variables, and an example, in places that have no markup."""


def pages(world: World, browser: Browser) -> Iterator[tuple[str, Page]]:
    """What is done, and the page after it."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield from _playground(world, context.new_page())
    yield from _editor(world, context.new_page())
    context.close()


def _playground(world: World, page: Page) -> Iterator[tuple[str, Page]]:
    query, variables = (page.locator(f"#{each} + .editor .cm-content") for each in ("query", "variables"))
    page.goto(world.graphql)
    expect(page.locator("#past li")).to_have_count(1)
    yield "a first look", page
    official = world.told["clients"]["market-regulator"]["officials"][0]
    page.locator("#token").fill(world.token("market-regulator", official))
    page.locator("#schema button").first.wait_for()
    page.locator("#purpose button").click()
    page.locator("#purpose [aria-live] li").first.wait_for()
    yield "the schema was read", page
    subject = world.subject("ordinary")
    query.fill(QUERY)
    variables.fill(json.dumps({"id": subject, "case": world.case("market-regulator", subject)}))
    _run(page)
    page.locator("#answer pre").wait_for()
    page.locator("#receipt dl").wait_for(state="attached")
    yield "an answer", page
    for name in ("Query", "Organisation", "TaxArrears"):
        page.locator("#schema button", has_text=name).first.click()
        yield f"the type {name}", page
    for name in ("amount", "zzzz"):
        page.locator("#find").fill(name)
        expect(page.locator("#schema h3")).to_have_count(0)
        yield f"looked for {name}", page
    page.locator("#find").fill("")
    page.locator("#new").click()
    query.fill(TWO)
    variables.fill('{"id": 1}')
    page.locator("#query-problems li").first.wait_for()
    page.locator("#variables-problems li").first.wait_for()
    _run(page)
    page.locator("#answer .note").wait_for()
    yield "two operations, and a refusal", page
    variables.fill("[]")
    expect(page.locator("#variables-problems li")).to_have_count(1)
    yield "variables that are a list", page
    page.locator("#operation").select_option(index=1)
    expect(page.locator("#purpose code")).to_have_text("NONE")
    yield "a purpose that is none", page
    variables.fill("{")
    page.locator("#run").click()
    page.locator("#status.bad").wait_for()
    yield "variables that are no JSON", page
    page.locator("#new").click()
    query.fill("{")
    page.locator("#tidy").click()
    page.locator("#status span").wait_for()
    yield "a query that is none", page
    page.route("**/graphql", lambda route: route.abort())
    page.locator("#run").click()
    expect(page.locator("#status span")).to_contain_text("fetch")
    yield "no gateway", page


def _run(page: Page) -> None:
    page.locator("#run").click()
    expect(page.locator("#run")).to_be_enabled()


def _editor(world: World, page: Page) -> Iterator[tuple[str, Page]]:
    page.goto(world.told["pages"]["login_as"]["officer"])
    page.goto(f"{page.url.split('/console')[0]}/console/drafts")
    page.locator("form[action$='/console/drafts'] button").click()
    draft = page.url.split("?")[0]
    page.goto(f"{draft}/file?name=purposes.yaml")
    text = page.locator(".cm-content")
    text.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("7: [")
    page.locator("#found li").first.wait_for()
    yield "a file that is wrong", page
