"""What others try against the pages: each is refused, and nothing happens."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from starlette.datastructures import Headers

from gateway.console.guarding import COOKIE, SIGNING_IN, held
from tests.console.visitor import Visitor
from tests.docs.reading import ROOT


def test_a_form_without_the_sessions_token_does_nothing(visitor: Visitor) -> None:
    page = visitor.sign_in("subject")
    other = Visitor(visitor.told)
    foreign = other.sign_in("other-subject")
    for form in ({}, {"csrf": ""}, {"csrf": "x" * 32}):
        answer = visitor.send("POST", "/logout", data=form, headers={"origin": visitor.gateway})
        assert answer.status_code == 403
    assert visitor.send("POST", "/logout", data={"csrf": _csrf(foreign.text)}).status_code == 403
    assert visitor.get("/my/").status_code == 200
    assert visitor.post("/logout", {}, page).status_code == 303
    assert "/login" in str(visitor.get("/my/").url)


def test_a_form_from_another_site_does_nothing(visitor: Visitor) -> None:
    page = visitor.sign_in("subject")
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert visitor.post("/logout", {}, page, **headers).status_code == 403
    assert visitor.get("/my/").status_code == 200


def test_a_form_of_another_media_type_does_nothing(visitor: Visitor) -> None:
    page = visitor.sign_in("subject")
    answer = visitor.send("POST", "/logout", content=f"csrf={_csrf(page.text)}", headers={"content-type": "text/plain"})
    assert answer.status_code == 403


def test_a_form_with_a_file_counts_as_any_other(visitor: Visitor) -> None:
    page = visitor.sign_in("requester")
    origin = {"origin": visitor.gateway}
    files = {"file": ("receipt.txt", b"nonsense", "text/plain")}
    answer = visitor.send("POST", "/console/receipt", files=files, data={"csrf": "x"}, headers=origin)
    assert answer.status_code == 403
    given = {"csrf": _csrf(page.text)}
    answer = visitor.send("POST", "/console/receipt", files=files, data=given, headers=origin)
    assert answer.status_code == 422  # it was read: it is no receipt
    for content, boundary in (
        (b"", "x"), (b"--x\r\n", "x"), (b"--x--\r\n", "x"), (b"\xff" * 64, ""), (b"--x\r\n\r\nno name\r\n--x--", "x"),
        (b'--x\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n\xff\r\n--x--', "x"), (b"--x\r\n" * 5_000, "x"),
    ):  # fmt: skip
        headers = {**origin, "content-type": f"multipart/form-data; boundary={boundary}"}
        assert visitor.send("POST", "/console/receipt", content=content, headers=headers).status_code == 403
    assert visitor.get("/console/receipt").status_code == 200
    answer = visitor.post("/console/receipt", {"receipt": "x" * 70_000}, page)
    assert answer.status_code == 413
    assert "more than this form takes" in answer.text


def test_nothing_is_changed_by_a_get(visitor: Visitor) -> None:
    visitor.sign_in("subject")
    assert visitor.send("GET", "/logout").status_code == 405
    assert visitor.get("/my/").status_code == 200


def test_no_page_is_framed_kept_or_runs_what_is_not_ours(visitor: Visitor) -> None:
    for page in (visitor.get("/login"), visitor.sign_in("subject"), visitor.get("/login/nobody")):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in page.text
        assert " style=" not in page.text


def test_a_session_begins_with_a_word_of_its_own(visitor: Visitor) -> None:
    planted = "A" * 43
    visitor.cookies[COOKIE] = planted
    visitor.sign_in("subject")
    first = visitor.cookies[COOKIE]
    assert first != planted
    visitor.sign_in("subject")
    second = visitor.cookies[COOKIE]
    assert second != first
    visitor.cookies[COOKIE] = first
    assert visitor.send("GET", "/my/").headers["location"].startswith("/login")  # ended by the new one
    visitor.cookies[COOKIE] = second
    assert visitor.send("GET", "/my/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_hosts(visitor: Visitor) -> None:
    answer = visitor.send("GET", "/login/citizen-portal?login_hint=subject")
    back = visitor.send("GET", answer.headers["location"]).headers["location"]
    done = visitor.send("GET", back)
    (line,) = (each for each in done.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}="))
    assert line.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert COOKIE.startswith("__Host-")


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/my/../../..",
     "\thttps://evil.example", "https:evil.example", "/\r\nset-cookie:a=b"],
)  # fmt: skip
def test_a_sign_in_leads_nowhere_else(visitor: Visitor, place: str) -> None:
    for name in ("next", "target_link_uri"):
        visitor.cookies.clear()
        query = {"login_hint": "subject", name: place}
        answer = visitor.send("GET", "/login/citizen-portal", params=query)
        back = visitor.send("GET", answer.headers["location"]).headers["location"]
        assert visitor.send("GET", back).headers["location"] == "/my/"


def test_a_sign_in_leads_where_it_was_asked_for(visitor: Visitor) -> None:
    for query in ({"next": "/my/?a=b"}, {"target_link_uri": f"{visitor.gateway}/my/?a=b"}):
        visitor.cookies.clear()
        answer = visitor.send("GET", "/login/citizen-portal", params={"login_hint": "subject", **query})
        back = visitor.send("GET", answer.headers["location"]).headers["location"]
        assert visitor.send("GET", back).headers["location"] == "/my/?a=b"


def test_a_code_counts_in_the_browser_that_began_and_once(visitor: Visitor) -> None:
    answer = visitor.send("GET", "/login/citizen-portal?login_hint=subject")
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    back = visitor.send("GET", answer.headers["location"]).headers["location"]
    held = visitor.cookies[SIGNING_IN]
    assert Visitor(visitor.told).send("GET", back).status_code == 403  # a victim who is led to the attacker's code
    for wrong in (back.replace("state=", "state=x"), back + "&state=y", back + "&iss=https://evil.example"):
        visitor.cookies[SIGNING_IN] = held
        assert visitor.send("GET", wrong).status_code == 403
    visitor.cookies[SIGNING_IN] = held[:-8] + "AAAAAAA="
    assert visitor.send("GET", back).status_code == 403
    visitor.cookies[SIGNING_IN] = held
    assert visitor.send("GET", back).status_code == 303
    visitor.cookies[SIGNING_IN] = held
    assert visitor.send("GET", back).status_code in (403, 503)  # the issuer knows the code no more


@pytest.mark.parametrize("role", ["steward", "officer", "oversight"])
def test_a_page_of_another_role_is_refused(visitor: Visitor, role: str) -> None:
    visitor.sign_in(role)
    assert visitor.get("/my/").status_code == 403


def test_only_our_cookie_is_read_and_nothing_is_unquoted() -> None:
    for lines, found in (
        ([f"a=b; {COOKIE}=word ;c"], "word"), (["a=b", f"{COOKIE}=word"], "word"), ([], ""),
        ([f'{COOKIE}="wo\\162d"'], '"wo\\162d"'), ([f"x{COOKIE}=a; {COOKIE}; =; ;"], ""),
    ):  # fmt: skip
        assert held(Headers(raw=[(b"cookie", line.encode()) for line in lines]), COOKIE) == found


def test_a_cookie_that_the_standard_library_chokes_on_is_none(visitor: Visitor) -> None:
    heavy = 'a="' + "\\1" * 30_000 + '"'  # its `http.cookies` takes seconds
    for path in ("/", "/login", "/login/return", "/my/", "/console/receipt"):
        assert visitor.send("GET", path, headers={"cookie": heavy}).status_code in (200, 303, 403)
    visitor.sign_in("subject")
    cookies = f"{heavy}; {COOKIE}={visitor.cookies[COOKIE]}"
    visitor.cookies.clear()
    assert visitor.send("GET", "/my/", headers={"cookie": cookies}).status_code == 200


def test_what_is_no_session_opens_nothing(visitor: Visitor) -> None:
    for word in ("", "x", "A" * 43, "A" * 42 + "=", "é", "../", "%00"):
        visitor.cookies[COOKIE] = word
        answer = visitor.send("GET", "/my/", headers={}) if word != "é" else None
        assert answer is None or answer.headers["location"].startswith("/login")


def test_no_address_and_no_header_is_a_defect(visitor: Visitor) -> None:
    form = {"data": {"csrf": "x"}, "headers": {"referer": "http://[half"}}
    assert visitor.send("POST", "/my/object", **form).headers["location"] == "/login?next=/"
    digits = "9" * 5_000
    assert visitor.send("GET", f"/console/history/{digits}/rollback").status_code == 303
    visitor.sign_in("officer")
    for number in (digits, "1" * 20, "x", "-1", "%D9%A1", "1%3Fa"):
        assert visitor.send("GET", f"/console/history/{number}/rollback").status_code == 404
        assert visitor.send("GET", f"/console/drafts/none/grants/{number}/{number}").status_code == 404


def test_no_address_leads_to_the_host_that_a_request_names(visitor: Visitor) -> None:
    doors = (ROOT / "gateway" / "DOORS.md").read_text("utf-8").split("## Webhooks")[0]
    every = {re.sub(r"\{[^}]+\}", "none", path) for path in re.findall(r"`GET (/[^`]*)`", doors)}
    assert {"/my/", "/console/", "/open/catalogue", "/console/proposals/none/changes"} < every
    for path in sorted(every):
        for place in {path.rstrip("/") or "/", path.rstrip("/") + "/"}:
            answer = visitor.send("GET", place, headers={"host": "evil.example"})
            assert "evil.example" not in str(answer.headers), place
            if answer.is_redirect:
                assert answer.headers["location"].startswith("/"), place
    for place, further in (("/my", "/my/"), ("/console", "/console/")):
        assert visitor.send("GET", place).headers["location"] == further


def test_where_there_is_nothing_a_browser_is_shown_a_way_on(visitor: Visitor) -> None:
    for path, status in (("/none", 404), ("/open/none/more", 404), ("/a%2Fb", 404), ("/logout", 405), ("/open/", 404)):
        answer = visitor.send("GET", path)
        assert answer.status_code == status, path
        assert "text/html" in answer.headers["content-type"]
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert '<nav class="rooms"' in answer.text
        ways = re.findall(r'<li><a href="([^"]+)"', answer.text.split("<main")[1])
        assert {urlsplit(urljoin(f"{visitor.gateway}{path}", way)).path for way in ways} == {
            "/", "/graphql", "/open/catalogue", "/open/organisations", "/open/transparency"
        }  # fmt: skip
    plain = visitor.send("GET", "/none", headers={"accept": "application/json"})
    assert (plain.status_code, plain.text) == (404, "Not Found")
    assert visitor.send("GET", "/logout").headers["allow"] == "POST"
    assert "<script>alert" not in visitor.send("GET", "/%3Cscript%3Ealert(1)%3C/script%3E").text


@pytest.mark.parametrize("place", ["/logout", "/login", "/login/citizen-portal", "/assets/style.css", "/none", "/my"])
def test_a_sign_in_leads_to_a_room_or_home(visitor: Visitor, place: str) -> None:
    answer = visitor.send("GET", "/login/citizen-portal", params={"login_hint": "subject", "next": place})
    back = visitor.send("GET", answer.headers["location"]).headers["location"]
    assert visitor.send("GET", back).headers["location"] == "/my/"


def test_an_address_of_no_page_is_told_as_a_page(visitor: Visitor) -> None:
    for path in ("/my/none", "/console/none", "/my/matters/x/withdraw", "/console/changes/x/confirm"):
        assert visitor.send("GET", path).headers["location"] == f"/login?next={path}"
    visitor.sign_in("subject")
    for path in ("/my/none", "/console/none/<script>", "/my/matters/x/withdraw", "/console/changes/x/confirm"):
        answer = visitor.send("GET", path)
        assert answer.status_code == 404
        assert "There is no page at this address." in answer.text
        assert 'href="/"' in answer.text
        assert answer.headers["x-frame-options"] == "DENY"
    for path in ("/my/looked?after=x", "/my/looked?after=%00"):
        answer = visitor.send("GET", path)
        assert answer.status_code == 404
        assert "There is no page at this address." in answer.text
    assert visitor.send("GET", "/console/").headers["location"] == "/my/"
    assert visitor.send("PUT", "/my/").status_code == 405


def _csrf(text: str) -> str:
    return text.split('name="csrf" value="')[1].split('"')[0]
