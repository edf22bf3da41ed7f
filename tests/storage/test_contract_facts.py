"""Facts on every store: what was written counts from the next read on, in one snapshot with its change number."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import threading
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import text

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.facts import FactsReader
from gateway.inquiry.types import Facts
from gateway.storage.port import FactRow, Store
from gateway.storage.subjects import facts as written
from gateway.storage.subjects.kinds import Kind, SubjectFacts
from tests.storage.conftest import Place

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
DUE = datetime.date(2026, 12, 1)
WHO = ("https://login.example", "market-regulator")
ORG, OTHER = (Subject("organisation", "LEI", value) for value in ("5493001KJTIIGC8Y1R12", "529900T8BM49AURSDO55"))
PERSON = Subject("person", "PIN", "1234567890")


@pytest.fixture
async def reader(store: Store) -> Iterator[FactsReader]:
    source = store.facts()
    yield FactsReader(source, datetime.UTC)
    source.close()


async def test_a_store_with_a_clock_of_its_own_tells_its_time(place: Place, store: Store) -> None:
    before = datetime.datetime.now(datetime.UTC)
    said = store.time()
    if place.kind == "sqlite":
        assert said is None
    else:
        assert said is not None
        assert before <= said <= datetime.datetime.now(datetime.UTC)


async def test_each_kind_is_read_back(store: Store, reader: FactsReader) -> None:
    assert await reader.read([ORG], NOW, WHO) == Facts(0, {ORG: SubjectFacts()})
    terms = {"income-statements": ["year"], "volunteering": None}
    given = written.grant_consent(
        store.engine, PERSON, issuer="i", client="c", purpose="P", datasets=terms, until=DUE, now=NOW
    )
    objection = written.open_objection(store.engine, ORG, "tax-arrears", "1", NOW.date(), NOW)
    written.withdraw(store.engine, ORG, "tax-arrears", "2", NOW)
    written.restore(store.engine, ORG, "tax-arrears", "3", NOW)
    assert written.set_opt_out(store.engine, ORG, "tax-awards", True, NOW) is not None
    assert written.set_opt_out(store.engine, ORG, "tax-awards", True, NOW) is None, "it is so already"
    found = await reader.read([ORG, PERSON, OTHER], NOW, WHO)
    assert found.change == 5
    assert found.subjects[ORG] == SubjectFacts(
        disputed=frozenset({"tax-arrears/1"}),
        withdrawn=frozenset({"tax-arrears/2"}),
        restored=frozenset({"tax-arrears/3"}),
        opted_out=frozenset({"tax-awards"}),
    )
    (consent,) = found.subjects[PERSON].consents
    assert (consent.id, consent.until) == (given.id, DUE)
    assert found.subjects[OTHER] == SubjectFacts()
    assert (await reader.read([ORG], NOW + datetime.timedelta(days=1), WHO)).subjects[ORG].overdue == {"tax-arrears/1"}
    written.decide_objection(store.engine, objection.id, "refused", "it is accurate", NOW)
    written.revoke_consent(store.engine, PERSON, given.id, NOW)
    written.set_opt_out(store.engine, ORG, "tax-awards", False, NOW)
    found = await reader.read([ORG, PERSON], NOW, WHO)
    assert (found.change, found.subjects[PERSON]) == (8, SubjectFacts())
    with pytest.raises(LookupError):
        written.revoke_consent(store.engine, PERSON, given.id, NOW)
    assert (await reader.read([ORG], NOW, WHO)).change == 8, "a change that failed took no number"


async def test_a_store_takes_a_kind_that_it_has_never_seen(
    store: Store, reader: FactsReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(written.KINDS, "pardon", Kind("pardon", "record", until=True))  # type: ignore[arg-type]
    given = written.enter(
        store.engine, "pardon", ORG, NOW, dataset="tax-arrears", record="1", until=DUE.isoformat(), reason="amnesty"
    )
    [row] = await read(store, ORG)
    assert row == (1, "pardon", given.id, *ORG[1:], "tax-arrears", "1", None, None, None, None, "2026-12-01", 0)
    with pytest.raises(Refusal):  # a reader that does not know the kind
        await reader.read([ORG], NOW, WHO)
    assert written.end(store.engine, "pardon", given.id, NOW).change == 2
    assert (await reader.read([ORG], NOW, WHO)).subjects[ORG] == SubjectFacts()


async def read(store: Store, subject: Subject) -> Sequence[FactRow]:
    with contextlib.closing(store.facts()) as source:
        rows = source.read([subject[1:]])
        return await rows if isinstance(rows, asyncio.Future) else rows


@pytest.mark.parametrize(
    ("kind", "values"),
    [("withdrawal", {"dataset": "d"}), ("withdrawal", {"dataset": "d", "record": "1", "until": "2026-12-01"})],
)
def test_a_fact_has_the_columns_of_its_kind(store: Store, kind: str, values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="has the columns dataset, record; not"):
        written.enter(store.engine, kind, ORG, NOW, **values)
    with pytest.raises(LookupError):
        written.enter(store.engine, "pardon", ORG, NOW, **values)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT change FROM fact_head")).scalar_one() == 0


@pytest.mark.parametrize("record", ["", "N-1 ", "e\u0301", "N\u200b1", "n" * 257])
def test_a_fact_names_a_record_as_departments_answers_do(store: Store, record: str) -> None:
    with pytest.raises(ValueError, match=r"not as|not printed"):
        written.withdraw(store.engine, ORG, "tax-arrears", record, NOW)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT change FROM fact_head")).scalar_one() == 0


async def test_a_change_by_another_process_counts_from_the_next_read_on(place: Place, reader: FactsReader) -> None:
    elsewhere = place.open()
    for number in range(1, 6):
        asked = asyncio.ensure_future(reader.read([ORG], NOW, WHO))
        await asyncio.sleep(0)  # it is waiting now, and its query has not begun
        written.withdraw(elsewhere.engine, ORG, "tax-arrears", str(number), NOW)
        assert len((await asked).subjects[ORG].withdrawn) == number


async def test_whoever_comes_during_a_read_gets_one_begun_after(store: Store, reader: FactsReader) -> None:
    """Each asks right after a change has committed, while reads for others are under way."""

    async def one(number: int) -> None:
        await asyncio.to_thread(written.withdraw, store.engine, ORG, "tax-arrears", str(number), NOW)
        assert f"tax-arrears/{number}" in (await reader.read([ORG, OTHER], NOW, WHO)).subjects[ORG].withdrawn

    await asyncio.gather(*(one(number) for number in range(40)))


def test_writers_at_once_get_numbers_of_their_own(store: Store) -> None:
    numbers: list[int] = []

    def write(name: str) -> None:
        for record in range(5):
            numbers.append(written.withdraw(store.engine, ORG, name, str(record), NOW).change)

    threads = [threading.Thread(target=write, args=(f"set-{each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 21))


@pytest.mark.parametrize("count", [1, 2, 3, 33])
async def test_every_size_of_group_reads_all_of_its_subjects(store: Store, reader: FactsReader, count: int) -> None:
    named = [Subject("organisation", "LEI", f"{number:020d}") for number in range(count)]
    for subject in named:
        written.withdraw(store.engine, subject, "tax-arrears", "1", NOW)
    answers = await asyncio.gather(*(reader.read([subject], NOW, WHO) for subject in named))
    assert [answer.subjects for answer in answers] == [
        {subject: SubjectFacts(withdrawn=frozenset({"tax-arrears/1"}))} for subject in named
    ]


async def test_a_store_that_cannot_be_read_refuses_everyone_and_heals(store: Store, reader: FactsReader) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE fact RENAME TO elsewhere"))
    outcomes = await asyncio.gather(*(reader.read([each], NOW, WHO) for each in (ORG, OTHER)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [Refusal, Refusal]
    assert {each.code for each in outcomes if isinstance(each, Refusal)} == {Code.DECISION_UNAVAILABLE}
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO fact"))
    assert await reader.read([ORG], NOW, WHO) == Facts(0, {ORG: SubjectFacts()})
