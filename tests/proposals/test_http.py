"""`/rules/...` and its commands at a whole gateway: from a folder to the next active set and back; who is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import check, cli
from gateway.activation.archive import MOST_PACKED
from gateway.activation.stored import BY_FOLDER
from gateway.rules.load import load
from tests import configured
from tests.acts.serving import Served, served
from tests.proposals.room import CLOSED, archive
from tests.rules.policies import copy, fewer_tests


class Desk:
    """A gateway at an address, and token files of its issuer's."""

    def __init__(self, folder: Path, at: Served) -> None:
        self.folder, self.url, self._issuer = folder, at.url, at.issuer
        self.gateway = at.gateway

    def bearer(self, client: str, scope: str, official: str, ago: float = 0.0, **claims: Any) -> str:
        since = int(time.time() - ago)
        given = {"aud": self.url, "client_id": client, "sub": official, "scope": scope, "auth_time": since, **claims}
        return self._issuer.token(**given).decode()

    def token(self, official: str, scope: str = "officer", client: str = "policy-office", ago: float = 0.0) -> Path:
        text = self.bearer(client, scope, official, ago).removeprefix("Bearer ")
        return configured.secret(self.folder / f"{official}-{scope}-{ago}.token", text + "\n")

    async def run(self, token: Path, name: str, *words: str) -> tuple[int, Any, str]:
        """The exit code of a command, the JSON that it printed, and what it said of errors."""
        out, err = io.StringIO(), io.StringIO()
        wanted = ["rules", name, "--gateway", self.url, "--token-file", str(token), *words]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = await asyncio.to_thread(cli.main, wanted)
        try:
            return status, json.loads(out.getvalue()), err.getvalue()
        except ValueError:
            return status, out.getvalue(), err.getvalue()

    async def ask(self, method: str, path: str, bearer: str | None, **body: Any) -> httpx.Response:
        headers = {} if bearer is None else {"authorization": bearer}
        async with httpx.AsyncClient() as client:
            return await client.request(method, f"{self.url}{path}", headers=headers, timeout=200, **body)

    async def serves(self, epoch: int) -> None:
        """Wait until the gateway goes by what is active since an epoch."""

        async def told() -> bool:
            status = (await self.run(self.token("p.olsen"), "status"))[1]
            return any(each["epoch"] == epoch and each["serves"] for each in status["replicas"])

        for _ in range(100):
            if await told():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"epoch {epoch} is not served")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with served(tmp_path, activated=True) as gateway:
        yield Desk(tmp_path, gateway)


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    folder = fewer_tests(copy(tmp_path / "candidate"))
    text = (folder / "calendar.yaml").read_text()
    (folder / "calendar.yaml").write_text(text.replace("objection: 7", "objection: 5"))
    text = (folder / "officers.yaml").read_text()
    (folder / "officers.yaml").write_text(text.replace("expires: P14D", "expires: P2D"))
    return folder


@pytest.mark.usefixtures("in_this_process")
async def test_from_a_folder_to_the_active_set_and_back(desk: Desk, candidate: Path) -> None:
    olsen, costa, ilves = (desk.token(f"p.{name}") for name in ("olsen", "costa", "ilves"))
    status, made, _ = await desk.run(olsen, "propose", str(candidate), "--reason", "Five days are enough.")
    assert (status, made["state"], made["author"], made["failures"]) == (0, "checked", "olsen", [])
    assert made["tests"] > 0
    id_ = made["id"]
    status, _, said = await desk.run(olsen, "approve", id_, "--reason", "It is mine.")
    assert (status, "(MATTER_INVALID, SECOND_PERSON)" in said) == (1, True)
    status, _, said = await desk.run(olsen, "activate", id_)
    assert (status, "2 more officers must approve" in said) == (1, True)

    shown = desk.folder / "shown"
    status, told, _ = await desk.run(costa, "show", id_, "--files", str(shown))
    assert (status, told["reason"], load(shown).digest) == (0, "Five days are enough.", made["digest"])
    for token in (costa, ilves):
        status, done, _ = await desk.run(token, "approve", id_, "--reason", "It is lawful.")
        assert (status, done["act"].keys()) == (0, {"id", "at"})
    assert done["proposal"]["state"] == "approved"
    sources = desk.folder / "sources.yaml"
    whole = sources.read_text()
    sources.write_text(whole.replace("      wage-arrears:", "      wage-arrears-of-old:"))
    status, _, said = await desk.run(ilves, "activate", id_)
    assert (status, "could not serve it" in said, "`wage-arrears` has no source" in said) == (1, True, True)
    assert (await desk.run(costa, "show", id_))[1]["state"] == "approved"
    sources.write_text(whole)
    status, done, _ = await desk.run(ilves, "activate", id_)
    assert (status, done["proposal"]["state"]) == (0, "active")
    await desk.serves(2)
    listed = (await desk.run(costa, "show"))[1]
    assert [(each["id"], each["state"], each["approvals"]) for each in listed] == [(id_, "active", 2)]

    status, done, said = await desk.run(costa, "rollback", "1", "--reason", "Stewards need longer.")
    assert (status, "nobody approved that rule set" in said) == (1, True)
    before = fewer_tests(copy(desk.folder / "before"))
    again = (await desk.run(olsen, "propose", str(before), "--reason", "Back."))[1]
    for token in (costa, ilves):
        latest = (await desk.run(token, "show", again["id"]))[1]["you"]["until"]
        status, done, _ = await desk.run(token, "approve", again["id"], "--reason", "It is lawful.")
        assert status == 0
        assert max(each["until"] for each in done["proposal"]["approvals"]) >= latest  # as long as it may: two days
    assert (await desk.run(olsen, "activate", again["id"]))[0] == 0
    await desk.serves(3)
    status, done, _ = await desk.run(costa, "rollback", "2", "--reason", "Five days after all.")
    assert (status, done["active"]["how"], done["active"]["epoch"]) == (0, "rollback", 4)
    await desk.serves(4)
    for epoch in ("0", "9"):
        status, _, said = await desk.run(costa, "rollback", epoch, "--reason", "Back.")
        assert (status, f"no activation of epoch {epoch}: they are epochs 1 to 4" in said) == (1, True)


@pytest.mark.usefixtures("in_this_process")
async def test_where_a_folder_is_gone_by_nothing_is_activated(tmp_path: Path, candidate: Path) -> None:
    async with served(tmp_path) as gateway:
        desk = Desk(tmp_path, gateway)
        olsen, costa, ilves = (desk.token(f"p.{name}") for name in ("olsen", "costa", "ilves"))
        status, made, said = await desk.run(olsen, "propose", str(candidate), "--reason", "Five days are enough.")
        assert (status, made["state"], BY_FOLDER in made["lacks"], BY_FOLDER in said) == (0, "checked", True, True)
        for token in (costa, ilves):
            await desk.run(token, "approve", made["id"], "--reason", "It is lawful.")
        for act in (("activate", made["id"]), ("rollback", "1", "--reason", "x")):
            status, _, said = await desk.run(ilves, *act)
            assert (status, "run `dutybound rules bootstrap`" in said) == (1, True)
        told = (await desk.run(olsen, "show", made["id"]))[1]
        assert (told["state"], told["lacks"]) == ("approved", [BY_FOLDER])
    check.load(tmp_path / "gateway.yaml", {})


async def test_who_is_refused(desk: Desk) -> None:
    paths = [
        ("GET", "/rules/status"), ("GET", "/rules/proposals"), ("POST", "/rules/proposals"),
        ("GET", f"/rules/proposals/{'0' * 32}"), ("GET", f"/rules/proposals/{'0' * 32}/files"),
        ("GET", f"/rules/proposals/{'0' * 32}/changes"), ("GET", "/rules/activations"), ("GET", "/rules/activations/1"),
        *(("POST", f"/rules/proposals/{'0' * 32}/{act}") for act in ("approve", "statement", "refuse", "activate")),
        ("POST", "/rules/rollback"),
    ]  # fmt: skip
    others = [
        desk.bearer("market-regulator", "inquire", "m.ivanova"),
        desk.bearer("policy-office", "officer", "policy-office"),
        desk.bearer("nobody-knows", "officer", "p.olsen"),
    ]
    for method, path in paths:
        unknown = await desk.ask(method, path, None, json={})
        assert (unknown.status_code, unknown.json()["code"]) == (401, "UNAUTHENTICATED"), path
        assert "www-authenticate" in unknown.headers
        for bearer in others:
            refused = await desk.ask(method, path, bearer, json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN"), path
            assert refused.headers["content-type"] == "application/problem+json"
    mine = desk.bearer("policy-office", "officer", "p.olsen")
    for query, status in (
        ("?first=0", 400), ("?first=101", 400), ("?first=x", 400), (f"?first={'9' * 5000}", 400), ("?first=1", 200),
        ("?after=x", 404), (f"?after={'0' * 32}", 404),
    ):  # fmt: skip
        assert (await desk.ask("GET", f"/rules/proposals{query}", mine)).status_code == status, query
    for epoch in ("0", "x", "-1", "2", "9" * 18, "9" * 19, "%D9%A1"):
        assert (await desk.ask("GET", f"/rules/activations/{epoch}", mine)).status_code == 404, epoch
    late = desk.token("p.costa", ago=700)
    status, _, said = await desk.run(late, "rollback", "1", "--reason", "x")
    assert (status, "(MATTER_INVALID, SIGN_IN)" in said) == (1, True)


async def test_what_is_wrong_is_told_as_a_problem(desk: Desk, candidate: Path) -> None:
    bearer = desk.bearer("policy-office", "officer", "p.olsen")

    async def proposed(**body: Any) -> httpx.Response:
        return await desk.ask("POST", "/rules/proposals", bearer, **body)

    for body, code in (
        ({"content": b"{"}, 400), ({"json": []}, 400), ({"json": {"files": "!", "reason": "x"}}, 400),
        ({"json": {"files": "", "reason": "x", "more": 1}}, 400), ({"content": b"x" * (MOST_PACKED * 2)}, 413),
        ({"json": {"files": base64.b64encode(b"\x01" * 5_000_000).decode(), "reason": "x"}}, 413),
        ({"json": {"files": base64.b64encode(archive(CLOSED)).decode(), "reason": " "}}, 400),
    ):  # fmt: skip
        answer = await proposed(**body)
        assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
        assert answer.json()["detail"]
    text = (candidate / "calendar.yaml").read_text()
    (candidate / "calendar.yaml").write_text(text.replace("objection: 5", "objektion: 5"))
    status, _, said = await desk.run(desk.token("p.olsen"), "propose", str(candidate), "--reason", "x")
    assert (status, "calendar.yaml:35:9" in said, "did you mean `objection`?" in said) == (1, True, True)
    big = candidate / "tests" / "big.yaml"
    big.write_text("#" * 5_000_000)
    status, _, said = await desk.run(desk.token("p.olsen"), "propose", str(candidate), "--reason", "x")
    assert (status, "has 5,000,000 bytes" in said) == (1, True)
    big.unlink()
    (candidate / "tests" / "out.yaml").symlink_to("/etc/passwd")
    status, _, said = await desk.run(desk.token("p.olsen"), "propose", str(candidate), "--reason", "x")
    assert (status, "leads out of the folder" in said) == (1, True)
    assert (await desk.run(desk.token("p.olsen"), "show"))[1] == []
    for epoch, code in ((2**63, 404), (10**18, 404), (-(2**63) - 1, 404), (10**30, 404), (1.5, 400), ("1", 400)):
        answer = await desk.ask("POST", "/rules/rollback", bearer, json={"epoch": epoch, "reason": "x"})
        assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json"), epoch


@pytest.mark.usefixtures("in_this_process")
async def test_a_stored_set_is_compared_and_simulated_by_its_digest(desk: Desk, candidate: Path) -> None:
    olsen, config = desk.token("p.olsen"), ("--config", str(desk.folder / "gateway.yaml"))
    made = (await desk.run(olsen, "propose", str(candidate), "--reason", "Five days are enough."))[1]

    async def local(*words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = await asyncio.to_thread(cli.main, ["rules", *words])
        return status, out.getvalue(), err.getvalue()

    status, out, _ = await local("diff", "active", f"sha256:{made['digest']}", *config)
    assert status == 1
    assert f"rule set {made['digest'][:16]}" in out
    assert (await local("diff", made["digest"][:12], str(candidate), *config))[0] == 0
    for words, says in (
        (("active", str(candidate)), "gateway.yaml: does not exist; name the file with `--config`"),
        (("sha256:xyz", str(candidate), *config), "`sha256:xyz` is no digest"),
        (("0" * 12, str(candidate), *config), "the store has no rule set `000000000000`"),
    ):
        status, out, said = await local("diff", *words)
        assert (status, out, says in said) == (2, "", True)

    period = ("--since", "2026-01-01", "--until", "2026-01-31", "--by", "P. Olsen", "--reason", "proposal 7")
    status, out, said = await local("simulate", "active", *config, *period)
    assert (status, "marked" in said) == (0, False)
    assert (await desk.run(olsen, "show", made["id"]))[1]["state"] == "checked"
    status, out, said = await local("simulate", made["digest"][:10], *config, *period, "--json")
    assert (status, f"entered: proposal `{made['id']}` is marked as simulated, entry " in said) == (0, True)
    told = (await desk.run(olsen, "show", made["id"]))[1]
    assert (told["state"], told["simulated"]["by"]) == ("simulated", "P. Olsen")
    assert told["simulated"]["result"] == hashlib.sha256(out.encode()).hexdigest()
    assert {each["sources"] for each in (await desk.run(olsen, "status"))[1]["replicas"]} == {
        desk.gateway._departments.now.digest
    }


@pytest.mark.usefixtures("in_this_process")
async def test_a_draft_is_one_whose_tests_fail(desk: Desk, candidate: Path) -> None:
    requesters, agreed = candidate / "requesters.yaml", "        agreed_by: Data exchange agreement 2025/114\n"
    requesters.write_text(requesters.read_text().replace(agreed, f"{agreed}        suspended: true\n"))
    status, made, said = await desk.run(desk.token("p.olsen"), "propose", str(candidate), "--reason", "Less.")
    assert (status, made["state"], "nobody can approve it" in said) == (1, "draft", True)
    assert any("FAILED" in each for each in made["failures"])
    status, _, said = await desk.run(desk.token("p.costa"), "approve", made["id"], "--reason", "x")
    assert (status, "it is a draft" in said) == (1, True)
    status, done, _ = await desk.run(desk.token("p.olsen"), "refuse", made["id"], "--reason", "A mistake.")
    assert (status, done["proposal"]["state"]) == (0, "refused")
