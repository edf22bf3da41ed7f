"""`gateway/ACTS.md` is true: its operations are done at a whole gateway, in order; its code signs and verifies."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gateway.web.messages import signing
from tests import configured
from tests.acts.serving import Served, served
from tests.docs.reading import ROOT, Fence, fences, links
from tests.world import new_subject

PAGE = ROOT / "gateway" / "ACTS.md"
SECRET = "whsec_" + "c2VjcmV0" * 4
RECORD = {"dataset": "tax-arrears", "record": "N-1", "version": "1"}


def of(language: str) -> list[Fence]:
    return [each for each in fences(PAGE) if each.language == language]


class Reader:
    """Does what the page says, as whoever its section is about; keeps the ids that come back, by operation."""

    def __init__(self, gateway: Served) -> None:
        self.gateway, self.ids, self.subject = gateway, dict[str, str](), new_subject()

    async def does(self, query: str, official: str = "", **variables: Any) -> dict[str, Any]:
        """The answer; as a steward, or as the subject where no official is named."""
        claims: dict[str, Any] = {"client_id": "tax-stewards", "sub": official, "scope": "steward"}
        if official == "l.moreau":
            claims |= {"client_id": "labour-office", "scope": "inquire"}
        if not official:
            named = {"scheme": self.subject.scheme, "value": self.subject.value}
            claims = {"client_id": "citizen-portal", "sub": "p-1", "scope": "self", "identifier": named}
            claims |= {"auth_time": int(datetime.datetime.now().timestamp())}
        token = self.gateway.issuer.token(aud=self.gateway.url, **claims).decode()
        asked = {"query": query, "variables": variables}
        async with httpx.AsyncClient(timeout=20) as http:
            answer = await http.post(f"{self.gateway.url}/graphql", json=asked, headers={"authorization": token})
        said: dict[str, Any] = answer.json()
        assert "errors" not in said, (query, said)
        return said

    async def done(self, fence: Fence) -> dict[str, Any]:
        (name,) = re.findall(r"^(?:query|mutation) (\w+)", fence.text)
        subject, until = {"scheme": self.subject.scheme, "value": self.subject.value}, datetime.date.today()
        requester = {"issuer": self.gateway.issuer.url, "client": "labour-office"}
        fields = [{"dataset": "income-statements", "fields": ["year"]}]
        last = self.ids.get("Report", "")
        steps: dict[str, tuple[str, dict[str, Any]]] = {
            "Mine": ("", {}),
            "Object": ("", {"record": RECORD, "reason": "It was paid.", "reference": "r-1"}),
            "Apply": ("", {"record": RECORD | {"record": "N-2"}, "reason": "All is paid."}),
            "Consent": ("", {"requester": requester, "fields": fields, "until": f"{until + datetime.timedelta(30)}"}),
            "Ask": ("l.moreau", {"subject": subject, "fields": fields, "until": f"{until + datetime.timedelta(30)}"}),
            "Asked": ("l.moreau", {}),
            "Waiting": ("t.weber", {}),
            "Decide": ("t.weber", {"id": self.ids.get("Object")}),
            "Restore": ("t.weber", {"id": self.ids.get("Apply")}),
            "Decline": ("t.nowak", {"id": self.ids.get("Apply")}),
            "Report": ("t.weber", {"subject": subject, "record": RECORD}),
            "Confirm": ("t.nowak", {"id": last}),
        }
        official, variables = steps[name]
        said = await self.does(fence.text, official, **variables)
        value = next(iter(said["data"].values()))
        if "id" in value:
            self.ids[name] = value["id"]
        return {name: value, "extensions": said.get("extensions", {})}


async def test_every_operation_is_done_and_a_partial_decision_comes_to_what_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        reader, found = Reader(gateway), dict[str, Any]()
        for fence in of("graphql"):
            if (
                "grantConsent" in fence.text or "requestConsent" in fence.text
            ):  # a person's, of whom there is no notice of arrears
                kept, reader.subject = reader.subject, new_subject("person")
                found |= await reader.done(fence)
                reader.subject = kept
                continue
            if "mutation Confirm" in fence.text:
                (before,) = [each for each in (await reader.does(MATTERS))["data"]["me"]["matters"] if each["outcome"]]
            found |= await reader.done(fence)
            if "mutation" in fence.text:
                assert found["extensions"]["act"].keys() == {"id", "at", "receipt"}
        (after,) = [each for each in (await reader.does(MATTERS))["data"]["me"]["matters"] if each["outcome"]]
    assert set(found) - {"extensions"} == {
        "Mine", "Object", "Apply", "Consent", "Ask", "Asked",
        "Waiting", "Decide", "Restore", "Decline", "Report", "Confirm",
    }  # fmt: skip
    assert [each["id"] for each in found["Asked"]["items"]] == [found["Ask"]["id"]]
    assert len(found["Waiting"]["items"]) == 2
    assert found["Restore"]["state"] == "AWAITS_CONFIRMATION"
    assert found["Decline"] == {"__typename": "Matter", "state": "OPEN", "because": "One notice is not paid."}
    assert found["Confirm"] == {"__typename": "Change", "state": "DECIDED", "event": "CORRECTED"}
    # PARTLY: decided, told with its reason and its remedy, under a second clock.
    assert found["Decide"]["remedy"] == before["remedy"] == after["remedy"] != ""
    assert (before["outcome"], before["because"]) == ("PARTLY", "The amount is wrong, the notice is not.")
    assert before["due"] == found["Decide"]["due"]
    assert (after["outcome"], after["due"]) == ("PARTLY", found["Object"]["due"]), (
        "the second clock ends with a correction"
    )


MATTERS = "{ me { matters { outcome because remedy due } } }"


async def test_its_consultation_is_opened(tmp_path: Path) -> None:
    body = json.loads(of("json")[0].text)
    async with served(tmp_path) as gateway, httpx.AsyncClient() as http:
        token = gateway.issuer.token(aud=gateway.url, client_id="tax-stewards", sub="t.weber", scope="steward").decode()
        url, headers = f"{gateway.url}/catalogue/tax-offices/consult", {"authorization": token}
        told = await http.post(url, json=body, headers=headers, timeout=20)
        again = await http.post(url, json=body, headers=headers, timeout=20)
        wrong = await http.post(url, json={**body, "text": "department: ["}, headers=headers, timeout=20)
    assert (told.status_code, again.json()) == (200, told.json())
    expected = {"id", "dataset", "department", "definition", "state", "until", "act"}
    assert (told.json().keys(), told.json()["state"]) == (expected, "consultation")
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "ARGUMENT")
    assert {"status", "code", "detail", "problems"} <= wrong.json().keys()


async def test_its_code_signs_what_a_system_sends_and_verifies_a_notice(tmp_path: Path) -> None:
    (code,), (_, message, waiting) = of("python"), of("json")
    names: dict[str, Any] = {}
    exec(compile(code.text, str(code), "exec"), names)
    signed: Callable[[str, str, bytes], dict[str, str]] = names["signed"]
    body = message.text.encode()
    configured.secret(tmp_path / "tax.hook", SECRET)
    async with served(tmp_path, tax="changes: {secret_file: tax.hook}") as gateway, httpx.AsyncClient() as http:
        url = f"{gateway.url}/hooks/changes/tax"
        good = await http.post(url, content=body, headers=signed(SECRET, "msg-1", body), timeout=20)
        again = await http.post(url, content=body, headers=signed(SECRET, "msg-1", body), timeout=20)
        bad = await http.post(url, content=body, headers=signed("whsec_" + "b3RoZXI=" * 4, "msg-2", body), timeout=20)
    assert (good.status_code, again.json(), bad.status_code) == (202, good.json(), 401)
    first, second = good.json()["items"]
    assert first.keys() == {"act", "change", "state"}
    assert first["state"] == "DECIDED"
    assert second["error"]["code"] == "MATTER_INVALID"
    key = names["base64"].b64decode(SECRET.removeprefix("whsec_"))
    now = datetime.datetime.now(datetime.UTC)
    made, headers = signing.message("matter.waiting", now, {"matter": "m-1"}, "1", now, [b"o" * 24, key])
    assert names["is_right"](SECRET, headers, made)
    assert not names["is_right"](SECRET, headers, made.replace(b"m-1", b"m-2"))
    told = json.loads(waiting.text)
    assert json.loads(made).keys() == told.keys()
    assert (json.loads(made)["type"], json.loads(made)["data"].keys()) == (told["type"], told["data"].keys())


def test_it_is_found() -> None:
    assert "ACTS.md" in links(ROOT / "gateway" / "README.md")
    assert "gateway/ACTS.md" in links(ROOT / "README.md")
