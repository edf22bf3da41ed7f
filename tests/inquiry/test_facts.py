"""Facts: written one transaction each, read in one snapshot by whoever asked before the query began (invariant 6)."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Facts
from gateway.manage.states import States
from gateway.storage.engines.sqlite import SqliteStore as Store
from gateway.storage.engines.sqlite_facts import SqliteFacts
from gateway.storage.port import FactRow
from gateway.storage.store import open_store
from gateway.storage.subjects import facts as written
from gateway.storage.subjects.kinds import Consent, SubjectFacts
from gateway.telemetry.log import Log
from tests.stores import store_at

NOW = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DUE = datetime.date(2026, 3, 31)
PARIS = ZoneInfo("Europe/Paris")
ORG = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
OTHER = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
PERSON = Subject("person", "PIN", "1234567897")
WHO = ("https://login.example", "market-regulator")


class Counting:
    """The real source, with what was asked of it in each read."""

    def __init__(self, source: SqliteFacts) -> None:
        self.source, self.reads = source, []

    def read(self, subjects: Iterable[tuple[str, str]]) -> list[FactRow]:
        self.reads.append(list(subjects))
        return self.source.read(self.reads[-1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def source(store: Store) -> Iterator[Counting]:
    source = store.facts()
    yield Counting(source)
    source.close()


async def read(source: Counting, *subjects: Subject, now: datetime.datetime = NOW) -> Facts:
    return await FactsReader(source, PARIS).read(subjects, now, WHO)


async def one(source: Counting, subject: Subject = ORG, now: datetime.datetime = NOW) -> SubjectFacts:
    return (await read(source, subject, now=now)).subjects[subject]


def consent(store: Store, subject: Subject = PERSON) -> written.Written:
    return written.grant_consent(
        store.engine,
        subject,
        issuer="https://login.example",
        client="labour-office",
        purpose="SUBSIDY_ASSESSMENT",
        datasets={"income-statements": None, "volunteering": ["year", "hours"]},
        until=DUE,
        now=NOW,
    )


async def test_a_subject_that_nothing_is_known_of_has_facts_all_the_same(source: Counting) -> None:
    assert await read(source, ORG, OTHER) == Facts(0, {ORG: SubjectFacts(), OTHER: SubjectFacts()})
    assert await read(source) == Facts(0, {})


async def test_a_consent_keeps_its_terms_and_ends_when_revoked(store: Store, source: Counting) -> None:
    given_ = consent(store)
    datasets = {"income-statements": None, "volunteering": frozenset({"year", "hours"})}
    expected = Consent(given_.id, "https://login.example", "labour-office", "SUBSIDY_ASSESSMENT", datasets, DUE)
    facts = await read(source, PERSON)
    assert (facts.change, facts.subjects[PERSON].consents) == (given_.change, (expected,))
    assert written.revoke_consent(store.engine, PERSON, given_.id, NOW).change == given_.change + 1
    assert await read(source, PERSON) == Facts(given_.change + 1, {PERSON: SubjectFacts()})


def test_nobody_ends_what_is_not_in_force_or_not_theirs(store: Store) -> None:
    given_ = consent(store)
    objection = written.open_objection(store.engine, ORG, "tax-arrears", "1", DUE, NOW)
    for subject, name in ((ORG, given_.id), (PERSON, "unknown"), (ORG, objection.id)):
        with pytest.raises(LookupError, match="no consent"):
            written.revoke_consent(store.engine, subject, name, NOW)
    written.revoke_consent(store.engine, PERSON, given_.id, NOW)
    with pytest.raises(LookupError):
        written.revoke_consent(store.engine, PERSON, given_.id, NOW)
    assert store.facts().read([])[0][0] == 3, "a change that failed took no number"


@pytest.mark.parametrize("datasets", [{}, {"volunteering": []}])
def test_a_consent_to_nothing_is_refused(store: Store, datasets: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        written.grant_consent(
            store.engine, PERSON, issuer="i", client="c", purpose="P", datasets=datasets, until=DUE, now=NOW
        )


async def test_an_objection_is_overdue_from_the_day_after_it_was_due_in_the_policies_zone(
    store: Store, source: Counting
) -> None:
    objection = written.open_objection(store.engine, ORG, "tax-arrears", "1", DUE, NOW)
    midnight = datetime.datetime(2026, 4, 1, tzinfo=PARIS).astimezone(datetime.UTC)
    named = frozenset({"tax-arrears/1"})
    before = await one(source, now=midnight - datetime.timedelta(microseconds=1))
    assert (before.disputed, before.overdue) == (named, frozenset())
    after = await one(source, now=midnight)
    assert (after.disputed, after.overdue) == (named, named)
    with pytest.raises(ValueError, match="states its reason"):
        written.decide_objection(store.engine, objection.id, "refused", " ", NOW)
    written.decide_objection(store.engine, objection.id, "refused", "the record is accurate", NOW)
    assert await one(source, now=midnight) == SubjectFacts()


async def test_withdrawn_restored_and_opted_out(store: Store, source: Counting) -> None:
    written.withdraw(store.engine, ORG, "tax-arrears", "1", NOW, "entered by mistake")
    written.restore(store.engine, ORG, "tax-arrears", "2", NOW)
    assert written.set_opt_out(store.engine, ORG, "tax-awards", True, NOW) is not None
    assert written.set_opt_out(store.engine, ORG, "tax-awards", True, NOW) is None
    assert await one(source) == SubjectFacts(
        withdrawn=frozenset({"tax-arrears/1"}),
        restored=frozenset({"tax-arrears/2"}),
        opted_out=frozenset({"tax-awards"}),
    )
    assert written.set_opt_out(store.engine, ORG, "tax-awards", False, NOW) is not None
    facts = await read(source, ORG)
    assert (facts.change, facts.subjects[ORG].opted_out) == (4, frozenset())


def test_what_was_in_force_at_a_change_number_can_be_told_afterwards(store: Store) -> None:
    written.set_opt_out(store.engine, ORG, "tax-awards", True, NOW)
    written.set_opt_out(store.engine, ORG, "tax-awards", False, NOW)
    with store.engine.connect() as connection:
        assert connection.execute(select(written.fact.c.change, written.fact.c.ended)).all() == [(1, 2)]


def test_change_numbers_have_no_gap_and_no_twin_between_writers(store: Store) -> None:
    numbers: list[int] = []

    def write(dataset: str) -> None:
        for record in range(8):
            numbers.append(written.withdraw(store.engine, ORG, dataset, str(record), NOW).change)

    threads = [threading.Thread(target=write, args=(f"set-{each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 33))


async def test_whoever_waits_shares_one_query_and_gets_its_own_subjects_only(store: Store, source: Counting) -> None:
    written.withdraw(store.engine, ORG, "tax-arrears", "1", NOW)
    reader = FactsReader(source, PARIS)
    groups = [(ORG,), (OTHER,), (PERSON, ORG), (OTHER,)]
    answers = await asyncio.gather(*(reader.read(group, NOW, WHO) for group in groups))
    assert source.reads == [[ORG[1:], OTHER[1:], PERSON[1:], WHO]]
    assert [tuple(answer.subjects) for answer in answers] == groups
    withdrawn = SubjectFacts(withdrawn=frozenset({"tax-arrears/1"}))
    assert [answer.subjects.get(ORG) for answer in answers] == [withdrawn, None, withdrawn, None]
    assert {answer.subjects[OTHER] for answer in answers if OTHER in answer.subjects} == {SubjectFacts()}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 33])
def test_every_size_of_group_reads_all_of_its_subjects(store: Store, count: int) -> None:
    named = [("LEI", f"{number:020d}") for number in range(count)]
    for scheme, value in named:
        written.withdraw(store.engine, Subject("organisation", scheme, value), "tax-arrears", "1", NOW)
        written.withdraw(store.engine, Subject("person", "PIN", value), "tax-arrears", "1", NOW)
    rows = store.facts().read(iter(named))
    assert sorted((row[3], row[4]) for row in rows) == named


async def test_a_change_by_another_process_counts_from_the_next_read_on(
    store: Store, source: Counting, tmp_path: Path
) -> None:
    elsewhere = open_store(f"sqlite:///{tmp_path}/store.db")
    reader = FactsReader(source, PARIS)
    for number in range(1, 4):
        asked = asyncio.ensure_future(reader.read([ORG], NOW, WHO))
        await asyncio.sleep(0)  # it is waiting now, and its query has not begun
        assert len(source.reads) == number - 1
        written.withdraw(elsewhere.engine, ORG, "tax-arrears", str(number), NOW)
        assert len((await asked).subjects[ORG].withdrawn) == number
    elsewhere.close()


async def test_a_store_out_of_reach_refuses_everyone_waiting_and_heals(store: Store, source: Counting) -> None:
    reader = FactsReader(source, PARIS)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE fact RENAME TO elsewhere")
    outcomes = await asyncio.gather(*(reader.read([each], NOW, WHO) for each in (ORG, OTHER)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [Refusal, Refusal]
    assert outcomes[0] is not outcomes[1]
    assert (outcomes[0].code, outcomes[0].status) == (Code.DECISION_UNAVAILABLE, 503)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO fact")
    assert await reader.read([ORG], NOW, WHO) == Facts(0, {ORG: SubjectFacts()})


async def test_while_they_cannot_be_read_the_log_has_a_line_at_the_beginning_and_one_at_the_end(
    store: Store, source: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    reader = FactsReader(source, PARIS, States(Log(stream).state).of("facts"))
    await reader.read([ORG], NOW, WHO)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE fact RENAME TO elsewhere")
    for _ in range(20):
        with pytest.raises(Refusal):
            await reader.read([ORG], NOW, WHO)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO fact")
    for _ in range(2):
        await reader.read([ORG], NOW, WHO)
    began, ended = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (began["event"], began["part"], began["why"]) == ("began", "facts", "the database failed (SQLITE_ERROR)")
    assert (ended["event"], ended["part"], ended["failures"]) == ("ended", "facts", 20)
    assert caplog.records == []


async def test_no_store_at_all_refuses(tmp_path: Path) -> None:
    source = SqliteFacts(lambda: sqlite3.connect(tmp_path / "nowhere" / "store.db"), lambda _: True)
    with pytest.raises(Refusal) as refused:
        await FactsReader(source, PARIS).read([ORG], NOW, WHO)
    assert refused.value.code is Code.DECISION_UNAVAILABLE
    assert "nowhere" not in refused.value.message


async def test_a_store_without_its_change_number_refuses(store: Store, source: Counting) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM fact_head")
    with pytest.raises(Refusal):
        await read(source, ORG)


@pytest.mark.parametrize(
    "damage",
    [
        "kind = 'pardon'",
        "record = NULL",
        "until = NULL",
        "kind = 'consent', issuer = 'i', client = 'c', purpose = 'P', fields = '{'",
        "kind = 'consent', issuer = 'i', client = 'c', purpose = 'P', fields = '{\"a\": 1}'",
        "kind = 'consent', fields = '{}', until = 'tomorrow'",
        "kind = 'opt-out', dataset = ''",
    ],
)
async def test_a_row_that_is_not_understood_refuses_its_subject_and_nobody_else(
    store: Store, source: Counting, damage: str
) -> None:
    written.open_objection(store.engine, ORG, "tax-arrears", "1", DUE, NOW)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql(f"UPDATE fact SET {damage}")
    reader = FactsReader(source, PARIS)
    hit, spared = await asyncio.gather(
        reader.read([ORG], NOW, WHO), reader.read([OTHER], NOW, WHO), return_exceptions=True
    )
    assert isinstance(hit, Refusal)
    assert hit.code is Code.DECISION_UNAVAILABLE
    assert spared == Facts(1, {OTHER: SubjectFacts()})


async def test_a_date_that_is_none_makes_an_objection_overdue(store: Store, source: Counting) -> None:
    written.open_objection(store.engine, ORG, "tax-arrears", "1", DUE, NOW)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE fact SET until = 'soon'")
    assert (await one(source)).overdue == frozenset({"tax-arrears/1"})


async def test_one_that_leaves_does_not_disturb_the_others(source: Counting) -> None:
    reader = FactsReader(source, PARIS)
    leaving, staying = (asyncio.ensure_future(reader.read([each], NOW, WHO)) for each in (ORG, OTHER))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == Facts(0, {OTHER: SubjectFacts()})
    assert leaving.cancelled() or (await asyncio.gather(leaving, return_exceptions=True))


def test_reading_cannot_write(store: Store) -> None:
    source = store.facts()
    source.read([])
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        source._asked._connection.execute("DELETE FROM fact")


# Any history of changes reads as a plain model of it does, at every step.

changes = st.lists(
    st.tuples(
        st.sampled_from(["objection", "decision", "withdrawal", "restoration", "opt-out", "opt-in"]),
        st.sampled_from([ORG, OTHER]),
        st.sampled_from(["1", "2"]),
    ),
    max_size=8,
)


def reads_as_the_model(folder: Path, source_of: Callable[[Store], Counting]) -> None:
    @settings(max_examples=25, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(changes)
    def check(history: list[tuple[str, Subject, str]]) -> None:
        store = store_at(folder / f"{threading.get_ident()}-{next(numbers)}.db")
        source = source_of(store)
        open_: list[tuple[str, Subject, str]] = []
        model: dict[Subject, dict[str, set[str]]] = {
            each: {"withdrawn": set(), "restored": set(), "opted_out": set()} for each in (ORG, OTHER)
        }
        for change, subject, name in history:
            if change == "objection":
                open_.append((written.open_objection(store.engine, subject, "a", name, DUE, NOW).id, subject, name))
            elif change == "decision" and open_:
                written.decide_objection(store.engine, open_.pop(0)[0], "upheld", "so found", NOW)
            elif change == "withdrawal":
                written.withdraw(store.engine, subject, "a", name, NOW)
                model[subject]["withdrawn"].add(f"a/{name}")
            elif change == "restoration":
                written.restore(store.engine, subject, "a", name, NOW)
                model[subject]["restored"].add(f"a/{name}")
            elif change == "opt-out":
                written.set_opt_out(store.engine, subject, name, True, NOW)
                model[subject]["opted_out"].add(name)
            elif change == "opt-in":
                written.set_opt_out(store.engine, subject, name, False, NOW)
                model[subject]["opted_out"].discard(name)
            for each in (ORG, OTHER):
                expected = SubjectFacts(
                    disputed=frozenset(f"a/{name}" for _, whose, name in open_ if whose == each),
                    **{name: frozenset(keys) for name, keys in model[each].items()},
                )
                assert asyncio.run(one(source, each)) == expected
        source.source.close()
        store.close()

    numbers = iter(range(1_000_000))
    check()


def test_every_history_reads_as_the_model(tmp_path: Path) -> None:
    reads_as_the_model(tmp_path, lambda store: Counting(store.facts()))


def test_a_source_that_remembers_people_breaks_the_property(tmp_path: Path) -> None:
    class Remembering(Counting):
        def read(self, subjects: Iterable[tuple[str, str]]) -> list[FactRow]:
            kept: dict[tuple[tuple[str, str], ...], list[FactRow]] = self.__dict__.setdefault("kept", {})
            key = tuple(subjects)
            return kept.setdefault(key, super().read(key))

    with pytest.raises(AssertionError):
        reads_as_the_model(tmp_path, lambda store: Remembering(store.facts()))
