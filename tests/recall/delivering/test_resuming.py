"""A recipient that wanted nothing more is told again by a person's act, on both stores."""

from __future__ import annotations

import contextlib

from sqlalchemy import insert, select

from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.recall.work import delivery_stop, lane_of
from tests.storage.conftest import bare, place
from tests.storage.office import SAID, Office, office, server

__all__ = ["bare", "office", "place", "server"]

LOGIN, OTHER = "https://login.example", "https://other.example"


def stop(office: Office, issuer: str, client: str) -> None:
    with office.place.open().engine.begin() as connection:
        connection.execute(insert(delivery_stop).values(lane=lane_of(issuer, client), at=1, filed_in=1))


def stopped(office: Office) -> set[str]:
    with office.place.open().engine.connect() as connection:
        return set(connection.execute(select(delivery_stop.c.lane)).scalars())


def acted(office: Office) -> list[entries.Acted]:
    with contextlib.closing(office.place.open().reader()) as reader:
        told = [
            each.read_told() for head in read.heads(reader) for each in read.read_entries(reader, head.id, 0, head.size)
        ]
    return [each for each in told if isinstance(each, entries.Acted)]


def test_a_recipient_is_told_again_by_an_entry(office: Office) -> None:
    stop(office, LOGIN, "tender-office")
    stop(office, LOGIN, "market-regulator")
    assert "is notified of its recalls again, entry 0 of" in office.ran(
        "recalls", "resume", "--client", "tender-office", *SAID
    )
    assert stopped(office) == {lane_of(LOGIN, "market-regulator")}
    (told,) = acted(office)
    assert (told.what, told.outcome, told.value) == ("delivery-resumed", "C. Auditor: audit 9", None)
    assert told.to == entries.Who(LOGIN, "tender-office")
    assert office.verify() == 0


def test_who_is_not_stopped_is_not_resumed(office: Office) -> None:
    assert "nothing keeps `tender-office`" in office.refused("recalls", "resume", "--client", "tender-office", *SAID)
    stop(office, LOGIN, "market-regulator")
    said = office.refused("recalls", "resume", "--client", "tender-office", *SAID)
    assert "clients that are not notified: `market-regulator`" in said
    assert acted(office) == []


def test_of_two_of_one_name_the_issuer_is_to_be_said(office: Office) -> None:
    stop(office, LOGIN, "tender-office")
    stop(office, OTHER, "tender-office")
    assert "--issuer" in office.refused("recalls", "resume", "--client", "tender-office", *SAID)
    office.ran("recalls", "resume", "--client", "tender-office", "--issuer", OTHER, *SAID)
    assert stopped(office) == {lane_of(LOGIN, "tender-office")}
