"""`dutybound watch open` and `review`, as they are typed: at a running gateway, by whoever the token names."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import unverified
from gateway.ledger.stored import read
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as kept
from tests import configured
from tests.acts.serving import Served, served
from tests.ledger.support import disclosed

FINDING, WHY = "out-of-hours-1", "monthly review"


class Desk:
    """A gateway with a finding, and commands of oversight's."""

    def __init__(self, folder: Path, at: Served) -> None:
        self.folder, self.at, self.store = folder, at, at.gateway._store

    async def find(self) -> None:
        await disclosed(self.at.gateway._ledger)
        (place,) = [
            (shard << SHARD_BITS) + index for shard, index, told in self._all() if isinstance(told, entries.Inquiry)
        ]
        found = kept.Found(
            FINDING, "out-of-hours", "27", 1, "https://login.example", "market-regulator", "m.ivanova",
            "TENDER_QUALIFICATION", "one look at night", (place,),
        )  # fmt: skip
        version, _ = kept.read_cursors(self.store.engine)
        assert kept.advance(self.store.engine, version, {}, [found])

    def _all(self) -> list[tuple[int, int, entries.Told]]:
        with contextlib.closing(self.store.reader()) as reader:
            return [
                (head.id, each.index, each.read_told())
                for head in read.heads(reader)
                for each in read.read_entries(reader, head.id, 0, head.size)
                if each.told is not None
            ]

    def entered(self, kind: type[Any]) -> list[Any]:
        return [told for _, _, told in self._all() if isinstance(told, kind)]

    def token(self, official: str = "o.sight", scope: str = "oversight", client: str = "oversight") -> Path:
        text = self.at.issuer.token(
            aud=self.at.url, client_id=client, sub=official, scope=scope, auth_time=int(time.time())
        )
        return configured.secret(
            self.folder / f"{official}-{scope}.token", text.decode().removeprefix("Bearer ") + "\n"
        )

    async def run(self, name: str, *words: str, token: Path | None = None) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        given = ["watch", name, "--gateway", self.at.url, "--token-file", str(token or self.token()), *words]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = await asyncio.to_thread(cli.main, given)
        assert "Traceback" not in err.getvalue()
        return status, out.getvalue(), err.getvalue()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with served(tmp_path) as at:
        made = Desk(tmp_path, at)
        await made.find()
        yield made


async def test_a_finding_is_opened_and_its_review_ended(desk: Desk, tmp_path: Path) -> None:
    receipt = tmp_path / "opened.receipt"
    status, out, err = await desk.run("open", "--reason", WHY, "--receipt", str(receipt), FINDING)
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["finding"]["id"] == FINDING
    assert [each["purpose"] for each in told["inquiries"]] == ["TENDER_QUALIFICATION"]
    (view,) = desk.entered(entries.View)
    assert (view.by, view.reason, view.looked) == ("o.sight", WHY, entries.Looked(finding=FINDING))
    assert unverified(receipt.read_text()).told.id == view.id == told["act"]["id"]
    status, out, err = await desk.run("review", "--verdict", "improper", "--reason", WHY, FINDING)
    assert (status, err) == (0, "")
    assert json.loads(out)["verdict"] == "IMPROPER"
    (review,) = desk.entered(entries.Reviewed)
    assert (review.finding, review.verdict, review.by, review.reason) == (FINDING, "improper", "o.sight", WHY)
    status, _, err = await desk.run("review", "--verdict", "proper", "--reason", WHY, FINDING)
    assert status == 1
    assert "a verdict is not changed" in err
    assert len(desk.entered(entries.Reviewed)) == 1


async def test_nothing_is_opened_without_a_token_of_oversight(desk: Desk) -> None:
    for official, scope, client in (("t.weber", "steward", "tax-stewards"), ("p.olsen", "officer", "policy-office")):
        token = desk.token(official, scope, client)
        for words in (("open", "--reason", WHY), ("review", "--verdict", "proper", "--reason", WHY)):
            status, out, err = await desk.run(*words, FINDING, token=token)
            assert (status, out) == (1, "")
            assert "oversight" in err
    status, out, _ = await desk.run("open", "--reason", WHY, "nothing-1")
    assert (status, out) == (1, "")
    status, out, _ = await desk.run("open", "--reason", " ", FINDING)
    assert (status, out) == (1, "")
    assert desk.entered(entries.View) == []
    assert desk.entered(entries.Reviewed) == []


async def test_nobody_reviews_their_own_inquiries(desk: Desk) -> None:
    token = desk.token(" M.IVANOVA ".strip())
    status, _, err = await desk.run("review", "--verdict", "proper", "--reason", WHY, FINDING, token=token)
    assert status == 1
    assert "somebody else has to review them" in err
    assert desk.entered(entries.Reviewed) == []
