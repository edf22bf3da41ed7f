"""What the watch keeps, on both databases: read and found together; findings grow until there is a verdict."""

from __future__ import annotations

import pytest
from sqlalchemy import exc

from gateway.storage.port import Store
from gateway.storage.tables import SHARD_BITS
from gateway.storage.watch import findings as watch
from gateway.storage.watch.findings import Found
from tests.ledger.support import disclosed, opened

FIRST = 1 << SHARD_BITS


@pytest.fixture
async def store(store: Store) -> Store:
    """A store with one shard of five entries."""
    async with opened(store) as ledger:
        for number in range(5):
            await disclosed(ledger, number)
    return store


def found(*indices: int, pattern: str = "out-of-hours-1-4", words: str = "words") -> Found:
    entries = tuple(FIRST + index for index in indices)
    return Found(pattern, "out-of-hours", "28(1)", 7, "issuer", "client", "official", "PURPOSE", words, entries)


def test_what_was_read_and_found_is_kept_together_by_one_of_two(store: Store) -> None:
    assert watch.read_cursors(store.engine) == (0, {})
    assert watch.advance(store.engine, 0, {1: 3}, [found(0, 1)])
    assert watch.read_cursors(store.engine) == (1, {1: 3})
    assert not watch.advance(store.engine, 0, {1: 5}, [found(0, 1, 2, pattern="another")])
    assert watch.read_cursors(store.engine) == (1, {1: 3})
    assert [kept.id for kept in watch.findings(store.engine)] == ["out-of-hours-1-4"]
    assert watch.advance(store.engine, 1, {1: 5}, [])
    assert watch.read_cursors(store.engine) == (2, {1: 5})


def test_nothing_is_kept_where_a_part_of_it_cannot_be(store: Store) -> None:
    with pytest.raises(exc.IntegrityError):
        watch.advance(store.engine, 0, {1: 3}, [found(0), found(99, pattern="of an entry that is not there")])
    assert watch.read_cursors(store.engine) == (0, {})
    assert watch.findings(store.engine) == []


def test_a_pattern_that_goes_on_grows_until_its_verdict_and_is_another_finding_after(store: Store) -> None:
    watch.advance(store.engine, 0, {}, [found(0, 1)])
    watch.advance(store.engine, 1, {}, [found(1, 2, words="more")])
    kept, entries = watch.one_finding(store.engine, "out-of-hours-1-4")
    assert (kept.words, kept.entries, entries) == ("more", 3, [FIRST, FIRST + 1, FIRST + 2])
    assert (kept.official, kept.verdict) == ("official", None)
    with store.engine.begin() as connection:
        connection.execute(watch.deciding(kept.id, "a.reviewer", "proper", "a night shift", 9))
    watch.advance(store.engine, 2, {}, [found(0, 1, 2)])
    assert len(watch.findings(store.engine)) == 1
    watch.advance(store.engine, 3, {}, [found(1, 2, 3)])
    assert [kept.id for kept in watch.findings(store.engine, decided=False)] == ["out-of-hours-1-4-part-2"]
    assert watch.one_finding(store.engine, "out-of-hours-1-4-part-2")[1] == [FIRST + 3]
    (decided,) = watch.findings(store.engine, decided=True)
    assert decided[-4:] == (9, "a.reviewer", "proper", "a night shift")


def test_a_verdict_is_given_once(store: Store) -> None:
    watch.advance(store.engine, 0, {}, [found(0)])
    for expected in (False, True):
        try:
            with store.engine.begin() as connection:
                connection.execute(watch.deciding("out-of-hours-1-4", "a", "proper", "reason", 9))
            failed = False
        except exc.IntegrityError:
            failed = True
        assert failed is expected


def test_an_unknown_finding_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(LookupError, match="no finding `nothing`"):
        watch.one_finding(store.engine, "nothing")
