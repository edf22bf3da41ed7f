"""The playground against the running region: from a question to a receipt that verifies."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from gateway.ledger.proof.leaf import open_extra
from gateway.ledger.proof.tlog_proof import parse
from tests.conftest import World
from tests.web.looking import Looking


def test_from_a_question_to_its_receipt(world: World, looking: Looking, tmp_path: Path) -> None:
    page = looking.tab(390)
    page.goto(world.graphql)
    official = world.told["clients"]["market-regulator"]["officials"][0]
    page.get_by_label("Access token").fill(world.token("market-regulator", official))
    subject = world.subject("ordinary")
    query = page.get_by_role("textbox", name="Query")
    query.fill(
        "query Tender($id: IdentifierInput!, $case: String!) @inquiry(purpose: TENDER_QUALIFICATION, case: $case) {"
        " organisation(id: $id) { name wageArrears { period amount } } }"
    )
    variables = json.dumps({"id": subject, "case": world.case("market-regulator", subject)})
    page.get_by_role("textbox", name="Variables").fill(variables)
    purpose = page.get_by_role("region", name="The purpose you declare")
    for said in ("Qualification of a tenderer", "Public Procurement Act, Art. 54", "Needs a case", "after 90 days"):
        expect(purpose).to_contain_text(said)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#status")).to_contain_text("HTTP 200, 1 error")
    answer = page.get_by_role("tabpanel", name="Answer", exact=True)
    for said in ("1 field was denied", "wageArrears.amount", "rule outside-purpose, articles 19 and 28(1)"):
        expect(answer).to_contain_text(said)
    page.get_by_role("tab", name="Receipt").click()
    receipt = page.get_by_role("tabpanel", name="Receipt")
    for said in ("before the answer left", "This purpose only", "Not allowed", "Delete by", "To prove it"):
        expect(receipt).to_contain_text(said)
    receipt.get_by_text("What was disclosed about").click()
    expect(receipt).to_contain_text("wage-arrears: 2 records; period")
    saved = {}
    for name in ("receipt", "answer"):
        with page.expect_download() as download:
            receipt.get_by_role("button", name=f"Save the {name}").click()
        saved[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[name])
    content = json.loads(saved["answer"].read_text("utf-8"))
    said = content["extensions"]["inquiry"]
    assert saved["receipt"].read_text("utf-8") == said["receipt"]
    assert saved["receipt"].name == f"receipt-{said['id']}.txt"
    opening = open_extra(parse(said["receipt"]).extra)
    assert said["id"].encode() in opening.told.general.body
    purpose.get_by_role("button", name="What may we ask for it?").click()
    expect(purpose).to_contain_text("Business licences (organisation): ")
