"""What inquiries were to be answered, and what has to stand, as the entries alone say it."""

from __future__ import annotations

from sqlalchemy import select

from gateway.acts.subject.words import acts_at
from gateway.ledger.entry import entries
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from gateway.storage.subjects.acts import act_head
from gateway.storage.subjects.facts import fact, fact_head
from tests.acts.whole.folded import Known, Ledgers
from tests.acts.whole.histories import PURPOSE, RECORDS, History, Look
from tests.ledger.support import VERIFIERS


def expected(look: Look, known: Known) -> tuple[set[tuple[str, str, str]], set[tuple[str, str]], set[str]]:
    """What an inquiry is to release, what of it is disputed, and the consents that it rests on."""
    covered: dict[str, set[str]] = {"person-register": {"name"}}
    used = {
        id_
        for id_, each in known.consents.items()
        if (each.client, each.purpose) == (look.client, PURPOSE) and each.until >= look.day
    }
    for id_ in used:
        for dataset, names in known.consents[id_].fields.items():
            covered.setdefault(dataset, set()).update(names)
    gone = known.withdrawn | known.restored | known.overdue(look.day)
    records = [*RECORDS, ("person-register", "person-register-0")]
    shown = {each for each in records if each not in gone and each[0] not in known.opted_out}
    shown = {each for each in shown if each[0] in covered}
    disputed = {each.record for each in known.disputes.values()} & shown
    return {(*each, name) for each in shown for name in covered[each[0]] & ASKED[each[0]]}, disputed, used


ASKED = {
    "person-register": {"name"}, "income-statements": {"year", "taxableIncome", "currency"},
    "employment-contracts": {"employerName"}, "volunteering": {"year", "hours"},
}  # fmt: skip


def judged(history: History, store: Store) -> None:
    """Hold all that was answered against what the entries say."""
    ledgers = whole(store)
    for look in history.looks:
        told, oversight = ledgers.told[look.id]
        assert isinstance(told, entries.Inquiry)
        change = oversight.facts
        assert change is not None
        assert look.low <= change <= look.high, "facts from before it came, or that were not committed yet"
        released, disputed, used = expected(look, ledgers.known(look.subject[1:], change))
        assert (look.values, look.disputed, set(oversight.consents)) == (released, disputed, used), look
    by_somebody = [told.id for told in ledgers.acts if told.requester.client != "ledger"]
    assert sorted(by_somebody) == sorted(set(history.told)), "an act that nobody was told of, or that is not there"


def whole(store: Store) -> Ledgers:
    """What stands in a store, where each act has its entry and its numbers, and all is proved."""
    ledgers = Ledgers(store)
    words = acts_at(store, list(ledgers.places))
    assert {place: words[place].id for place in ledgers.places} == ledgers.places
    _numbered(store, ledgers)
    verify_store(store, VERIFIERS)
    return ledgers


def _numbered(store: Store, ledgers: Ledgers) -> None:
    with store.engine.connect() as connection:
        assert ledgers.numbers == list(range(1, connection.execute(select(act_head.c.number)).scalar_one() + 1))
        last = connection.execute(select(fact_head.c.change)).scalar_one()
        rows = connection.execute(select(fact)).mappings().all()
    taken = [number for told in ledgers.acts for number in told.changes]
    kept = [number for row in rows for number in (row["change"], row["ended"]) if number is not None]
    assert taken == list(range(1, last + 1)) == sorted(kept), "a change of facts without its number, or the other way"
    for whose in {(row["scheme"], row["value"]) for row in rows}:
        known = ledgers.known(whose)
        stands = [row for row in rows if (row["scheme"], row["value"]) == whose and row["ended"] is None]
        assert {row["id"] for row in stands if row["kind"] == "consent"} == set(known.consents)
        for kind, told in (("withdrawal", known.withdrawn), ("restoration", known.restored)):
            assert {(row["dataset"], row["record"]) for row in stands if row["kind"] == kind} == told
        disputed = sorted((row["dataset"], row["record"]) for row in stands if row["kind"] == "objection")
        assert disputed == sorted(each.record for each in known.disputes.values())
        assert {row["dataset"] for row in stands if row["kind"] == "opt-out"} == known.opted_out
