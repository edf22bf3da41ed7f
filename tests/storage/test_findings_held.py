"""Rows of findings, altered by whoever has the database: named by `ledger verify`, brought back, and not believed."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from gateway.clock import machines
from gateway.config import settings
from gateway.inquiry import disclose
from gateway.inquiry.types import Declaration, Released
from gateway.ledger.log.build import ledger_of
from gateway.ledger.projections.projector import Projector
from gateway.ledger.proof import key_files
from gateway.rules.files.calendar import Calendar
from gateway.storage.watch import findings as kept
from gateway.watch.break_glass import BreakGlass
from tests.ledger.support import AT, DATA, SUBJECT, an_entry
from tests.storage.office import FINDING, Office, office, server

__all__ = ["office", "server"]

GLASS = "break-glass-inquiry-7"


def break_the_glass(office: Office, *, linked: bool = True) -> None:
    """Answer an emergency's inquiry, as a gateway does, and project it."""

    async def answer() -> None:
        found = settings.load(office.config, os.environ)
        ledger = ledger_of(office.place.open(), found.ledger, key_files.load(found.ledger.key_file), machines)
        await ledger.start()
        try:
            made = an_entry(7)
            made.declaration = Declaration("EMERGENCY_AID", document="A tank leaks into the river at the site.")
            glass = BreakGlass(ledger.store.engine, Calendar("Europe/Sofia"), dict, lambda *use: None)
            made.change = glass.use(made.id, made.requester, "EMERGENCY_AID", AT)
            if not linked:
                made.change = made.change._replace(entered=lambda name, index: asyncio.sleep(0))
            released = Released([], [], [])
            await disclose.disclose(ledger, made, {(SUBJECT, "tax-arrears"): released}, DATA, (), AT)
        finally:
            await ledger.close()

    asyncio.run(answer())
    projector = Projector(office.place.open())
    while projector.turn():
        pass
    projector.close()


SHAPES: dict[str, tuple[str, str]] = {
    "official": (f"UPDATE finding SET official = 'x' WHERE id = '{FINDING}'", f"finding `{FINDING}`: its row is not"),
    "client": (f"UPDATE finding SET client = 'x' WHERE id = '{FINDING}'", f"finding `{FINDING}`: its row is not"),
    "purpose": (f"UPDATE finding SET purpose = 'x' WHERE id = '{FINDING}'", f"finding `{FINDING}`: its row is not"),
    "pattern": (f"UPDATE finding SET pattern = 'x' WHERE id = '{FINDING}'", f"finding `{FINDING}`: its row is not"),
    "its entries": (f"DELETE FROM finding_entry WHERE finding = '{FINDING}'", "its entries were removed"),
    "glass official": (f"UPDATE finding SET official = 'x' WHERE id = '{GLASS}'", f"finding `{GLASS}`: its row is not"),
    "glass department": (
        f"UPDATE finding SET department = 'x' WHERE id = '{GLASS}'",
        f"finding `{GLASS}`: its row is not",
    ),
    "glass department gone": (
        f"UPDATE finding SET department = NULL WHERE id = '{GLASS}'",
        f"finding `{GLASS}`: its row is not",
    ),
    "glass issuer": (f"UPDATE finding SET issuer = 'x' WHERE id = '{GLASS}'", f"finding `{GLASS}`: its row is not"),
    "glass put off": (f"UPDATE finding SET at = at + 1 WHERE id = '{GLASS}'", f"finding `{GLASS}`: its row is not"),
    "glass as another detector's": (
        f"UPDATE finding SET detector = 'out-of-hours' WHERE id = '{GLASS}'",
        f"finding `{GLASS}`: its row is not",
    ),
    "glass on another entry": (
        f"UPDATE finding_entry SET entry = entry - 1 WHERE finding = '{GLASS}'",
        "another entry than its own",
    ),
    "glass removed": (
        f"DELETE FROM finding_entry WHERE finding = '{GLASS}'; DELETE FROM finding WHERE id = '{GLASS}'",
        f"finding `{GLASS}`: an entry records it, but its row was removed; `dutybound watch follow` brings",
    ),
    "glass made up": (
        "INSERT INTO finding (id, pattern, part, detector, article, at, issuer, client, purpose, words)"
        " VALUES ('break-glass-x', 'break-glass-x', 1, 'break-glass', '28(1)', 1, 'x', 'x', 'x', 'x')",
        "finding `break-glass-x`: no entry records it: it was made up",
    ),
    "read ahead": ("UPDATE watch_cursor SET next = 99", "the watch has read 99 entries of shard"),
    "read behind": ("UPDATE watch_cursor SET next = 0", "by `watch_cursor` the watch has not read an entry"),
    "head set back": ("UPDATE watch_head SET version = 0", "`watch_head`: it lacks"),
    "head removed": ("DELETE FROM watch_head", "`watch_head`: it lacks"),
}


def test_each_altered_row_is_named(office: Office) -> None:
    office.serve(1, 2)
    office.find()
    break_the_glass(office)
    assert office.verify() == 0, office.err
    place = office.place
    for shape, (statements, said) in SHAPES.items():
        office.move(place.copy())
        for statement in statements.split("; "):
            assert office.sql(statement), shape
        assert office.verify() == 1, shape
        assert said in office.err, (shape, office.err)


GONE = {
    "removed": f"DELETE FROM finding_entry WHERE finding = '{GLASS}'; DELETE FROM finding WHERE id = '{GLASS}'",
    "altered": f"UPDATE finding SET official = 'x', department = 'x', at = at + 99 WHERE id = '{GLASS}'",
    "on another entry": f"UPDATE finding_entry SET entry = entry - 1 WHERE finding = '{GLASS}'",
    "without its entry": f"DELETE FROM finding_entry WHERE finding = '{GLASS}'",
}


def test_a_review_of_break_glass_is_brought_back(office: Office) -> None:
    office.serve(1, 2)
    break_the_glass(office)
    office.ran("watch", "follow", "--once")
    engine = office.place.open().engine
    before = kept.one_finding(engine, GLASS)
    for (how, statements), projected in itertools.product(GONE.items(), (True, False)):
        for each in statements.split("; "):
            assert office.sql(each), how
        if not projected:
            office.sql("DELETE FROM asked")
            office.sql("UPDATE projected SET next = 0 WHERE projection = 'asked'")
        office.ran("watch", "follow", "--once")
        assert "1 finding of break-glass brought back" in office.err, (how, projected)
        assert kept.one_finding(engine, GLASS) == before, (how, projected)
        office.ran("watch", "follow", "--once")
        assert office.err == "", (how, projected)
    assert office.verify() == 0, office.err


def test_a_review_whose_link_failed_is_whole_and_gets_its_entry_back(office: Office) -> None:
    office.serve(1)
    break_the_glass(office, linked=False)
    assert office.verify() == 0, "the entry is found by the inquiry that the finding names"
    with pytest.raises(ValueError, match="run `dutybound watch follow --once`"):
        office.review(GLASS)
    office.ran("watch", "follow", "--once")
    office.review(GLASS)
    assert kept.one_finding(office.place.open().engine, GLASS)[0].verdict == "proper"


@pytest.mark.parametrize("finding", [FINDING, GLASS])
def test_who_made_the_inquiries_is_read_from_their_entries(office: Office, finding: str) -> None:
    """An official whose row was given to somebody else ended the review of her own use."""
    office.serve(1)
    office.find()
    break_the_glass(office)
    assert office.sql(f"UPDATE finding SET official = 'somebody' WHERE id = '{finding}'")
    for by in ("m.ivanova", " M.Ivanova "):
        with pytest.raises(ValueError, match="somebody else has to review them"):
            office.review(finding, by)
    with pytest.raises(ValueError, match="it was altered; run `dutybound ledger verify`"):
        office.review(finding)
    assert office.sql(f"DELETE FROM finding_entry WHERE finding = '{finding}'")
    with pytest.raises(ValueError, match="the entry behind"):
        office.review(finding, "m.ivanova")
