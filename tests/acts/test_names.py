"""Over HTTP: a record is objected to, and withdrawn, however its department writes its id."""

from __future__ import annotations

import contextlib
import datetime
import unicodedata
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import base
from tests.acts.serving import Served, served
from tests.connectors.servers import Handler, Request, answer, serve
from tests.journeys.test_changes import CONFIRM, REPORT
from tests.journeys.test_matters import LICENCES, OBJECT
from tests.world import new_subject

OWN = new_subject()
SUBJECT = {"scheme": OWN.scheme, "value": OWN.value}
PADDED, DECOMPOSED, PLAIN = "BL-7     ", unicodedata.normalize("NFD", "Бюлетин-é"), "BL-8"
NAMES = {PADDED: "BL-7", DECOMPOSED: "Бюлетин-é", PLAIN: "BL-8"}
TODAY = datetime.date.today().isoformat()


def row(id_: str, grant: str = "G-1") -> dict[str, Any]:
    return {
        "recordNo": id_, "rev": "1  ", "grant": grant, "grantedOn": TODAY, "trade": "Bakery",
        "licence": {"no": "7", "state": "valid", "expires": None},
        "holder": {"idType": OWN.scheme, "idNo": OWN.value},
    }  # fmt: skip


def licences(*rows: dict[str, Any]) -> Handler:
    async def handle(_: Request, writer: Any) -> None:
        writer.write(answer({"licences": rows}))

    return handle


class Market:
    """The gateway, asked with real tokens about a department that answers with a few licences."""

    def __init__(self, gateway: Served) -> None:
        self._gateway = gateway

    async def ask(self, client: str, scope: str, query: str, **given: Any) -> Any:
        claims, variables = given.pop("claims", {}), given
        token = self._gateway.issuer.token(aud=self._gateway.url, client_id=client, scope=scope, **claims)
        async with httpx.AsyncClient() as http:
            told = await http.post(
                f"{self._gateway.url}/graphql", json={"query": query, "variables": variables},
                headers={"authorization": token.decode(), "accept": "application/graphql-response+json"}, timeout=20,
            )  # fmt: skip
        return told.json()

    async def shown(self) -> Mapping[str, bool] | str:
        """The ids of the records that are released, and whether each is disputed; or the error."""
        told = await self.ask(
            "market-regulator", "inquire", LICENCES, id=SUBJECT, claims={"sub": "m.ivanova"}
        )  # fmt: skip
        if told["data"]["organisation"]["businessLicences"] is None:
            (error,) = told["errors"]
            code: str = error["extensions"]["code"]
            return code
        records = [each["record"] for each in told["data"]["organisation"]["businessLicences"]]
        assert {each["version"] for each in records} <= {"1"}
        return {each["id"]: each["disputed"] for each in records}

    async def withdrawn(self, record: str) -> None:
        about = {"dataset": "business-licences", "record": record, "version": "1"}
        told = await self.ask(
            "market-stewards", "steward", REPORT, id=SUBJECT, record=about, event="WITHDRAWN", claims={"sub": "a"}
        )
        confirmed = await self.ask(
            "market-stewards", "steward", CONFIRM, id=told["data"]["reportChange"]["id"], claims={"sub": "b"}
        )
        assert confirmed["data"]["confirm"]["state"] == "DECIDED"

    async def disputed(self, record: str) -> None:
        about = {"dataset": "business-licences", "record": record}
        claims = {"sub": "p-1", "identifier": SUBJECT}
        told = await self.ask("citizen-portal", "self", OBJECT, record=about, reason="Never given.", claims=claims)
        assert told["data"]["fileObjection"]["state"] == "OPEN", told


@contextlib.asynccontextmanager
async def market(folder: Path, *rows: dict[str, Any]) -> AsyncIterator[Market]:
    async with serve(licences(*rows)) as department, served(folder, ports={"market": department.port}) as gateway:
        yield Market(gateway)


async def test_an_objection_disputes_and_a_withdrawal_withholds_whatever_the_id_is_written_like(tmp_path: Path) -> None:
    async with market(tmp_path, *map(row, NAMES)) as asked:
        assert await asked.shown() == dict.fromkeys(NAMES.values(), False)
        for sent, name in NAMES.items():
            await asked.disputed(name)
            assert (await asked.shown())[name] is True  # type: ignore[index]
            await asked.withdrawn(sent)
            assert name not in await asked.shown()
        assert await asked.shown() == {}


@pytest.mark.parametrize("unnamed", ["BL\u200b-7", "\u202eBL-7", "B\tL", "  ", "n" * 257])
async def test_what_nobody_could_name_is_not_shown(tmp_path: Path, unnamed: str) -> None:
    async with market(tmp_path, row(PLAIN), row(unnamed)) as asked:
        assert await asked.shown() == "SOURCE_INVALID"


@pytest.mark.parametrize(("grant", "shown"), [("G-1 ", {"BL-7": False}), ("G-2", "SOURCE_INVALID")])
async def test_two_ids_that_become_the_same_are_the_same_id(tmp_path: Path, grant: str, shown: object) -> None:
    async with market(tmp_path, row("BL-7"), row(PADDED, grant)) as asked:
        assert await asked.shown() == shown


async def test_ids_as_they_came_would_be_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "named", lambda said: said)
    async with market(tmp_path, row(PADDED)) as asked:
        await asked.withdrawn(PADDED)
        told = await asked.ask("market-regulator", "inquire", LICENCES, id=SUBJECT, claims={"sub": "m.ivanova"})
        assert [each["record"]["id"] for each in told["data"]["organisation"]["businessLicences"]] == [PADDED]
