"""Recalls over HTTP, with real tokens: an inbox, an answer, a suspension from the next inquiry on, and its end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from gateway.acts.office import Office
from gateway.recall.enforcing.overdue import Overdue
from gateway.storage.recall.recalls import recall
from tests.acts.serving import Served, served
from tests.recall.telling import ENVIRONMENT, LICENCES, LOOK, MARKET, RENEWAL
from tests.world import new_subject

ID = "0123456789abcdef" * 2
INBOX = "{ recalls { items { id sequence action state outcome records { dataset record version fields } } next } }"
ANSWER = """mutation($id: ID!, $outcome: AcknowledgementOutcome!, $reason: String) {
  acknowledgeRecall(id: $id, outcome: $outcome, reason: $reason) { id state outcome } }"""


class Asking:
    """A gateway at an address, and one recall of the market regulator's, overdue since long ago."""

    def __init__(self, gateway: Served, http: httpx.AsyncClient) -> None:
        self._gateway, self._http, self.subject = gateway, http, new_subject()
        app = gateway.gateway
        self.office = Office(app._writer, app._store, lambda: app._serving.rules, app._now.sure)
        row: dict[str, Any] = {
            "id": ID, "sequence": 1, "job": "j", "issuer": gateway.issuer.url, "client": MARKET, "place": 0,
            "inquiry": "i", "purpose": RENEWAL, "scheme": "LEI", "value": self.subject.value,
            "dataset": "business-licences", "action": "delete", "at": 1, "due": 2, "state": "open", "filed_in": 0,
            "records": '[{"record": "R-1", "version": "1", "fields": ["number", "status"]}]',
        }  # fmt: skip
        with app._store.engine.begin() as connection:
            connection.execute(insert(recall).values(row))

    async def ask(self, client: str, scope: str, query: str, header: str = "", **variables: Any) -> httpx.Response:
        token = self._gateway.issuer.token(aud=self._gateway.url, client_id=client, sub="m.ivanova", scope=scope)
        headers = {"authorization": token.decode(), "accept": "application/graphql-response+json"}
        headers |= {"inquiry": header} if header else {}
        body = {"query": query, "variables": variables}
        return await self._http.post(f"{self._gateway.url}/graphql", json=body, headers=headers)

    async def look(self, **declared: str) -> httpx.Response:
        """An inquiry of the regulator's about the subject."""
        said = "".join(f', {name}: "{each}"' for name, each in declared.items())
        named = {"scheme": "LEI", "value": self.subject.value}
        return await self.ask(MARKET, "inquire", LOOK % ("", RENEWAL, said, LICENCES), id=named)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with served(tmp_path) as gateway, httpx.AsyncClient(timeout=30) as http:
        yield Asking(gateway, http)


def error(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["errors"][0]
    return found


async def test_what_is_not_answered_suspends_until_it_is(asking: Asking) -> None:
    (item,) = (await asking.ask(MARKET, "recalls", INBOX)).json()["data"]["recalls"]["items"]
    assert (item["id"], item["state"], item["records"][0]["record"]) == (ID, "OPEN", "R-1")
    assert error(await asking.look())["extensions"]["code"] == "SOURCE_UNAVAILABLE", "nobody is there to be asked"
    clock = Overdue(asking.office)
    await clock.turn()
    denied = error(await asking.look())
    assert (denied["extensions"]["reason"], ID in denied["extensions"]["advice"]) == ("GRANT_INACTIVE", True)
    (item,) = (await asking.ask(MARKET, "recalls", INBOX)).json()["data"]["recalls"]["items"]
    assert item["state"] == "OVERDUE"
    answered = await asking.ask(MARKET, "recalls", ANSWER, id=ID, outcome="APPLIED")
    assert answered.json()["data"]["acknowledgeRecall"] == {"id": ID, "state": "ACKNOWLEDGED", "outcome": "APPLIED"}
    assert answered.json()["extensions"]["act"]["receipt"].startswith("c2sp.org/tlog-proof")
    assert error(await asking.look())["extensions"]["code"] == "SOURCE_UNAVAILABLE"


async def test_anothers_and_none_are_told_alike(asking: Asking) -> None:
    told = [await asking.ask(ENVIRONMENT, "recalls", ANSWER, id=each, outcome="APPLIED") for each in (ID, "f" * 32)]
    assert {(each.status_code, each.content) for each in told} == {(200, told[0].content)}
    assert error(told[0])["extensions"] == {"code": "MATTER_NOT_FOUND"}
    without = await asking.ask(MARKET, "inquire", INBOX)
    assert (without.status_code, error(without)["extensions"]["code"]) == (403, "FORBIDDEN")
    refused = await asking.ask(MARKET, "recalls", ANSWER, id=ID, outcome="REFUSED")
    assert error(refused)["extensions"] == {"code": "MATTER_INVALID", "reason": "ARGUMENT"}


async def test_a_correction_by_directive_or_header(asking: Asking) -> None:
    own, none = await asking.look(recall=ID), await asking.look(recall="f" * 32)  # the first is to be deleted
    bare = re.compile(rb"[0-9a-f]{32}|c2sp[^\"]*")
    assert {(each.status_code, bare.sub(b"", each.content)) for each in (own, none)} == {
        (400, bare.sub(b"", own.content))
    }
    assert error(own)["extensions"]["code"] == "INQUIRY_INVALID"
    query = (LOOK % ("", RENEWAL, "", LICENCES)).replace(f"@inquiry(purpose: {RENEWAL})", "")
    named = {"scheme": "LEI", "value": asking.subject.value}
    header = f'purpose={RENEWAL}, recall="{ID}"'
    by_header = await asking.ask(MARKET, "inquire", query, header, id=named)
    assert (by_header.status_code, error(by_header)["message"]) == (400, error(own)["message"])
