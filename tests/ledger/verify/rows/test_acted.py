"""Acts, facts and matters against their entries: whatever is removed, altered, made up or set back is named."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from connectors.base import Subject
from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.erasure import hold
from gateway.ledger.log.operator import CLIENT, enter
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import act, act_head, matter
from tests.acts.desk import Desk, days, desk_on, organisation, person
from tests.acts.erasing import erased
from tests.acts.matters.cases import applied, decided, objected, steward
from tests.acts.test_changes import RECORD, corrected, report, system
from tests.acts.test_consents import wanted
from tests.ledger.support import VERIFIERS
from tests.storage.conftest import Place, bare, place, server, store

__all__ = ["bare", "place", "server", "store"]

OF = "(SELECT id FROM matter WHERE kind = '{}' AND state = '{}' ORDER BY id LIMIT 1)"
FACT = "(SELECT change FROM fact WHERE kind = '{}' AND ended IS NULL ORDER BY change LIMIT 1)"


async def everything(desk: Desk) -> Subject:
    """An act of nearly every kind, in a while; the subject whose things are still open."""
    who, other, citizen = organisation(), organisation(), person()
    mine, own = desk.subject(who), desk.subject(citizen)
    given = await desk.ask(own, "grantConsent", **wanted())
    await desk.ask(own, "revokeConsent", id=given["id"])
    await desk.ask(own, "grantConsent", **wanted())
    await desk.ask(mine, "setOptOut", dataset="tax-awards", optedOut=True)
    first = await objected(desk, mine)
    await decided(desk, first["id"], "UPHELD")
    desk.now += days(1)
    await objected(desk, desk.subject(other))
    refused = await objected(desk, desk.subject(other), record={"dataset": "tax-arrears", "record": "N-2"})
    await decided(desk, refused["id"], "REFUSED")
    asked = await applied(desk, desk.subject(other))
    await decided(desk, asked["id"], "UPHELD", of="Restoration")
    await desk.ask(steward(desk, "s.two"), "confirm", id=asked["id"])
    await applied(desk, mine)
    made = await desk.ask(steward(desk), "reportChange", **corrected(who))
    await desk.ask(steward(desk, "s.two"), "confirm", id=made["id"])  # ends the upheld objection
    await desk.ask(system(desk), "reportChange", **report(other))
    await desk.ask(system(desk), "reportChange", **report(other, "REINSTATED"))
    doubted = await desk.ask(system(desk), "reportChange", **report(who, record={**RECORD, "record": "N-3"}))
    assert doubted["state"] == "DECIDED"
    again = await desk.ask(
        system(desk), "reportChange", **report(who, "REINSTATED", record={**RECORD, "record": "N-3"})
    )
    await desk.ask(steward(desk), "decline", id=again["id"], reason="It is wrong.")
    kept = await hold.place(desk.ledger, who[1:], "C. Auditor", "audit", "c")
    await hold.lift(desk.ledger, kept.id, "C. Auditor", "over", "c")
    return who


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    async with desk_on(store) as made:
        yield made


def altered(store: Store, statement: str, **values: Any) -> None:
    with store.engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount > 0, statement


ALTERED = {
    "an act without its row": (
        "DELETE FROM act WHERE number = 5",
        "it is of an act, and the row of that in `act` is gone",
    ),
    "the last act without its row, and counted without it": (
        "DELETE FROM act WHERE number = (SELECT max(number) FROM act)",
        "it is of an act, and the row of that in `act` is gone",
    ),
    "an act of another id": ("UPDATE act SET id = 'x' WHERE number = 5", "its row is not what its entry records"),
    "an act of another time": ("UPDATE act SET at = at + 1 WHERE number = 5", "its row is not what its entry records"),
    "an act that moved another matter": (
        "UPDATE act SET matter = 'x' WHERE number = 1",
        "its row is not what its entry records",
    ),
    "acts that changed places": (
        "UPDATE act SET entry = (SELECT max(entry) + 1 FROM act) WHERE number = 5",
        "it is of an act, and the row of that in `act` is gone",
    ),
    "an act that was numbered before others": ("UPDATE act SET number = -1 WHERE number = 5", "is not after those"),
    "acts that were counted on": ("UPDATE act_head SET number = number + 1", "acts: "),
    "a withdrawal for another record": (
        f"UPDATE fact SET record = 'N-99' WHERE change = {FACT.format('withdrawal')}",
        "records it otherwise: it was altered",
    ),
    "a restoration of another subject": (
        f"UPDATE fact SET value = 'x' WHERE change = {FACT.format('restoration')}",
        "records it otherwise: it was altered",
    ),
    "a withdrawal that is a correction": (
        f"UPDATE fact SET kind = 'correction' WHERE change = {FACT.format('withdrawal')}",
        "records it otherwise: it was altered",
    ),
    "a consent to something else": (
        f"UPDATE fact SET fields = '{{}}' WHERE change = {FACT.format('consent')}",
        "records it otherwise: it was altered",
    ),
    "a consent that lasts longer": (
        f"UPDATE fact SET until = '2099-01-01' WHERE change = {FACT.format('consent')}",
        "records it otherwise: it was altered",
    ),
    "a consent to another": (
        f"UPDATE fact SET client = 'x' WHERE change = {FACT.format('consent')}",
        "records it otherwise: it was altered",
    ),
    "an objection that is due later": (
        f"UPDATE fact SET until = '2099-01-01' WHERE change = {FACT.format('objection')}",
        "records it otherwise: it was altered",
    ),
    "an objection that ended otherwise": (
        "UPDATE fact SET outcome = 'upheld' WHERE kind = 'objection' AND outcome = 'refused'",
        "did not end it: it was altered",
    ),
    "a withdrawal that ends by itself": (
        f"UPDATE fact SET until = '2020-01-01' WHERE change = {FACT.format('withdrawal')}",
        "records it otherwise: it was altered",
    ),
    "a fact that ended at another time": (
        "UPDATE fact SET ended_at = ended_at + 1 WHERE ended = 2",
        "did not end it: it was altered",
    ),
    "a matter that was removed": (
        f"DELETE FROM matter WHERE id = {OF.format('objection', 'open')}",
        "is about it, and its row is gone",
    ),
    "an application that was decided by nobody": (
        f"UPDATE matter SET state = 'decided', outcome = 'refused' WHERE id = {OF.format('restoration', 'open')}",
        "is not what its last act records",
    ),
    "a refusal that was opened again": (
        "UPDATE matter SET state = 'open' WHERE kind = 'objection' AND outcome = 'refused'",
        "is not what its last act records",
    ),
    "a restoration set back to before its confirmation": (
        "UPDATE matter SET state = 'awaits-confirmation', fact = NULL, moved_in = decided_in"
        " WHERE kind = 'restoration' AND state = 'decided'",
        "it was set back",
    ),
    "an objection set back to its filing": (
        "UPDATE matter SET state = 'open', outcome = NULL, moved_in = NULL, decided_in = NULL"
        " WHERE kind = 'objection' AND outcome = 'refused'",
        "it was set back",
    ),
    "a change of another event's record": (
        "UPDATE matter SET record = 'N-99' WHERE kind = 'change' AND event = 'corrected'",
        "is not what it was filed as",
    ),
    "a change that corrects, and was a withdrawal": (
        "UPDATE matter SET event = 'corrected' WHERE kind = 'change' AND event = 'withdrawn'",
        "is not what it was filed as",
    ),
    "a matter that was filed later": (
        f"UPDATE matter SET filed = filed + 1 WHERE id = {OF.format('objection', 'open')}",
        "is not what it was filed as",
    ),
    "an application that is due later": (
        f"UPDATE matter SET due = '2099-01-01' WHERE id = {OF.format('restoration', 'open')}",
        "is not what its last act records",
    ),
    "an objection that was refused, and is upheld": (
        "UPDATE matter SET outcome = 'upheld' WHERE kind = 'objection' AND outcome = 'refused'",
        "is not what its last act records",
    ),
    "a matter of another subject": (
        f"UPDATE matter SET value = 'x' WHERE id = {OF.format('objection', 'open')}",
        "is not what it was filed as",
    ),
    "a matter that another's act decided": (
        "UPDATE matter SET state = 'decided', decided_in ="
        " (SELECT max(decided_in) FROM matter WHERE kind = 'change' AND event = 'withdrawn')"
        f" WHERE id = {OF.format('restoration', 'open')}",
        "is not what its last act records",
    ),
    "a change that was declined and waits again": (
        "UPDATE matter SET state = 'awaits-confirmation' WHERE state = 'declined'",
        "is not what its last act records",
    ),
    "a change that nobody confirmed": (
        "UPDATE matter SET state = 'decided' WHERE state = 'awaits-confirmation' AND kind = 'change'",
        "is not what its last act records",
    ),
}


async def test_what_is_altered_is_named(place: Place) -> None:
    async with desk_on(place.open()) as desk:
        await everything(desk)
        verify_store(desk.store, VERIFIERS)
    for name, (statement, why) in ALTERED.items():
        copy = place.copy()
        store = copy.open()
        altered(store, statement)
        with pytest.raises(VerificationFailed) as raised:
            verify_store(store, VERIFIERS)
        assert re.search(why, str(raised.value)), name
        verify_store(store, VERIFIERS, rows=False)
        copy.remove()


async def test_a_restraint_that_ended_by_nobodys_act_is_named(desk: Desk) -> None:
    """With its number, and the numbers counted on, as only whoever knows the tables does it."""
    await everything(desk)
    altered(desk.store, "UPDATE fact_head SET change = change + 1")
    last = "(SELECT change FROM fact_head)"
    altered(desk.store, f"UPDATE fact SET ended = {last}, ended_at = at WHERE change = {FACT.format('restoration')}")
    with pytest.raises(VerificationFailed, match=r"fact `\w+`: no act ended it by change \d+"):
        verify_store(desk.store, VERIFIERS)


MORE = "UPDATE fact_head SET change = change + 1"
HEAD = "(SELECT change FROM fact_head)"
CONSENT = (
    "INSERT INTO fact (change, id, kind, scheme, value, issuer, client, purpose, fields, until, at)"
    f" SELECT {HEAD}, 'f', 'consent', scheme, value, issuer, client, purpose, fields, '2099-01-01', at"
    " FROM fact WHERE kind = 'consent' ORDER BY change LIMIT 1"
)


async def test_a_consent_that_nobody_gave_is_named(desk: Desk) -> None:
    """With the number that follows, and the head counted on; it stays so when others act since."""
    await everything(desk)
    altered(desk.store, MORE)
    altered(desk.store, CONSENT)
    with pytest.raises(VerificationFailed, match=r"facts: change \d+: no act made it"):
        verify_store(desk.store, VERIFIERS)
    await desk.ask(desk.subject(person()), "grantConsent", **wanted())
    with pytest.raises(VerificationFailed, match=r"facts: change \d+: no act made it"):
        verify_store(desk.store, VERIFIERS)


async def test_a_consent_that_is_given_again_in_the_place_of_its_end_is_named(desk: Desk) -> None:
    """A fact of nothing has the number of its end, so that all numbers stand."""
    await everything(desk)
    altered(
        desk.store,
        "INSERT INTO fact (change, id, kind, scheme, value, dataset, at)"
        " SELECT 2, 'f', 'opt-out', scheme, value, 'tax-awards', ended_at FROM fact WHERE ended = 2",
    )
    altered(desk.store, "UPDATE fact SET ended = NULL, ended_at = NULL WHERE change = 1")
    with pytest.raises(VerificationFailed, match=r"fact `f`: act `\w+` records it otherwise"):
        verify_store(desk.store, VERIFIERS)


@pytest.mark.parametrize("at", ["at", "(SELECT max(at) FROM act)"])
async def test_a_consent_that_nobody_gave_behind_what_was_erased_is_named(desk: Desk, at: str) -> None:
    """Whatever time it has: an erased act tells what it did, and when, though not of what."""
    await everything(desk)
    who = organisation()
    opting = await desk.ask(desk.subject(who), "setOptOut", dataset="tax-awards", optedOut=True)
    assert opting["optedOut"]
    await erased(desk.store, who)
    verify_store(desk.store, VERIFIERS)
    altered(desk.store, MORE)
    altered(desk.store, CONSENT.replace(", at FROM", f", {at} FROM"))
    with pytest.raises(VerificationFailed, match=r"facts: change \d+: no act made it"):
        verify_store(desk.store, VERIFIERS)


@pytest.mark.parametrize("kind", ["consent", "withdrawal"])
async def test_a_fact_in_the_place_of_one_of_an_erased_subject_is_named(desk: Desk, kind: str) -> None:
    await everything(desk)
    who = organisation()
    await desk.ask(desk.subject(who), "setOptOut", dataset="tax-awards", optedOut=True)
    await erased(desk.store, who)
    altered(desk.store, f"UPDATE fact SET kind = '{kind}' WHERE change = {HEAD}")
    with pytest.raises(VerificationFailed, match=r"fact `\w+`: no act made change \d+"):
        verify_store(desk.store, VERIFIERS)


async def test_a_fact_from_before_acts_is_let_be_and_is_not_ended_by_nobody(desk: Desk) -> None:
    who = desk.subject(organisation())
    subject = Subject("organisation", *who.identifier)
    facts.enter(desk.store.engine, "withdrawal", subject, desk.now, dataset="tax-arrears", record="N-7")
    await everything(desk)
    verify_store(desk.store, VERIFIERS)
    altered(desk.store, MORE)
    altered(desk.store, f"UPDATE fact SET ended = {HEAD}, ended_at = at WHERE change = 1")
    with pytest.raises(VerificationFailed, match=r"facts: change \d+: no act made it"):
        verify_store(desk.store, VERIFIERS)


async def test_a_fact_that_was_removed_with_its_numbers_is_named(desk: Desk) -> None:
    await everything(desk)
    with desk.store.engine.connect() as connection:
        assert connection.execute(text("SELECT ended FROM fact WHERE kind = 'consent' AND change = 1")).scalar() == 2
    altered(desk.store, "DELETE FROM fact WHERE change = 1")
    altered(desk.store, "UPDATE fact SET change = 1, ended = 2, ended_at = at WHERE change = 3")
    with pytest.raises(VerificationFailed, match=r"fact `\w+`: act `\w+` records it otherwise"):
        verify_store(desk.store, VERIFIERS)


@pytest.mark.parametrize("kind", ["act", "matter"])
async def test_what_is_made_up_is_named(desk: Desk, kind: str) -> None:
    await everything(desk)
    place = "(SELECT max(entry) FROM act)"
    with desk.store.engine.begin() as connection:
        if kind == "act":
            number = connection.execute(
                act_head.update().values(number=act_head.c.number + 1).returning(act_head.c.number)
            )
            row = {"id": "f" * 32, "number": number.scalar_one(), "at": 1, "entry": 7 << 40}
            connection.execute(act.insert().values(row))
        else:
            first = connection.execute(text(f"SELECT {place}")).scalar_one()
            row = {"id": "f" * 32, "kind": "change", "state": "decided", "scheme": "LEI", "value": "1", "filed": 1}
            connection.execute(matter.insert().values(row | {"filed_in": first}))
    with pytest.raises(VerificationFailed, match="made up"):
        verify_store(desk.store, VERIFIERS)


async def test_what_commands_entered_before_they_were_acts_needs_no_row(desk: Desk) -> None:
    """Its id has hyphens; one without them, and without its row, is named."""
    for id_, named in (("3f2b8c1e-0000-4000-8000-000000000000", False), ("3f2b8c1e" * 4, True)):
        who = ("R. Reviewer", "none", "ramp", "proper", "a duty", ())
        await enter(desk.ledger, entries.Reviewed(entries.VERSION, id_, desk.now, CLIENT, *who), "r", ())
        with pytest.raises(VerificationFailed) as raised:
            verify_store(desk.store, VERIFIERS)
        assert ("it is of an act" in str(raised.value)) is named
