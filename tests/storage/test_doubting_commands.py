"""Commands while the time is in doubt, on both stores: nothing is entered, and it is said what to do."""

from __future__ import annotations

import datetime
import functools

import pytest

from gateway.clock import MOST, Clock, machines
from gateway.ledger.log import operator
from gateway.storage.tables import micros
from tests.storage.office import Office, office, server
from tests.storage.test_restored import APPENDS

__all__ = ["office", "server"]

ROTATE = ("keys", "rotate")
COMMANDS = {**APPENDS, "rotate": ROTATE}


def refused(office: Office, command: str, why: str) -> None:
    before = office.sizes()
    said = office.refused(*COMMANDS[command])
    assert said.startswith("the time is in doubt, so nothing is entered: ")
    assert why in said
    assert "`deploy/README.md`" in said
    assert office.sizes() == before


def test_a_command_is_refused_where_any_shard_has_an_entry_ahead(office: Office) -> None:
    office.serve(1)
    office.find()
    ahead = machines() + datetime.timedelta(hours=2)
    office.sql("UPDATE shard SET floor = :floor WHERE name = '1'", floor=micros(ahead))
    for command in COMMANDS:
        refused(office, command, "behind what was entered or answered last")
    for command in COMMANDS:
        soon = machines() + datetime.timedelta(seconds=MOST / 2)
        office.sql("UPDATE shard SET floor = :floor WHERE name = '1'", floor=micros(soon))
        office.ran(*COMMANDS[command])


def test_a_command_is_refused_where_the_stores_clock_is_another(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.serve(1)
    office.find()
    theirs = type(office.place.open())
    monkeypatch.setattr(theirs, "time", lambda store: machines() - datetime.timedelta(hours=1))
    for command in COMMANDS:
        refused(office, command, "ahead of the store's")


def test_a_clock_that_jumps_while_a_command_runs_enters_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.serve(1)
    office.find()
    before, read = office.sizes(), []

    def wall() -> datetime.datetime:
        read.append(1)
        return machines() + datetime.timedelta(hours=2 if len(read) > 5 else 0)

    monkeypatch.setattr(operator, "Clock", functools.partial(Clock, wall=wall))
    for command in COMMANDS:
        read.clear()
        assert "the machine's clock jumped" in office.refused(*COMMANDS[command]), command
        assert office.sizes() == before, command
