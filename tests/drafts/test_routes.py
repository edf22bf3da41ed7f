"""`/rules/drafts` at a whole gateway: from a copy of what is active to a proposal, and who is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.drafts import apart
from gateway.drafts.child import Found, Looked
from gateway.drafts.found import answered
from tests.acts.serving import served
from tests.proposals.test_http import Desk
from tests.rules.policies import copy, fewer_tests

RULE = """// Made up.
@id("new")
@article("19, 22(1), 28(1)")
@basis("Trade Licensing Act, article 21")
@advice("{purpose} is open to departments, for adverse information.")
permit (principal, action == Action::"LICENCE_RENEWAL", resource)
when {
  principal.roles.contains(Role::"department") &&
  resource.nature == Nature::"advers"
};
"""
ACTIVE = "rules/outside-purpose.cedar"
SAID = Path("policies", ACTIVE).read_text("utf-8")


class Draft:
    """One officer at a draft."""

    def __init__(self, desk: Desk, official: str = "p.olsen") -> None:
        self.desk, self.id = desk, ""
        self.bearer = desk.bearer("policy-office", "officer", official)

    async def ask(self, method: str, path: str = "", status: int = 200, **body: Any) -> Any:
        given = {} if method == "GET" else {"json": body}
        answer = await self.desk.ask(method, f"/rules/drafts{path}".replace("ID", self.id), self.bearer, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def begin(self) -> None:
        self.id = (await self.ask("POST"))["id"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    policies = fewer_tests(copy(tmp_path / "shipped"))
    async with served(tmp_path, policies=policies, activated=True) as gateway:
        yield Desk(tmp_path, gateway)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts are looked at in the tests' own process, where what was parsed is kept; others' tests have theirs."""

    def found(_module: str, asked: Looked, *_: object) -> Found:
        return msgspec.msgpack.decode(answered(msgspec.msgpack.encode(asked)), type=Found)

    monkeypatch.setattr(apart, "ran", found)


async def test_from_a_copy_to_a_proposal(desk: Desk) -> None:
    draft = Draft(desk)
    await draft.begin()
    shown = await draft.ask("GET", "/ID")
    assert (shown["current"], shown["changes"]) == (True, 0)
    assert {each["change"] for each in shown["files"]} == {""}
    assert (await draft.ask("POST", "/ID/check"))["problems"] == []

    checked = await draft.ask("POST", "/ID/check", name="rules/new.cedar", text=RULE)
    [wrong] = [each for each in checked["problems"] if each["severity"] == "error"]
    assert (wrong["file"], wrong["line"], "advers" in wrong["message"]) == ("rules/new.cedar", 9, True)
    assert "rules/new.cedar" not in {each["name"] for each in (await draft.ask("GET", "/ID"))["files"]}, "only looked"

    made = await draft.ask("PUT", "/ID/files/rules/new.cedar", text=RULE, seen="")
    assert (await draft.ask("GET", "/ID/files/rules/new.cedar")) == made
    assert (await draft.ask("POST", "/ID/check"))["problems"] == checked["problems"]
    found = await draft.ask("POST", "/ID/examination")
    assert (found["digest"], len(found["problems"])) == ("", 1)
    refused = await draft.ask("POST", "/ID/propose", 400, reason="It is needed.")
    assert "rules/new.cedar:9" in refused["problems"][0]

    await draft.ask("DELETE", "/ID/files/rules/new.cedar", seen=made["seen"])
    file = await draft.ask("GET", "/ID/files/calendar.yaml")
    text = file["text"].replace("objection: 7", "objection: 5")
    await draft.ask("PUT", "/ID/files/calendar.yaml", text=text, seen=file["seen"])
    shown = await draft.ask("GET", "/ID")
    assert [each["name"] for each in shown["files"] if each["change"] == "changed"] == ["calendar.yaml"]
    found = await draft.ask("POST", "/ID/examination")
    assert (found["problems"], found["failures"], found["tests"] > 0, len(found["differences"])) == ([], [], True, 1)
    made = await draft.ask("POST", "/ID/propose", reason="Five days are enough.")
    assert set(made["act"]) == {"id", "at", "receipt"}
    told = (await desk.ask("GET", f"/rules/proposals/{made['proposal']}", draft.bearer)).json()
    assert (told["digest"], told["state"], told["reason"]) == (found["digest"], "checked", "Five days are enough.")


@pytest.mark.usefixtures("in_this_process")
async def test_a_matrix_of_a_draft_can_be_narrowed(desk: Desk) -> None:
    draft = Draft(desk)
    await draft.begin()
    whole = await draft.ask("POST", "/ID/matrix")
    asked: dict[str, Any] = {
        "requester": "market-regulator",
        "purpose": "TENDER_QUALIFICATION",
        "dataset": "organisation-register",
    }
    [row] = (await draft.ask("POST", "/ID/matrix", **asked))["rows"]
    assert row in whole["rows"]
    assert (row["permitted"], row["standing"], row["takes"]) == (["name", "legalForm"], "holds", ["case"])
    assert set(row["permitted"]) < set(row["fields"])
    assert {each["requester"] for each in whole["rows"]} == set(whole["requesters"])
    closed = [each for each in whole["rows"] if not each["permitted"]]
    assert all(each["reason"] for each in closed)
    assert row["rules"]["tender-qualification"] == "rules/tender-qualification.cedar"
    assert "outside-purpose" in row["rules"], "which denies the other fields"
    assert (await desk.ask("POST", "/rules/matrix", draft.bearer, json=asked)).json()["rows"] == [row]


async def test_officers_read_what_is_active(desk: Desk) -> None:
    officer = desk.bearer("policy-office", "officer", "p.costa")
    steward = desk.bearer("market-stewards", "steward", "s.someone")
    told = await desk.ask("GET", f"/rules/files/{ACTIVE}", officer)
    assert told.json() == {"name": ACTIVE, "text": SAID}
    for path in ("rules/none.cedar", "../gateway.yaml", "rules", "%2e%2e/%2e%2e/etc/passwd"):
        assert (await desk.ask("GET", f"/rules/files/{path}", officer)).status_code == 404, path
    assert (await desk.ask("GET", f"/rules/files/{ACTIVE}", steward)).status_code == 403
    assert (await desk.ask("GET", f"/rules/files/{ACTIVE}", None)).status_code == 401


@pytest.mark.usefixtures("in_this_process")
async def test_a_grant_is_changed_in_its_file(desk: Desk) -> None:
    draft = Draft(desk)
    await draft.begin()
    found = await draft.ask("POST", "/ID/grants")
    first = found["grants"][0]
    assert (first["client"], first["purpose"]) == ("market-regulator", "TENDER_QUALIFICATION")
    assert set(first["datasets"]) < set(found["datasets"])
    given = {name: first[name] for name in ("entry", "number", "since", "agreed_by", "datasets")}
    given |= {"until": "2029-06-30", "seen": found["seen"]}
    seen = (await draft.ask("PUT", "/ID/grants", **given))["seen"]
    text = (await draft.ask("GET", "/ID/files/requesters.yaml"))["text"]
    assert (text.count("until: 2029-06-30"), text.count("# ended")) == (1, 1)
    assert (await draft.ask("PUT", "/ID/grants", 409, **given))["reason"] == "STATE", "it was seen before that"
    given["seen"] = seen
    for name, wrong in (("datasets", []), ("datasets", ["a: b"]), ("agreed_by", ""), ("until", "soon")):
        await draft.ask("PUT", "/ID/grants", 400, **{**given, name: wrong})
    await draft.ask("PUT", "/ID/grants", 409, **{**given, "entry": 99})
    await draft.ask("PUT", "/ID/files/requesters.yaml", text="[", seen=seen)
    assert "mend the file itself" in (await draft.ask("POST", "/ID/grants", 409))["detail"]


@pytest.mark.usefixtures("in_this_process")
async def test_a_purpose_is_changed_in_its_file(desk: Desk) -> None:
    draft = Draft(desk)
    await draft.begin()
    found = await draft.ask("POST", "/ID/purposes")
    first = found["purposes"][0]
    assert (first["name"], first["articles"]) == ("TENDER_QUALIFICATION", ["19", "22(1)", "28(1)"])
    names = {"organisation-register": ["name"]}
    given = {"name": first["name"], "title": "Choice: of a tenderer", "articles": ["19", "28(1)"], "fields": names}
    await draft.ask("PUT", "/ID/purposes", **given, seen=found["seen"])
    now = await draft.ask("POST", "/ID/purposes")
    assert now["purposes"][0] == {**first, **given, "fields": {**first["fields"], **names}}
    assert now["purposes"][1:] == found["purposes"][1:]
    given["seen"] = now["seen"]
    wrong = [("title", " "), ("articles", []), ("articles", ["a b"]), ("fields", {"organisation-register": []})]
    for name, value in [*wrong, ("fields", {"organisation-register": ["a: b"]})]:
        await draft.ask("PUT", "/ID/purposes", 400, **{**given, name: value})
    for name, value in (("fields", {"person-register": ["name"]}), ("name", "NONE"), ("seen", found["seen"])):
        await draft.ask("PUT", "/ID/purposes", 409, **{**given, name: value})


async def test_who_is_refused(desk: Desk) -> None:
    mine, others = Draft(desk), Draft(desk, "p.costa")
    await mine.begin()
    others.id = mine.id
    every: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/ID", {}), ("POST", "/ID/discard", {}), ("GET", "/ID/files/calendar.yaml", {}),
        ("PUT", "/ID/files/calendar.yaml", {"text": ""}), ("DELETE", "/ID/files/calendar.yaml", {"seen": ""}),
        ("POST", "/ID/check", {}), ("POST", "/ID/examination", {}), ("POST", "/ID/matrix", {}),
        ("POST", "/ID/propose", {"reason": "x"}), ("POST", "/ID/grants", {}), ("POST", "/ID/purposes", {}),
        ("POST", "/ID/simulation/stop", {}),
        ("GET", "/ID/simulation", {}),
    ]  # fmt: skip
    for method, path, body in every:
        await others.ask(method, path, 404, **body)
        others.bearer, officer = desk.bearer("market-stewards", "steward", "s.someone"), others.bearer
        await others.ask(method, path, 403, **body)
        others.bearer = officer
    wrong: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "", {"files": "x"}), ("PUT", "/ID/files/x.sh", {"text": ""}), ("POST", "/ID/matrix", {"requester": 1}),
        ("PUT", "/ID/files/rules/x.cedar", {"text": "x" * 1_100_000}), ("POST", "/ID/check", {"name": "../x"}),
        ("POST", "/ID/propose", {"reason": ""}),
    ]  # fmt: skip
    for method, path, body in wrong:
        told = await mine.ask(method, path, 400, **body)
        assert told["detail"]
    assert (await desk.ask("GET", "/rules/drafts", None)).status_code == 401
    await mine.ask("POST", "/ID/discard")
    await mine.ask("GET", "/ID", 404)


async def test_one_that_takes_for_ever_is_told_and_no_harm(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.drafts.apart.WITHIN", 0.001)
    draft = Draft(desk)
    await draft.begin()
    told = await draft.ask("POST", "/ID/check", 409)
    assert (told["reason"], "too long" in told["detail"]) == ("LIMIT", True)
