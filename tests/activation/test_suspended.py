"""A suspension stands outside rule sets: no activation and no rollback reopens what is suspended."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from pathlib import Path

from sqlalchemy import insert, update

from connectors.base import Subject
from gateway.activation.activating import Wanted, by_files
from gateway.inquiry.facts import FactsReader
from gateway.storage.port import Store
from gateway.storage.subjects import facts
from tests.activation.test_activating import Office, activated, office
from tests.storage.conftest import Place, bare, place, server

__all__ = ["Path", "bare", "office", "place", "server"]

WHO = ("https://login.example", "market-regulator")
NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def suspended(store: Store) -> tuple[int, dict[tuple[str, str], str]]:
    """The epoch, and what an inquiry of the client reads that it is suspended for."""

    async def read() -> tuple[int, dict[tuple[str, str], str]]:
        with contextlib.closing(store.facts()) as rows:
            known = await FactsReader(rows, datetime.UTC).read([Subject("organisation", "LEI", "X")], NOW, WHO)
        return known.epoch, dict(known.suspended)

    return asyncio.run(read())


def test_it_survives_activation_and_rollback(place: Place, office: Office) -> None:
    store = place.open()
    at = office.place(store)
    by_files(at, *office.shipped)
    row = facts.row("suspension", WHO, NOW, 1, dataset="tax-arrears", record="r-1", purpose="TENDER_QUALIFICATION")
    with store.engine.begin() as connection:
        connection.execute(update(facts.fact_head).values(change=1))
        connection.execute(insert(facts.fact).values(**row))
    held = {("TENDER_QUALIFICATION", "tax-arrears"): "r-1"}
    assert suspended(store) == (1, held)
    activated(at, Wanted(*office.other, "proposal"))
    assert suspended(store) == (2, held)
    activated(at, Wanted(office.shipped[0], None, "rollback"))
    assert suspended(store) == (3, held)
