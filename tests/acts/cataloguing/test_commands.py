"""`dutybound catalogue consult` to `status` against a running gateway, and what everybody reads then."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import cli
from gateway.web import calling
from tests import configured
from tests.acts.cataloguing.bureau import DATASET, text
from tests.acts.serving import Served, served
from tests.docs.reading import ROOT


class Stewards:
    """A gateway at an address, the policies at hand, and the stewards' tokens."""

    def __init__(self, folder: Path, gateway: Served) -> None:
        self._folder, self.gateway, self.policies = folder, gateway, folder / "policies"
        shutil.copytree(ROOT / "policies", self.policies)
        self.write()

    def write(self, more: str = "", title: str = "Tax offices") -> None:
        """The department's file as the stewards have it: with one dataset more."""
        file = self.policies / "catalogue" / "tax.yaml"
        own = text(more, title=title).partition("datasets:\n")[2]
        file.write_text((ROOT / "policies" / "catalogue" / "tax.yaml").read_text() + own)

    def token(self, official: str, client: str = "tax-stewards", scope: str = "steward") -> Path:
        made = self.gateway.issuer.token(aud=self.gateway.url, client_id=client, sub=official, scope=scope)
        text = made.decode().removeprefix("Bearer ") + "\n"
        return configured.secret(self._folder / f"{client}-{official}.token", text)

    async def run(self, official: str | None, *words: str, client: str = "tax-stewards") -> tuple[int, str, str]:
        """The exit code of a command, what it printed, and what it said of errors."""
        wanted = ["catalogue", *words, "--gateway", self.gateway.url]
        if official is not None:
            wanted += ["--token-file", str(self.token(official, client))]
            if words[0] != "retire":
                wanted += ["--policies", str(self.policies)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = await asyncio.to_thread(cli.main, wanted)
        return status, out.getvalue(), err.getvalue()

    @contextlib.contextmanager
    def long_ago(self) -> Any:
        """What is done here was done two months ago."""
        writer = self.gateway.gateway._writer
        now, ago = writer._now, datetime.timedelta(days=60)
        writer._now = lambda: now() - ago
        try:
            yield
        finally:
            writer._now = now


@pytest.fixture
async def stewards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stewards]:
    monkeypatch.setattr("gateway.acts.cataloguing.history.FRESH", 0.0)
    async with served(tmp_path) as gateway:
        yield Stewards(tmp_path, gateway)


async def test_from_the_consultation_to_the_page(stewards: Stewards) -> None:
    with stewards.long_ago():
        status, said, _ = await stewards.run(
            "t.weber", "consult", DATASET, "--notice", "Offices <b>are</b> to be shared.", "--days", "20"
        )
    told = json.loads(said)
    assert (status, told["state"], told["dataset"]) == (0, "consultation", DATASET)
    assert told["act"].keys() == {"id", "at"}
    status, said, _ = await stewards.run(None, "status")
    assert (status, f"{DATASET}              consultation" in said) == (0, True), said
    async with httpx.AsyncClient(base_url=stewards.gateway.url) as http:
        before = await http.get("/open/catalogue")
        page = (await http.get("/open/catalogue", headers={"accept": "text/html"})).text
        linked = await http.get("/open/catalogue", headers={"accept": "application/ld+json"})
        [supplement] = before.json()["supplements"]
        assert supplement["history"][0]["words"] == "Offices <b>are</b> to be shared."
        assert (supplement["until"], supplement["department"]) == (told["until"], "tax")
        assert [each["name"] for each in supplement["proposed"]["fields"]] == ["office", "since"]
        assert "Offices &lt;b&gt;are&lt;/b&gt; to be shared." in page
        assert "Consultations" in page
        assert DATASET not in linked.text
        assert linked.headers["content-type"] == "application/ld+json"
        for each in (before.text, page, linked.text):
            assert "weber" not in each
        known = await http.get("/open/catalogue", headers={"if-none-match": before.headers["etag"]})
        assert known.status_code == 304
        assert (await http.get("/open/catalogue.jsonld")).content == linked.content
        assert (await http.get("/open/catalogue?format=jsonld")).content == linked.content
        assert (await http.get("/open/catalogue?format=xml")).status_code == 400

        assert (await stewards.run("t.weber", "approve", DATASET))[0] == 1
        assert (await stewards.run("t.weber", "approve", DATASET, "--reason", "Nobody minded."))[0] == 0
        status, _, said = await stewards.run("t.weber", "approve", DATASET)
        assert (status, "(MATTER_INVALID, SECOND_PERSON)" in said) == (1, True)
        status, said, _ = await stewards.run("t.nowak", "approve", DATASET, "--reference", "r-1")
        assert (status, json.loads(said)["state"]) == (0, "approved")
        assert (await stewards.run("t.nowak", "approve", DATASET, "--reference", "r-1"))[1] == said
        status, said, _ = await stewards.run("t.nowak", "publish", DATASET)
        assert (status, json.loads(said)["state"]) == (0, "published")
        after = await http.get("/open/catalogue", headers={"if-none-match": before.headers["etag"]})
        assert (after.status_code, after.json()["supplements"][0]["state"]) == (200, "published")
        page = (await http.get("/open/catalogue?format=html")).text
        assert "Not in force" in page
    status, said, _ = await stewards.run(None, "status", DATASET)
    assert status == 0
    assert [line.split()[1].rstrip(":,") for line in said.splitlines()[1:]] == [
        "consulted", "approval-asked", "approved", "published",
    ]  # fmt: skip
    assert "published, but not in the active rule set" in (await stewards.run(None, "status"))[1]
    assert (await stewards.run("t.weber", "retire", DATASET, "--reason", "No longer kept."))[0] == 0
    assert "retired" in (await stewards.run(None, "status"))[1]
    assert (await stewards.run(None, "status", "no-such"))[0] == 1


async def test_what_will_not_do_is_told_and_changes_nothing(stewards: Stewards) -> None:
    consult = ("consult", DATASET, "--notice", "n", "--days", "20")
    status, _, said = await stewards.run("m.petrov", *consult, client="market-stewards")
    assert (status, "(MATTER_NOT_FOUND)" in said) == (1, True)
    status, _, said = await stewards.run("t.weber", *consult[:-1], "3")
    assert (status, "from 20 to 260 working days" in said) == (1, True)
    status, _, said = await stewards.run("t.weber", "consult", "no-such", "--notice", "n", "--days", "20")
    assert (status, "has no dataset `no-such`" in said) == (1, True)
    stewards.write("      religion: {type: String, title: Religion}\n")
    status, _, said = await stewards.run("t.weber", *consult)
    assert (status, "religion" in said, "tax.yaml:" in said) == (1, True, True)
    stewards.write()
    assert (await stewards.run("t.weber", *consult))[0] == 0
    stewards.write(title="Offices of the Tax Service")
    status, _, said = await stewards.run("t.weber", "approve", DATASET, "--reason", "x")
    assert (status, "nobody was consulted on this definition" in said) == (1, True)
    assert "consultation" in (await stewards.run(None, "status"))[1]


BODIES = [
    (b"{", 400, "the body is not what this takes"),
    (b'{"text": "x", "notice": "n"}', 400, "`days`"),
    (b'{"text": "x", "notice": "n", "days": "1"}', 400, "days"),
    (b'{"text": "x", "notice": "n", "days": 20, "more": 1}', 400, "more"),
    (b'{"text": "x", "notice": "n", "notice": "m", "days": 20}', 400, "a key twice"),
    (b'{"text": "\\ud800", "notice": "n", "days": 20}', 400, ""),
    (b'{"text": "x", "notice": "\\u0000", "days": 20}', 400, ""),
    (b"[" * 60_000, 400, "the body is not what this takes"),
    (b" " * 2_200_000, 413, "longer than"),
]


async def test_any_body_gives_an_answer(stewards: Stewards) -> None:
    token = stewards.token("t.weber").read_text().strip()
    async with httpx.AsyncClient(base_url=stewards.gateway.url, headers={"authorization": f"Bearer {token}"}) as http:
        for body, status, said in BODIES:
            told = await http.post(f"/catalogue/{DATASET}/consult", content=body)
            assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json"), body
            assert said in told.json()["detail"]
            assert {"status", "code", "detail"} <= told.json().keys()


async def test_without_a_stewards_token_nothing_is_read_or_done(stewards: Stewards) -> None:
    async with httpx.AsyncClient(base_url=stewards.gateway.url) as http:
        for token, status in ((None, 401), ("x.y.z", 401), ("counter", 403), ("inquire", 403)):
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            if token in ("counter", "inquire"):
                headers = {"authorization": f"Bearer {stewards.token('t.w', scope=token).read_text().strip()}"}
            for what in ("consult", "approve", "publish", "retire"):
                body = {"definition": "0" * 64, "reason": "x"}
                body = {"text": "", "notice": "n", "days": 20} if what == "consult" else body
                body = {"reason": "x"} if what == "retire" else body
                told = await http.post(f"/catalogue/{DATASET}/{what}", json=body, headers=headers)
                assert told.status_code == status, (token, what, told.text)
                assert ("www-authenticate" in told.headers) == (status == 401)
        assert (await http.get("/open/catalogue")).json()["supplements"] == []


def test_what_is_on_its_way_does_not_hide_what_is_published(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = {
        "a-renamed": ["published", "consultation"], "b-replaced": ["published", "withdrawn", "approved"],
        "c-withdrawn": ["published", "withdrawn"], "d-retired": ["retired", "consultation"],
        "e-first": ["consultation"],
    }  # fmt: skip
    several = [{"dataset": name, "state": state} for name, states in ways.items() for state in states]
    served = [{"id": name} for name in ("a-renamed", "b-replaced", "c-withdrawn", "f-folder")]
    monkeypatch.setattr(calling, "called", lambda *_: {"supplements": several, "datasets": served})
    assert cli.main(["catalogue", "status", "--gateway", "https://gateway.example"]) == 0
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["a-renamed", "published; another definition: consultation"],
        ["b-replaced", "published; another definition: approved"],
        ["c-withdrawn", "published"],
        ["d-retired", "consultation"],
        ["e-first", "consultation"],
        ["f-folder", "published"],
    ]
