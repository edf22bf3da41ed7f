"""After an erasure no table has a text, a name or an identifier of the subject; what is still open keeps it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connectors.base import Subject
from gateway.errors import Code
from gateway.ledger.log.operator import ActRefused
from gateway.ledger.verify.store import verify_store
from gateway.storage import destruction
from gateway.storage.engines.sqlite import SqliteStore
from gateway.storage.subjects.acts import matter
from gateway.storage.subjects.erasure import requests
from gateway.storage.subjects.facts import fact
from tests.acts.desk import ISSUER, Desk, days, person
from tests.acts.erasing import approved, dumped, erased
from tests.acts.matters.cases import PAPER, facts_of, row, steward
from tests.ledger.support import VERIFIERS

RECORD = {"dataset": "income-statements", "record": "REC-z4711z", "version": "VER-z4711z"}
WORDS = "WORDS-z4711z"
SAID = ("z4711z", "p-z4711z", "identity card")


async def all_acts(desk: Desk, who: Subject) -> None:
    """Everything that a subject can do, and everything over."""
    mine = desk.subject(who, "p-z4711z")
    given: dict[str, Any] = {"record": RECORD, "reason": WORDS, "papers": [PAPER | {"number": "P-z4711z"}]}
    filed = await desk.ask(mine, "fileObjection", **given, reference="r-z4711z")
    await answered(desk, filed["id"], "decideObjection", "REFUSED")
    taken = await desk.ask(mine, "fileObjection", dataset="income-statements", reason=WORDS)
    await desk.ask(mine, "withdrawMatter", id=taken["id"])
    applied = await desk.ask(mine, "applyForRestoration", **given)
    await answered(desk, applied["id"], "decideRestoration", "REFUSED")
    behalf = {"subject": {"scheme": who.scheme, "value": who.value}, "proof": "identity card z4711z"}
    clerk = desk.official("labour", "c.lerk", "counter")
    over = await desk.ask(clerk, "applyForRestoration", record=RECORD, reason=WORDS, onBehalf=behalf)
    await desk.ask(clerk, "withdrawMatter", id=over["id"], onBehalf=behalf)
    labour = {"issuer": ISSUER, "client": "labour-office"}
    asked: dict[str, Any] = {
        "purpose": "SUBSIDY_ASSESSMENT", "fields": [{"dataset": "income-statements", "fields": ["year"]}],
        "until": (desk.now + days(60)).date(),
    }  # fmt: skip
    consent = await desk.ask(mine, "grantConsent", requester=labour, **asked, reference="c-z4711z")
    await desk.ask(mine, "revokeConsent", id=consent["id"])
    office = desk.who("labour-office", "inquire", official="o.ne")
    subject = {"scheme": who.scheme, "value": who.value}
    await desk.ask(office, "requestConsent", subject=subject, words=WORDS, **asked)


async def answered(desk: Desk, id_: str, field: str, outcome: str) -> None:
    await desk.ask(steward(desk), field, id=id_, outcome=outcome, reason=WORDS)


async def test_nothing_of_the_subject_is_left_in_any_table(desk: Desk) -> None:
    who, other = person(), person()
    await all_acts(desk, who)
    await all_acts(desk, other)
    before = dumped(desk.store)
    assert who.value in before
    await erased(desk.store, who)
    after = dumped(desk.store)
    assert other.value in after
    assert who.value not in after
    with desk.store.engine.connect() as connection:
        for table in (matter, fact):
            whose = [value for (value,) in connection.execute(select(table.c.value))]
            assert set(whose) == {None if table is matter else "", other.value}
    await erased(desk.store, other)
    after = dumped(desk.store)
    for said in (who.value, other.value, *SAID):
        assert said not in after, said
    with desk.store.engine.connect() as connection:
        assert connection.execute(select(matter.c.filed_by).distinct()).scalars().all() == [None]
        assert "open" not in connection.execute(select(matter.c.state)).scalars().all()
    verify_store(desk.store, VERIFIERS)


async def test_a_scrub_leaves_tables_and_indexes_as_they_were(desk: Desk) -> None:
    who = person()
    await all_acts(desk, who)
    made = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    sqlite = isinstance(desk.store, SqliteStore)
    with desk.store.engine.connect() as connection:
        before = connection.exec_driver_sql(made).all() if sqlite else []
    await erased(desk.store, who)
    rows = dumped(desk.store)
    why = destruction.scrub(desk.store)
    assert dumped(desk.store) == rows
    if isinstance(desk.store, SqliteStore):
        with desk.store.engine.connect() as connection:
            assert connection.exec_driver_sql(made).all() == before
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        if why is None:
            assert who.value.encode() not in desk.store.path.read_bytes()


async def test_what_is_open_keeps_the_subject(desk: Desk) -> None:
    who = person()
    mine = desk.subject(who)
    given: dict[str, Any] = {"record": RECORD, "reason": WORDS}
    objection = await desk.ask(mine, "fileObjection", **given)
    application = await desk.ask(mine, "applyForRestoration", **given)
    with pytest.raises(ActRefused, match=f"matter `{objection['id']}` is open.*decided, and corrected") as raised:
        await erased(desk.store, who)
    assert f"matter `{application['id']}` is open" in str(raised.value)
    assert str(raised.value).count("is open") == 2
    await answered(desk, application["id"], "decideRestoration", "UPHELD")
    await answered(desk, objection["id"], "decideObjection", "UPHELD")
    with pytest.raises(ActRefused) as raised:
        await approved(desk.store, requests(desk.store.engine)[0].id)
    assert f"matter `{objection['id']}` is open" in str(raised.value)
    assert f"matter `{application['id']}` is open" in str(raised.value)
    assert (await facts_of(desk, who)).disputed == {"income-statements/REC-z4711z"}


async def test_an_open_matter_whose_row_was_taken_away_keeps_it_by_its_entry(desk: Desk) -> None:
    who = person()
    filed = await desk.ask(desk.subject(who), "fileObjection", dataset="income-statements", reason=WORDS)
    with desk.store.engine.begin() as connection:
        connection.execute(matter.delete())
    with pytest.raises(
        ActRefused, match=f"matter `{filed['id']}` is open by its entry, but its row was removed or altered"
    ):
        await erased(desk.store, who)


async def test_an_erased_matter_is_nobodys(desk: Desk) -> None:
    who = person()
    mine = desk.subject(who)
    filed = await desk.ask(mine, "fileObjection", record=RECORD, reason=WORDS, reference="r-1")
    await answered(desk, filed["id"], "decideObjection", "REFUSED")
    await erased(desk.store, who)
    assert await desk.refused(mine, "withdrawMatter", id=filed["id"]) == Code.MATTER_NOT_FOUND
    assert (await desk.ask(steward(desk), "matters", first=20))["items"] == []
    assert row(desk, filed["id"]).record is None
    # What was decided before is forgotten: the same may be filed again, and the reference is free.
    again = await desk.ask(mine, "fileObjection", record=RECORD, reason=WORDS, reference="r-1")
    assert again["id"] != filed["id"]


async def test_facts_in_force_go_on(desk: Desk) -> None:
    """An opt-out restrains until it is lifted: it names its subject, and whoever erases is told of it."""
    who = person()
    mine = desk.subject(who)
    favourable = [
        each.id
        for each in desk.rules.policies.catalogue.published.values()
        if each.nature == "favourable" and "person" in each.subjects
    ]
    await desk.ask(mine, "setOptOut", dataset=favourable[0], optedOut=True)
    await erased(desk.store, who)
    assert (await facts_of(desk, who)).opted_out == {favourable[0]}
    assert destruction.in_force(desk.store.engine, *who[1:]) == {"opt-out": 1}


async def test_what_is_open_is_emptied_by_no_erasure(desk: Desk) -> None:
    """One that is carried out again, after a backup, is forbidden by nothing: then too what is open goes on."""
    who = person()
    mine = desk.subject(who)
    records = [RECORD | {"record": f"R-{number}"} for number in range(4)]
    filed = [await desk.ask(mine, "fileObjection", record=each, reason=WORDS) for each in records]
    applied = await desk.ask(mine, "applyForRestoration", record=RECORD, reason=WORDS)
    await answered(desk, filed[0]["id"], "decideObjection", "REFUSED")
    await answered(desk, filed[1]["id"], "decideObjection", "UPHELD")
    await answered(desk, applied["id"], "decideRestoration", "UPHELD")
    await desk.ask(mine, "withdrawMatter", id=filed[2]["id"])
    with desk.store.engine.begin() as connection:
        for each in destruction._emptying(*who[1:]):
            connection.execute(each)
    named = {each["id"]: row(desk, each["id"]).value for each in (*filed, applied)}
    kept = {filed[1]["id"], filed[3]["id"], applied["id"]}
    assert {id_ for id_, value in named.items() if value == who.value} == kept
    assert (await facts_of(desk, who)).disputed == {"income-statements/R-1", "income-statements/R-3"}
