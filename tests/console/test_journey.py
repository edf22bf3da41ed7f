"""What people do at the pages, from one's form to another's page: in the region, by forms alone."""

from __future__ import annotations

import datetime
import html
import json
import re

import httpx
import pytest

from tests.conftest import World
from tests.console.typed import Form, came_back
from tests.console.visitor import Visitor

SCRIPT = "<script>alert('x')</script> =1+1 \"quoted\" & 'more'"


@pytest.fixture
def subject(visitor: Visitor) -> Visitor:
    visitor.sign_in("subject")
    return visitor


def other(visitor: Visitor, role: str) -> Visitor:
    found = Visitor(visitor.told)
    found.sign_in(role)
    return found


def test_a_subject_objects_a_steward_decides_and_the_subject_sees_it(subject: Visitor) -> None:
    place = "/my/object?dataset=income-statements&record=IS-P00000-1"
    form = subject.get(place)
    about = {"dataset": "income-statements", "record": "IS-P00000-1"}
    wrong = subject.post("/my/object", {**about, "reason": "", "issuer": "Labour Office"}, form)
    assert wrong.status_code == 422
    assert "Write your reasons" in wrong.text
    assert "Enter the number of the paper" in wrong.text
    assert 'value="Labour Office"' in wrong.text  # what was written is kept
    assert "<title>Error:" in wrong.text
    paper = {**about, "reason": "It was paid.", "issuer": "Labour Office", "number": "LO-1"}
    for date, said in (
        ("20 December 2024", "This is no date"), ("20241220", "This is no date"), ("2024-02-30", "This is no date"),
        ("2999-01-01", "The date of the paper must be today or earlier"),
    ):  # fmt: skip
        unfit = subject.post("/my/object", {**paper, "date": date}, form)
        assert (unfit.status_code, said in unfit.text, f'value="{date}"' in unfit.text) == (422, True, True), date
    done = subject.post("/my/object", {**about, "reason": SCRIPT}, form)
    assert (done.status_code, done.headers["location"]) == (303, "/my/matters")
    page = subject.get("/my/matters")
    assert "Your objection was entered." in page.text
    assert "Receipt" in page.text
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "Your objection was entered." not in subject.get("/my/matters").text  # it is told once

    steward = other(subject, "steward")
    listed = steward.get("/console/matters")
    (way,) = set(re.findall(r'href="(/console/matters/[0-9a-f]{32}\?[^"]+)"', listed.text))
    way = way.replace("&amp;", "&")
    matter = steward.get(way)
    assert "<script" not in matter.text
    assert "IS-P00000-1" in matter.text
    id_ = re.findall(r"/console/matters/([0-9a-f]{32})", way)[0]
    unsaid = steward.post(f"/console/matters/{id_}", {"outcome": "", "reason": ""}, matter)
    assert unsaid.status_code == 422
    given = {"outcome": "REFUSED", "reason": "The employer's reports say the same.", "kind": "OBJECTION"}
    check = steward.post(f"/console/matters/{id_}", given, matter)
    assert "Check your decision" in check.text
    assert "Nothing was entered yet." in check.text
    entered = steward.post(f"/console/matters/{id_}", {**given, "checked": "yes"}, check)
    assert entered.headers["location"] == "/console/matters"
    assert "Your decision was entered." in steward.get("/console/matters").text
    assert "Answer due" in matter.text
    closed = steward.get(f"/console/matters/{id_}?state=DECIDED").text
    assert "Answer due" not in closed  # nothing is due any more
    assert "No, refuse it" in closed
    late = steward.post(f"/console/matters/{id_}", {**given, "reason": "They say it still.", "checked": "yes"}, check)
    assert late.status_code == 409
    assert "That is not possible any more" in late.text
    assert "readonly" in late.text
    assert "They say it still." in late.text  # what was written is not lost

    answered = subject.get("/my/matters").text
    assert "Refused" in answered
    assert "The employer&#39;s reports say the same." in answered
    assert "What you can do now" in answered

    # Another department's steward, and another subject, are told as of one that is not there.
    for who, path, fields in (
        (other(subject, "other-subject"), f"/my/matters/{id_}/withdraw", {}),
        (other(subject, "officer"), f"/console/matters/{id_}", given),
    ):
        answer = who.post(path, fields, who.get("/"))
        assert answer.status_code in (403, 404)


def test_a_form_of_an_act_needs_the_sessions_token(subject: Visitor) -> None:
    foreign = other(subject, "other-subject").get("/my/keeping")
    for page, headers in ((foreign, {}), (subject.get("/my/keeping"), {"origin": "https://evil.example"})):
        answer = subject.post("/my/keeping", {"dataset": "volunteering", "out": "yes"}, page, **headers)
        assert answer.status_code == 403
    assert subject.send("GET", "/my/keeping?dataset=volunteering&out=yes").status_code == 200
    assert "Kept back since" not in subject.get("/my/keeping").text


def test_one_can_object_to_what_is_missing(subject: Visitor) -> None:
    (way,) = re.findall(r'href="(/my/object\?dataset=volunteering)"', subject.get("/my/").text)
    form = subject.get(way)
    assert "The answer names what follows." in form.text
    given = {"dataset": "volunteering", "reason": "Last year is missing."}
    assert subject.post("/my/object", given, form).status_code == 303
    page = subject.get("/my/matters")
    assert "Last year is missing." in page.text
    back = page.text.partition("Last year is missing.")[2].partition('action="')[2].partition('"')[0]
    assert subject.post(back, {}, page).status_code == 303


def test_what_is_kept_back_is_shared_again(subject: Visitor) -> None:
    for out, told in (("yes", "It is kept back from now on."), ("no", "It is shared again from now on.")):
        answer = subject.post("/my/keeping", {"dataset": "volunteering", "out": out}, subject.get("/my/keeping"))
        assert answer.status_code == 303
        assert told in subject.get("/my/keeping").text


def test_a_copy_has_all_of_it(subject: Visitor) -> None:
    answer = subject.get("/my/copy.json")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    told = json.loads(answer.content)
    assert {each["dataset"]["id"] for each in told["datasets"]} >= {"income-statements", "person-register"}
    assert told["accessHistory"]["complete"]
    assert told["consents"]
    page = subject.get("/my/copy/print")
    assert all(each["record"]["id"] in page.text for kind in told["datasets"] for each in kind["records"] or ())


def test_a_printed_copy_has_no_heading_over_nothing(visitor: Visitor) -> None:
    visitor.sign_in("organisation")
    told = json.loads(visitor.get("/my/copy.json").content)
    asked = [each for each in told["consentRequests"] if each["state"] == "OPEN"]
    empty = [not told["consents"] and not asked, not told["optOuts"], not told["matters"]]
    assert any(empty)
    assert visitor.get("/my/copy/print").text.count("None.") == sum(empty)


def test_a_printed_copy_has_what_the_pages_have(subject: Visitor) -> None:
    about = {"dataset": "enforcement-cases", "record": "EC-P00000-1", "reason": "It was paid in full."}
    paper = {"issuer": "District Court", "number": "DC-77", "date": "2024-12-20"}
    form = subject.get("/my/object?dataset=enforcement-cases&record=EC-P00000-1")
    assert subject.post("/my/object", {**about, **paper}, form).status_code == 303
    assert (
        subject.post("/my/keeping", {"dataset": "volunteering", "out": "yes"}, subject.get("/my/keeping")).status_code
        == 303
    )
    told = json.loads(subject.get("/my/copy.json").content)
    records = [each for kind in told["datasets"] for each in kind["records"] or ()]
    page = html.unescape(subject.get("/my/copy/print").text)
    overview = html.unescape(subject.get("/my/").text)
    try:
        assert any(each["record"]["disputed"] for each in records)
        assert page.count("Disputed by you") == sum(bool(each["record"]["disputed"]) for each in records)
        assert "District Court, DC-77" in page
        assert "Kept back since" in page
        for record in records:
            for name in ("document", "mitigation"):
                assert (record["record"][name] or "") in page
        assert page.count("They see it until") == overview.count("They see it until") > 0
        assert page.count("You can apply from") == overview.count("You can apply from")
        assert page.count("Counts against you") == overview.count("Counts against you") > 0
    finally:
        subject.post("/my/keeping", {"dataset": "volunteering", "out": "no"}, subject.get("/my/keeping"))
        listed = subject.get("/my/matters")
        back = listed.text.partition("It was paid in full.")[2].partition('action="')[2].partition('"')[0]
        subject.post(back, {}, listed)


def test_a_matter_names_the_day_by_which_its_record_is_to_be_corrected(visitor: Visitor) -> None:
    visitor.sign_in("other-subject")
    steward = other(visitor, "steward")
    told = json.loads(visitor.get("/my/copy.json").content)
    kind = next(each for each in told["datasets"] if each["dataset"]["id"] == "income-statements")
    record = kind["records"][0]["record"]["id"]
    form = visitor.get(f"/my/object?dataset=income-statements&record={record}")
    about = {"dataset": "income-statements", "record": record, "reason": "It was another year."}
    assert visitor.post("/my/object", about, form).status_code == 303
    rows = steward.get("/console/matters").text.split("<tr ")
    (id_,) = re.findall(r"/console/matters/([0-9a-f]{32})\?", next(row for row in rows if record in row))[:1]
    form = steward.get(f"/console/matters/{id_}")
    given = {"outcome": "UPHELD", "reason": "So it was.", "kind": "OBJECTION", "checked": "yes"}
    assert steward.post(f"/console/matters/{id_}", given, form).status_code == 303
    assert "Answered; correct it by" in steward.get("/console/matters?state=DECIDED").text
    assert "To be corrected by" in steward.get(f"/console/matters/{id_}?state=DECIDED").text
    assert "To be corrected by" in visitor.get("/my/matters").text


TENDER = """
query Ask($subject: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "%s") {
  organisation(id: $subject) { name taxArrears { period amount } }
}
"""


def test_a_matter_names_the_look_that_it_is_about(world: World) -> None:
    about = world.subject("ordinary")
    case = world.case("market-regulator", about, "m.ivanova")
    reply = world.ask("market-regulator", TENDER % case, {"subject": about}, official="m.ivanova")
    visitor = Visitor(dict(world.told))
    visitor.sign_in("organisation")
    form = visitor.get(f"/my/object?access={reply.inquiry['id']}")
    filed = {"access": reply.inquiry["id"], "reason": "That case is over."}
    refused = visitor.post("/my/object", {**filed, "reason": ""}, form)
    for shown in (form, refused, visitor.get("/my/looked"), visitor.get("/my/")):
        told = re.findall("Market Regulation Authority looked at: [^<]*Notices of tax arrears", shown.text)
        assert told, re.findall("[^<>]*Market Regulation Authority[^<]*", shown.text)
    for shown in (form, refused):
        assert "<dt>Law</dt>" in shown.text
        assert "<dt>Notices of tax arrears</dt>" in shown.text
        assert reply.inquiry["id"] not in re.sub("<input[^>]*>", "", shown.text)
    stranger = other(visitor, "subject")
    assert stranger.get(f"/my/object?access={reply.inquiry['id']}").status_code == 404
    assert visitor.post("/my/object", filed, form).status_code == 303
    page = visitor.get("/my/matters")
    mine = page.text.partition("That case is over.")[0].rpartition("<section")[2]
    assert "Market Regulation Authority" in mine
    assert "For: " in mine
    way = page.text.partition("That case is over.")[2].partition('action="')[2].partition('"')[0]
    assert visitor.post(way, {}, page).status_code == 303


def test_two_stewards_report_and_confirm(visitor: Visitor) -> None:
    first, second = other(visitor, "steward"), other(visitor, "second-steward")
    lei = visitor.told["subjects"]["ordinary"]["value"]
    given = {
        "event": "WITHDRAWN", "scheme": "LEI", "value": lei, "dataset": "tax-arrears", "record": "TA-00000-1",
        "version": "1", "reason": SCRIPT, "checked": "yes",
    }  # fmt: skip
    form = first.get("/console/report")
    assert first.post("/console/report", {**given, "value": ""}, form).status_code == 422
    for name, value, said in (
        ("value", "LEI", "This is no number of that kind"), ("scheme", "X", "There is no such kind of number"),
        ("dataset", "wage-arrears", "Your department has no such kind of record"),
        ("event", "CORRECTED", "Enter which version it has now"), ("new_version", "2", "for a corrected record only"),
        ("record", "a\u200eb", "must be one line"), ("reason", "a\x07b", "has control characters"),
    ):  # fmt: skip
        mended = first.post("/console/report", {**given, "reason": "Word for word.", name: value}, form)
        assert mended.status_code == 422
        assert said in mended.text
        assert ("Word for word." in mended.text) == (name != "reason")  # nobody writes it twice
    # Only its own department's kinds of record are listed, by their titles; what is chosen is checked first.
    assert '<option value="tax-arrears">Notices of tax arrears</option>' in form.text
    assert "wage-arrears" not in form.text
    check = first.post("/console/report", {**given, "checked": ""}, form)
    assert check.status_code == 200
    for said in ("Check your report", "Nothing was entered yet.", "<dd>Notices of tax arrears</dd>", f"LEI {lei}"):
        assert said in check.text
    assert "<script" not in check.text
    back = first.post("/console/report", {**given, "checked": "", "change": "yes"}, check)
    came = Form(back.text).values
    assert (back.status_code, {name: came[name] for name in given if name != "checked"}) == (
        200, {name: [value] for name, value in given.items() if name != "checked"},
    )  # fmt: skip
    assert lei not in first.get("/console/changes").text
    sent = {name: values[0] for name, values in Form(check.text).values.items() if name not in ("csrf", "change")}
    done = first.post("/console/report", sent, check)
    assert done.status_code == 303, done.text
    page = first.get("/console/changes")
    assert "counts once a second steward has confirmed it" in page.text
    assert f"{given['scheme']} {given['value']}" in second.get("/console/changes").text  # whose record they confirm
    assert "<script" not in page.text
    (way,) = re.findall(r'action="(/console/changes/[0-9a-f]{32}/confirm)"', page.text)
    own = first.post(way, {}, page)
    assert own.status_code in (403, 409)
    assert "nobody confirms what they did themselves" in own.text
    assert second.post(way, {}, second.get("/console/changes")).status_code == 303
    assert "Confirmed." in second.get("/console/changes").text
    again = {**given, "event": "REINSTATED"}
    assert first.post("/console/report", again, form).status_code == 303
    (way,) = re.findall(r'action="(/console/changes/[0-9a-f]{32}/decline)"', second.get("/console/changes").text)
    assert second.post(way, {"reason": SCRIPT}, second.get("/console/changes")).status_code == 303
    page = second.get("/console/changes")
    assert "You turned it down. It was entered." in page.text
    assert "Turned down because: &lt;script" in first.get("/console/changes").text
    assert "<script" not in page.text


AT_COUNTER = """
mutation Give($behalf: OnBehalfInput!, $requester: RequesterInput!, $until: Date!) {
  grantConsent(
    onBehalf: $behalf, requester: $requester, purpose: SUBSIDY_ASSESSMENT, until: $until,
    fields: [{dataset: "income-statements", fields: ["year"]}]
  ) { id }
}
"""
ASK = """
mutation Ask($subject: IdentifierInput!, $fields: [ConsentFieldsInput!]!, $until: Date!, $words: String!) {
  requestConsent(subject: $subject, purpose: SUBSIDY_ASSESSMENT, fields: $fields, until: $until, words: $words) { id }
}
"""


def test_a_subject_agrees_item_by_item_and_takes_it_back(world: World) -> None:
    visitor = Visitor(dict(world.told))
    until = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)).isoformat()
    names = [each["name"] for each in _fields(world, "income-statements")]
    asked = {
        "subject": world.subject("person_without_consent"), "until": until, "words": SCRIPT,
        "fields": [{"dataset": "income-statements", "fields": names[:2]}],
    }  # fmt: skip
    told = world.ask("labour-office", ASK, asked, official="l.moreau", scope="inquire")
    assert not told.errors, told.errors
    id_ = told.data["requestConsent"]["id"]
    visitor.sign_in("other-subject")
    assert "1 waits for you" in visitor.get("/my/").text
    assert "Labour Office asks for your consent" in visitor.get("/my/copy/print").text
    place = f"/my/consents/requests/{id_}"
    form = visitor.get(place)
    assert "<script" not in form.text
    assert " checked" not in form.text
    nothing = visitor.post(place, {"answer": "agree", "until": until}, form)
    assert nothing.status_code == 422
    assert "Tick what may be seen, or refuse" in nothing.text
    ticked = f"income-statements.{names[0]}"
    endless = visitor.post(place, {"answer": "agree", "until": "", "fields": ticked}, form)
    assert endless.status_code == 422  # an emptied day is no consent until the latest
    assert "Enter the last day on which it may be seen" in endless.text
    later = visitor.post(
        place, {"answer": "agree", "until": "2099-01-01", "fields": f"income-statements.{names[0]}"}, form
    )
    assert later.status_code == 422
    came_back(later, {"until": "2099-01-01", "fields": f"income-statements.{names[0]}"})
    done = visitor.post(place, {"answer": "agree", "until": until, "fields": f"income-statements.{names[0]}"}, form)
    assert (done.status_code, done.headers["location"]) == (303, "/my/consents")
    page = visitor.get("/my/consents")
    assert "You agreed. It was entered." in page.text
    (way,) = re.findall(r'action="(/my/consents/[0-9a-f]+/revoke)"', page.text)
    stranger = other(visitor, "subject")
    assert stranger.get(place).status_code == 404
    assert "It was answered or taken back meanwhile, or is for others." in visitor.get(place).text
    assert stranger.post(way, {}, stranger.get("/my/keeping")).status_code == 404
    assert visitor.post(way, {}, page).status_code == 303
    assert "Taken back on" in visitor.get("/my/consents").text


def test_what_a_counter_did_in_somebodys_name_is_told_as_the_counters(world: World) -> None:
    given = {
        "behalf": {"subject": world.subject("person_with_consent"), "proof": "identity card 4711"},
        "requester": {"issuer": world.told["issuer"], "client": "labour-office"},
        "until": (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=20)).isoformat(),
    }  # fmt: skip
    told = world.ask("tax-stewards", AT_COUNTER, given, official="t.weber", scope="counter")
    assert not told.errors, told.errors
    visitor = Visitor(dict(world.told))
    visitor.sign_in("subject")
    for page in ("/my/", "/my/looked", "/my/copy/print"):
        assert "Tax Service: gave a consent for you, at its counter" in visitor.get(page).text, page
    way = f"/my/consents/{told.data['grantConsent']['id']}/revoke"
    assert visitor.post(way, {}, visitor.get("/my/consents")).status_code == 303


def _fields(world: World, dataset: str) -> list[dict[str, str]]:
    found = httpx.get(world.told["gateway"] + "/open/catalogue", headers={"accept": "application/json"}, timeout=60)
    fields: list[dict[str, str]] = next(each["fields"] for each in found.json()["datasets"] if each["id"] == dataset)
    return fields
