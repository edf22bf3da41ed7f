"""What was typed is not lost: a form that is refused comes back whole, and so it does after another sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.routing import Route

from gateway.console import steward
from gateway.console.drafting import rooms as drafting
from gateway.console.my import rooms as my
from gateway.console.officer import rooms as officer
from gateway.console.watching import rooms as watching
from tests.conftest import World
from tests.console import aged, watched
from tests.console.proposing import amount, asked, proposed
from tests.console.test_drafting import begun
from tests.console.test_journey import other
from tests.console.typed import TURNED, Form, came_back
from tests.console.visitor import Visitor

ABOUT = {"dataset": "income-statements", "record": "IS-P00000-1"}
PAPER = {"issuer": "Labour Office", "number": "CE 2024-118", "date": "2024-12-20"}
NOTHING_TYPED = {
    "/my/consents/{id}/revoke", "/my/matters/{id}/withdraw", "/my/keeping", "/console/matters/{id}/confirm",
    "/console/changes/{id}/confirm", "/console/suspensions/{id}/confirm", "/console/proposals/{id}/activate",
    "/console/drafts", "/console/drafts/{id}/discard", "/console/drafts/{id}/file/remove",
    "/console/drafts/{id}/file/check", "/console/drafts/{id}/simulation/stop",
}  # fmt: skip
"""Forms of a button alone, and the one that the editor's script sends."""
ELSEWHERE = {
    "/my/consents/requests/{id}": "test_journey", "/console/suspensions/{id}/end": "test_suspensions",
    "/console/suspensions/{id}/decline": "test_suspensions",
}  # fmt: skip
"""Forms whose refusal is looked at where there is what they are about."""


@pytest.fixture(scope="module")
def filed(world: World) -> Iterator[dict[str, Any]]:
    """What there is to write about: a matter that waits, one that awaits a second steward, a change, and others."""
    told, made = dict(world.told), dict[str, Any]()
    subject = Visitor(told)
    subject.sign_in("subject")
    lacking = {"dataset": "income-statements", "reason": "The year before last is missing."}
    assert subject.post("/my/object", lacking, subject.get("/my/object?dataset=income-statements")).status_code == 303
    weber = Visitor(told)
    weber.sign_in("steward")
    listed = weber.get("/console/matters").text
    made["matter"] = re.findall(r"/console/matters/([0-9a-f]{32})\?", listed)[0]
    lei = told["subjects"]["ordinary"]["value"]
    given = {
        "event": "CORRECTED", "scheme": "LEI", "value": lei, "dataset": "tax-arrears", "record": "TA-00000-2",
        "version": "1", "new_version": "9", "reason": "Mistyped.", "checked": "yes",
    }  # fmt: skip
    assert weber.post("/console/report", given, weber.get("/console/report")).status_code == 303
    nowak = Visitor(told)
    nowak.sign_in("second-steward")
    waiting = nowak.get("/console/changes").text
    made["change"] = re.findall(r'action="/console/changes/([0-9a-f]{32})/decline"', waiting)[0]
    made["finding"] = watched.finding(told)
    made["proposal"] = proposed(told, world.region.place.policies, amount, "The amount is told.")
    olsen = Visitor(told)
    olsen.sign_in("officer")
    made["draft"] = begun(olsen).rsplit("/", 1)[1]
    yield made
    asked(told, "POST", f"proposals/{made['proposal']}/refuse", {"reason": "A test has ended."})
    olsen.post(f"/console/drafts/{made['draft']}/discard", {}, olsen.get("/console/drafts"))
    nowak.post(f"/console/changes/{made['change']}/decline", {"reason": "A test has ended."}, nowak.get("/console/"))
    subject.post(f"/my/matters/{made['matter']}/withdraw", {}, subject.get("/my/matters"))


FORMS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("/my/object", "subject", "/my/object?dataset=income-statements&record=IS-P00000-1",
     {**ABOUT, **PAPER, "reason": TURNED}),
    ("/my/object", "subject", "/my/object?dataset=income-statements&record=IS-P00000-1",
     {**ABOUT, **PAPER, "issuer": TURNED, "reason": "It is not mine."}),
    ("/my/restore", "subject", "/my/restore?dataset=enforcement-cases&record=EC-P00000-1",
     {"dataset": "enforcement-cases", "record": "EC-P00000-1", **PAPER, "number": TURNED, "reason": "It was paid."}),
    ("/console/matters/{matter}", "steward", "/console/matters/{matter}?state=OPEN",
     {"outcome": "REFUSED", "reason": TURNED, "kind": "OBJECTION", "checked": "yes"}),
    ("/console/changes/{change}/decline", "second-steward", "/console/changes", {"reason": TURNED}),
    ("/console/report", "steward", "/console/report",
     {"event": "CORRECTED", "scheme": "LEI", "value": "5299001DHMNQ00000007", "dataset": "tax-arrears",
      "record": "TA-00000-1", "version": "1", "new_version": TURNED, "reason": "Paid.", "checked": "yes"}),
    ("/console/findings/{finding}", "oversight", "/console/findings/{finding}?state=OPEN", {"reason": TURNED}),
    ("/console/findings/{finding}/review", "oversight", "/console/findings/{finding}/review",
     {"verdict": "UNCLEAR", "reason": TURNED}),
    ("/console/inquiries", "oversight", "/console/inquiries",
     {"inquiry": "0" * 32, "day": "2026-01-02", "reason": TURNED}),
    ("/console/inquiries", "oversight", "/console/inquiries", {"receipt": "no receipt", "reason": "To look."}),
    ("/console/receipt", "requester", "/console/receipt", {"receipt": "no receipt"}),
    ("/console/proposals/{proposal}/approve", "second-officer", "/console/proposals/{proposal}/approve",
     {"until": "2099-01-01", "reason": "As in the Act.", "read": "yes", "do": "approve"}),
    ("/console/proposals/{proposal}/refuse", "second-officer", "/console/proposals/{proposal}/refuse",
     {"reason": TURNED}),
    ("/console/drafts/{draft}/propose", "officer", "/console/drafts/{draft}", {"reason": TURNED}),
    ("/console/drafts/{draft}/file", "officer", "/console/drafts/{draft}/file?name=rules/mine.cedar",
     {"name": "rules/mine.cedar", "seen": "0" * 64, "text": "// mine"}),
    ("/console/drafts/{draft}/grants/{entry}/{number}", "officer", "/console/drafts/{draft}/grants",
     {"since": "2026-01-01", "until": "2020-01-01", "agreed_by": "A letter", "datasets": ["tax-arrears"]}),
    ("/console/drafts/{draft}/purposes/LICENCE_RENEWAL", "officer", "/console/drafts/{draft}/purposes/LICENCE_RENEWAL",
     {"title": "", "articles": "17, 18", "fields-business-licences": ["number", "status"]}),
    ("/console/drafts/{draft}/simulation", "officer", "/console/drafts/{draft}/simulation",
     {"since": "2001-01-01", "through": "2020-01-01", "reason": "To see."}),
)  # fmt: skip


@pytest.mark.parametrize(("path", "role", "page", "given"), FORMS)
def test_a_refused_form_has_everything_that_was_typed(
    visitor: Visitor, filed: Mapping[str, Any], path: str, role: str, page: str, given: Mapping[str, Any]
) -> None:
    visitor.sign_in(role)
    numbers = dict(filed) | {"entry": 0, "number": 0}
    form = visitor.get(page.format_map(numbers))
    assert form.status_code == 200, form.text
    kept = {name: values[0] for name, values in Form(form.text).values.items() if name == "seen"}
    came_back(visitor.post(path.format_map(numbers), kept | dict(given), form), given)


def test_every_form_is_looked_at() -> None:
    parts: Any = None
    rooms = (my.routes(parts), steward.routes(parts), watching.routes(parts), officer.routes(parts))
    routes: list[Route] = [route for several in (*rooms, drafting.routes(parts)) for route in several]
    every = {route.path for route in routes if "POST" in (route.methods or ())}
    looked = {re.sub(r"\{(?!name)[a-z]+\}", "{}", path) for path, *_ in FORMS}
    looked = {path.replace("LICENCE_RENEWAL", "{}") for path in looked} | {
        re.sub(r"\{[a-z]+\}", "{}", path) for path in (*ELSEWHERE, *NOTHING_TYPED)
    }
    missing = {path for path in every if re.sub(r"\{[a-z]+\}", "{}", path) not in looked}
    # The decline of a matter is the same form as that of a change; going back is looked at with its sign-in.
    assert missing == {"/console/matters/{id}/decline", "/console/history/{epoch}/rollback"}


def again(visitor: Visitor, page: httpx.Response) -> httpx.Response:
    """Sign in again, by the way that a page shows; the page that this leads to."""
    return visitor.get(unescape(page.text.split('<a class="button" href="')[1].split('"')[0]))


def test_what_was_typed_is_there_after_showing_again_who_one_is(
    world: World, visitor: Visitor, filed: Mapping[str, Any]
) -> None:
    visitor.sign_in("oversight")
    path = f"/console/findings/{filed['finding']}/review"
    form, given = visitor.get(path), {"verdict": "PROPER", "reason": "They <had> to ask.\nTwice."}
    aged.stale(world, visitor)
    refused = visitor.post(path, given, form)
    assert (refused.status_code, "What you wrote is kept" in refused.text) == (403, True)
    back = again(visitor, refused)
    assert (back.status_code, back.request.url.path) == (200, path)
    assert "What you wrote is still here." in back.text
    shown = Form(back.text).values
    assert (shown["verdict"], shown["reason"]) == (["PROPER"], ["They <had> to ask.\nTwice."])
    assert visitor.post(path, {**given, "reason": TURNED}, back).status_code == 422
    assert Form(visitor.get(path).text).values["reason"] == [TURNED]  # the last that was sent

    officer_ = other(visitor, "second-officer")
    path = f"/console/proposals/{filed['proposal']}/approve"
    form, given = officer_.get(path), {"until": "2099-01-01", "reason": "As in the Act.", "read": "yes"}
    given["until"] = Form(form.text).values["until"][0]
    check = officer_.post(path, given, form)
    aged.stale(world, officer_)
    back = again(officer_, officer_.post(path, {**given, "do": "approve"}, check))
    assert back.request.url.path == path
    shown = Form(back.text).values
    assert {name: shown[name] for name in given} == {name: [value] for name, value in given.items()}


@pytest.mark.parametrize("place", ["/console/changes", "/console/matters?state=AWAITS_CONFIRMATION"])
def test_of_a_button_alone_nothing_is_said_to_be_kept(world: World, visitor: Visitor, place: str) -> None:
    visitor.sign_in("second-steward")
    page = visitor.get(place)
    aged.stale(world, visitor)
    refused = visitor.post(f"{place.partition('?')[0]}/{'0' * 32}/confirm", {}, page)
    assert (refused.status_code, "What you wrote" in refused.text) == (403, False)
    back = again(visitor, refused)
    assert str(back.request.url).endswith(place)
    assert "What you wrote" not in back.text


PLACE = "/my/object?dataset=income-statements&record=IS-P00000-1"


@pytest.mark.parametrize("ends", [aged.over, aged.refused])
def test_what_was_typed_is_there_when_the_session_was_over(world: World, visitor: Visitor, ends: Any) -> None:
    given = {**ABOUT, **PAPER, "reason": "It is not mine."}
    visitor.sign_in("subject")
    form = visitor.get(PLACE)
    ends(world, visitor)
    led = visitor.post("/my/object", given, form)
    assert led.status_code == 303
    assert unquote(led.headers["location"]) == f"/login?next={PLACE}"
    assert "It is not mine." not in visitor.get(led.headers["location"]).text  # nobody is signed in
    assert visitor.send("GET", "/my/").headers["location"].startswith("/login")
    visitor.sign_in("subject")
    shown = Form(visitor.get(PLACE).text).values
    assert {name: shown[name] for name in given} == {name: [value] for name, value in given.items()}
    other_place = PLACE.replace("IS-P00000-1", "IS-P00000-2")
    assert Form(visitor.get(other_place).text).values["reason"] == [""]  # another record's


def test_the_page_that_answers_a_form_is_shown_once_and_to_nobody_else(visitor: Visitor) -> None:
    visitor.sign_in("subject")
    form, given = visitor.get(PLACE), {**ABOUT, "reason": TURNED}
    headers = {"origin": visitor.gateway, "referer": str(form.request.url)}
    csrf = Form(form.text).values["csrf"][0]
    place = visitor.send("POST", "/my/object", data={**given, "csrf": csrf}, headers=headers).headers["location"]
    assert place.startswith(f"{PLACE}&answer=")
    stranger = other(visitor, "other-subject")
    assert TURNED not in stranger.get(place).text
    steward_ = other(visitor, "steward")
    assert steward_.send("GET", place).status_code == 403
    page = visitor.send("GET", place)
    assert (page.status_code, page.headers["cache-control"]) == (422, "no-store")
    came_back(page, given)
    back = visitor.send("GET", place)
    assert back.headers["location"] == PLACE
    assert Form(visitor.get(PLACE).text).values["reason"] == [TURNED]
    assert visitor.get(f"{PLACE}&answer=x&answer={'y' * 400}").status_code == 200
    assert visitor.get(f"{PLACE}&answer=x&after=y").status_code == 200  # it is none
    visitor.post("/logout", {}, form)
    assert unquote(visitor.send("GET", place).headers["location"]) == f"/login?next={PLACE}"
    for unnamed in ({"referer": ""}, {"referer": f"{visitor.gateway}/login"}):  # it belongs to no page: told at once
        visitor.sign_in("subject")
        assert visitor.post("/my/object", given, visitor.get(PLACE), **unnamed).status_code == 422


def test_a_form_is_held_for_the_same_person_and_from_our_own_page_alone(world: World, visitor: Visitor) -> None:
    visitor.sign_in("subject")
    form = visitor.get(PLACE)
    aged.over(world, visitor)
    assert visitor.post("/my/object", {**ABOUT, "reason": "Planted."}, form).status_code == 303
    visitor.sign_in("other-subject")
    assert "Planted." not in visitor.get(PLACE).text
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        visitor.sign_in("subject")
        form = visitor.get(PLACE)
        aged.over(world, visitor)
        assert visitor.post("/my/object", {**ABOUT, "reason": "Planted."}, form, **headers).status_code == 303
        visitor.sign_in("subject")
        assert "Planted." not in visitor.get(PLACE).text
