"""The rooms around a proposal, by forms alone: what whom is told, what is refused, and that nothing runs in a page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.proposals.allowed import HINDRANCES
from gateway.proposals.shown import STATES
from gateway.rules import sshsig
from gateway.texts import words
from tests.conftest import World
from tests.console import aged
from tests.console.proposing import amount, approved, asked, closing, failing, proposed, served, signed, wages
from tests.console.test_journey import SCRIPT, other
from tests.console.visitor import Visitor
from tests.waiting import until


@pytest.fixture
def policies(world: World) -> Iterator[World]:
    """The region, where no proposal waits any more at the end."""
    yield world
    for each in asked(world.told, "GET", "proposals?waiting=yes")["items"]:
        asked(world.told, "POST", f"proposals/{each['id']}/refuse", {"reason": "A test has ended."})


def test_a_page_says_what_it_opens_what_it_lacks_and_who_may_not(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, amount, SCRIPT)
    visitor.sign_in("officer")
    page = visitor.get(f"/console/proposals/{id_}").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "2 more officers approve." in page
    assert "You cannot approve it: you proposed it." in page
    assert "+ Opens" in page
    assert "“Findings of unpaid wages: Unpaid amount”" in page  # titles, not ids
    assert "wage-arrears" not in page
    assert "Proposed by P. Olsen" in page
    assert "olsen" not in page
    assert page.count("Not needed") == 2  # a steward and oversight's day stand there all the same
    assert visitor.send("GET", f"/console/proposals/{id_}/approve").headers["location"].endswith(id_)
    first = visitor.get("/console/").text
    assert "It is yours: others approve it." in first
    assert "wait for you" not in first
    colleague = other(visitor, "second-officer")
    assert "waits for you" in colleague.get("/console/").text
    assert "You can approve it." in colleague.get("/console/proposals").text
    steward = other(visitor, "steward")
    assert "it opens nothing of your department" in steward.get(f"/console/proposals/{id_}").text
    assert id_ not in steward.get("/console/").text
    watching = other(visitor, "oversight")
    assert "Refuse it" in watching.get(f"/console/proposals/{id_}").text
    form = watching.get(f"/console/proposals/{id_}/refuse")
    assert watching.post(f"/console/proposals/{id_}/refuse", {"reason": "\n "}, form).status_code == 422
    done = watching.post(f"/console/proposals/{id_}/refuse", {"reason": SCRIPT}, form)
    assert done.headers["location"] == f"/console/proposals/{id_}"
    page = watching.get(f"/console/proposals/{id_}").text
    assert "The proposal was refused." in page
    assert "Receipt" in page
    assert "<script" not in page
    late = watching.post(f"/console/proposals/{id_}/refuse", {"reason": "Again."}, form)
    assert late.status_code == 409


def test_a_draft_says_how_its_tests_fail(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, failing, "Less.")
    visitor.sign_in("second-officer")
    page = visitor.get(f"/console/proposals/{id_}").text
    assert "Its tests fail, so nobody can approve it." in page
    assert "How they fail" in page
    assert "− Closes" in page
    assert len(page.encode()) < 30_000


def test_what_changes_is_a_table_that_no_spreadsheet_calculates(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, wages, "=1+1")
    visitor.sign_in("officer")
    answer = visitor.get(f"/console/proposals/{id_}/changes.csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="proposal-{id_[:12]}.csv"'
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {"employment-contracts.monthlyWage"} <= {f"{each['dataset']}.{each['field']}" for each in rows}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    page = visitor.get(f"/console/proposals/{id_}/changes")
    assert "About people" in page.text
    for start in ("20", "99999", "-1", "x", "9" * 400, "٣"):
        assert visitor.get(f"/console/proposals/{id_}/changes?from={start}").status_code == 200


def test_what_is_not_agreed_to_is_said_at_each_field(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, amount, "More.")
    place = f"/console/proposals/{id_}/approve"
    visitor.sign_in("second-officer")
    form = visitor.get(place)
    hidden = dict(re.findall(r'name="(digest|base)" value="([0-9a-f]{64})"', form.text))
    good = {**hidden, "reason": f"As in the Act.\n{SCRIPT}", "until": form.text.split('name="until" value="')[1][:10]}
    nothing = visitor.post(place, {**good, "reason": " ", "until": "soon"}, form)
    assert nothing.status_code == 422
    for text in ("Write your reasons", "The day must be", "Read what opens and what closes, and confirm it"):
        assert nothing.text.count(text) == 2  # on top, and at its field
    for day in ("2020-01-01", "2999-12-31", "9999-12-31", "0001-01-01"):
        assert visitor.post(place, {**good, "until": day, "read": "yes"}, form).status_code == 422, day
    for reason in ("x" * 1001, "a\x07b"):
        assert visitor.post(place, {**good, "reason": reason, "read": "yes"}, form).status_code == 422
    check = visitor.post(place, {**good, "read": "yes"}, form)
    assert "Nothing was entered yet." in check.text
    assert "<script" not in check.text
    changed = visitor.post(place, {**good, "read": "yes", "do": "change"}, check)
    assert "As in the Act. &lt;script&gt;" in changed.text
    words = visitor.post(place, {**good, "read": "yes", "do": "save"}, check)
    assert words.headers["content-disposition"] == 'attachment; filename="approval.txt"'
    assert words.text.startswith("dutybound rules approval, version 1\n")
    elsewhere = visitor.post(place, {**good, "digest": "0" * 64, "read": "yes", "do": "approve"}, check)
    assert elsewhere.status_code == 422
    assert asked(policies.told, "GET", f"proposals/{id_}")["approvals"] == []
    done = visitor.post(place, {**good, "read": "yes", "do": "approve"}, check)
    assert (done.status_code, done.headers["location"]) == (303, f"/console/proposals/{id_}")
    page = visitor.get(f"/console/proposals/{id_}").text
    assert "You approved the proposal." in page
    assert "You approved it. One person approves once." in page
    again = visitor.post(place, {**good, "reason": "Again.", "read": "yes", "do": "approve"}, check)
    assert (again.status_code, "one person approves once" in again.text) == (403, True)


def test_where_approvals_are_signed_a_signature_over_the_words_is_asked_for(policies: World, visitor: Visitor) -> None:
    told, folder = policies.told, policies.region.place.policies
    keys = {name: Ed25519PrivateKey.generate() for name in ("costa", "ilves", "olsen")}
    before = asked(told, "GET", "status")["active"]["epoch"]

    def both(files: dict[str, bytes]) -> None:
        signed(keys)(files)
        amount(files)

    approved(told, proposed(told, folder, signed(keys), "Approvals are signed."), "p.costa", "p.ilves")
    try:
        until("the active set to be served", lambda: served(told))
        id_ = proposed(told, folder, both, "More.")
        place = f"/console/proposals/{id_}/approve"
        visitor.sign_in("second-officer")
        form = visitor.get(place)
        hidden = dict(re.findall(r'name="(digest|base)" value="([0-9a-f]{64})"', form.text))
        day = form.text.split('name="until" value="')[1][:10]
        given = {**hidden, "reason": 'As the "Act" says & so on.', "until": day, "read": "yes"}
        check = visitor.post(place, given, form)
        words = visitor.post(place, {**given, "do": "save"}, check).text
        assert unescape(check.text.split("<pre ")[1].split(">", 1)[1].split("</pre>")[0]) == words
        assert "ssh-keygen -Y sign -n dutybound-rules" in check.text
        unsigned = visitor.post(place, {**given, "do": "approve"}, check)
        assert (unsigned.status_code, unsigned.text.count("Paste the signature")) == (422, 2)
        for other_one in (sshsig.sign(keys["ilves"], words.encode()), sshsig.sign(keys["costa"], b"x"), "x"):
            wrong = visitor.post(place, {**given, "do": "approve", "signature": other_one}, check)
            assert (wrong.status_code, wrong.text.count("This is no signature")) == (422, 2)
        signature = sshsig.sign(keys["costa"], words.encode())
        assert visitor.post(place, {**given, "do": "approve", "signature": signature}, check).status_code == 303
        (mine,) = asked(told, "GET", f"proposals/{id_}")["approvals"]
        assert (mine["by"], mine["statement"], mine["signature"]) == ("costa", words, signature.strip())
    finally:
        asked(told, "POST", "rollback", {"epoch": before, "reason": "A test has ended."})
        until("the active set to be served", lambda: served(told))


def test_however_much_changes_a_page_stays_small(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, closing, "Nothing is told.")
    it = asked(policies.told, "GET", f"proposals/{id_}")
    assert it["cells"]["close"] > 100
    visitor.sign_in("second-officer")
    seen, place = 0, f"/console/proposals/{id_}/changes"
    for start in range(0, len(it["differences"]), 20):
        page = visitor.get(f"{place}?from={start}")
        assert len(page.content) < 30_000
        seen += page.text.count('<b class="sign">')
    assert seen == len(it["differences"])
    page = visitor.get(f"/console/proposals/{id_}")
    assert len(page.content) < 30_000
    assert f"{it['cells']['close']:,}</span>fields close" in page.text
    rows = visitor.get(f"{place}.csv").text.count("narrows,matrix")
    assert rows >= it["cells"]["close"]


def test_approving_takes_a_sign_in_of_just_now_and_comes_back(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, amount, "More.")
    visitor.sign_in("second-officer")
    aged.stale(policies, visitor)
    place = f"/console/proposals/{id_}/approve"
    page = visitor.send("GET", place)
    assert (page.status_code, "Show again that it is you" in page.text) == (403, True)
    again = visitor.get(unescape(page.text.split('<a class="button" href="')[1].split('"')[0]))
    assert (again.status_code, again.request.url.path) == (200, place)
    assert "Why you agree" in again.text
    aged.stale(policies, visitor)
    assert visitor.send("GET", "/console/history/1/rollback").status_code == 403


def test_acts_need_the_sessions_own_form_and_role(policies: World, visitor: Visitor) -> None:
    id_ = proposed(policies.told, policies.region.place.policies, amount, "More.")
    acts = [f"/console/proposals/{id_}/{act}" for act in ("approve", "refuse", "activate")]
    acts.append("/console/history/1/rollback")
    foreign, subject = other(visitor, "third-officer"), other(visitor, "subject")
    home = foreign.get("/console/")
    visitor.sign_in("second-officer")
    for path in acts:
        given = {"reason": "x", "do": "approve", "read": "yes"}
        assert visitor.post(path, given, home).status_code == 403
        assert visitor.post(path, given, visitor.get("/console/"), origin="https://evil.example").status_code == 403
        assert subject.post(path, given, subject.get("/my/")).status_code == 403
        assert visitor.send("GET", path).status_code in (200, 303, 409)
    watching = other(visitor, "oversight")
    for path in (acts[0], acts[2], acts[3]):
        assert watching.post(path, {"reason": "x"}, watching.get("/console/")).status_code == 403
    early = visitor.post(acts[2], {}, visitor.get("/console/"))
    assert (early.status_code, "2 more officers must approve" in early.text) == (409, True)
    assert asked(policies.told, "GET", f"proposals/{id_}")["state"] == "checked"
    assert visitor.get("/console/history/99/rollback").status_code == 404
    assert visitor.get("/console/proposals/none").status_code == 404


def test_every_state_and_hindrance_has_its_words(visitor: Visitor) -> None:
    texts = words.read()
    assert {f"proposals.states.{each}" for each in STATES} < texts.keys()
    assert {
        f"{room}.{each}" for room in ("proposals.hindered", "proposal.not_you") for each in HINDRANCES
    } < texts.keys()
