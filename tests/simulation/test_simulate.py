"""A period's inquiries read from a store and decided again: every entry counts once, and none is guessed at."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import func, select, update

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import EntryParts
from gateway.rules.ruleset import RuleSet
from gateway.simulation import simulate
from gateway.simulation.compare import Comparison
from gateway.simulation.recorded import Recorded, decisions
from gateway.simulation.result import Result, Tally
from gateway.simulation.simulate import Progress, Simulation
from gateway.storage.port import Store
from gateway.storage.tables import entry, subject_key
from tests.ledger.support import opened
from tests.rules.policies import NOW
from tests.simulation.varied import DAY, Asked, asked, entry_of, read, varied

CANDIDATE = varied(1, "fields")
SINCE, UNTIL = NOW - 3 * DAY, NOW + 3 * DAY


def some(first: int = 0, count: int = 60) -> list[Asked]:
    """Inquiries in the order of their moments."""
    return sorted((asked(seed) for seed in range(first, first + count)), key=lambda of: of.now)


async def enter(store: Store, made: Sequence[tuple[Asked, EntryParts]]) -> None:
    """Enter them in two shards, in turn."""
    async with opened(store) as one, opened(store) as other:
        for number, (of, parts) in enumerate(made):
            ledger = one if number % 2 else other
            await ledger.append(parts.told, parts.oversight, of.now, of.requester.who, (), parts.subjects)


def run(
    store: Store, comparison: Comparison, since: datetime.datetime = SINCE, until: datetime.datetime = UNTIL
) -> tuple[Result, list[Progress]]:
    simulation = Simulation(comparison, since, until)
    with contextlib.closing(store.reader()) as reader:
        told = list(simulation.run(reader))
    return simulation.result(), told


def expected(comparison: Comparison, made: Sequence[tuple[Asked, EntryParts]]) -> Tally:
    """What one finds who looks at each entry by itself, and remembers nothing."""
    tally = Tally()
    for _, parts in made:
        told, oversight = read(parts)
        assert isinstance(told, entries.Operation)
        for each in decisions(told, oversight):
            outcome = comparison.of(each.made(comparison)) if isinstance(each, Recorded) else each
            tally.add(told.requester.department, told.declaration.purpose if told.declaration else "", outcome)
    return tally


async def test_it_counts_what_each_entry_says(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "SLICE", 7)
    was, candidate = varied(0), CANDIDATE
    made = [(of, entry_of(was, of, f"i-{number}")) for number, of in enumerate(some())]
    await enter(store, made)
    comparison = Comparison(candidate, was)
    result, told = run(store, comparison)
    tally = expected(comparison, made)
    assert result.rows == tally.rows()
    assert result.rows
    assert (result.entries, result.inquiries) == (len(made), len(made))
    assert result.decisions == sum(len(of.subjects) for of, _ in made)
    assert (result.changed, result.moved) == (tally.changed, 0)
    assert dict(result.not_replayable) == tally.reasons()
    assert [each.done for each in told] == sorted({each.done for each in told})
    assert told[0] == Progress(0, len(made), 0.0, 0.0)
    assert told[-1][:2] == (len(made), len(made))
    assert told[-1].left == 0
    text = msgspec.json.encode(result).decode()
    for word in (*(of.requester.official or "o.fficial" for of, _ in made), "C-1", "5299", "1234567890", "i-1"):
        assert word not in text


async def test_the_active_set_changes_nothing_of_its_own(store: Store) -> None:
    rules = varied(0)
    await enter(store, [(of, entry_of(rules, of)) for of in some()])
    result, _ = run(store, Comparison(rules, rules))
    assert result.rows == []
    assert (result.changed, result.moved) == (0, 0)
    assert result.decisions > 50


async def test_what_was_decided_by_another_set_is_told_apart(store: Store) -> None:
    """What is active now decides otherwise than was recorded; the candidate may do as one, the other, or neither."""
    active, was, candidate = varied(0), CANDIDATE, CANDIDATE
    made = [(of, entry_of(was, of)) for of in some()]
    await enter(store, made)
    result, _ = run(store, Comparison(candidate, active))
    assert result.changed == 0
    assert result.moved > 0
    assert {row.change for row in result.rows} == {"keeps"}
    back, _ = run(store, Comparison(active, candidate))
    assert (back.changed, back.moved) == (result.moved, 0)


async def test_a_period_is_what_was_entered_in_it(store: Store) -> None:
    rules = varied(0)
    made = [(of, entry_of(rules, of)) for of in some()]
    await enter(store, made)
    comparison = Comparison(rules, rules)
    cut = NOW.replace(hour=0)
    before, at, after = (
        run(store, comparison, *period)[0].entries for period in ((SINCE, cut), (cut, cut + DAY), (cut + DAY, UNTIL))
    )
    assert before + at + after == len(made)
    assert before == sum(of.now < cut for of, _ in made) > 0
    assert after == sum(of.now >= cut + DAY for of, _ in made) > 0


async def test_what_was_erased_is_counted_as_that(store: Store) -> None:
    rules = varied(0)
    made = [(of, entry_of(rules, of)) for of in some()]
    await enter(store, made)
    with store.engine.begin() as connection:
        connection.execute(
            update(subject_key).where(subject_key.c.scheme == "PIN").values(secret=None, scheme=None, value=None)
        )
    result, _ = run(store, Comparison(CANDIDATE, rules))
    people = sum(subject.kind == "person" for of, _ in made for subject in of.subjects)
    assert result.not_replayable["erased"] == people > 0
    assert result.decisions == sum(len(of.subjects) for of, _ in made)


async def test_an_answer_without_flags_is_counted_as_that(store: Store) -> None:
    """As versions wrote them that kept none."""
    rules = varied(0)
    of = next(each for each in some() if not each.refused and len(each.subjects) == 1)
    parts = entry_of(rules, of)
    [subject] = parts.subjects
    old = parts._replace(subjects=(subject._replace(oversight=b"{}"),))
    await enter(store, [(of, old), (of, parts)])
    result, _ = run(store, Comparison(CANDIDATE, rules))
    assert dict(result.not_replayable) == {"without-flags": 1}
    assert result.decisions == 2


async def test_what_is_no_inquiry_is_read_and_not_counted(store: Store) -> None:
    view = entries.View(entries.VERSION, "v-1", NOW, entries.OWN, "a", "b", entries.Looked(), (), "csv")
    async with opened(store) as ledger:
        await ledger.append(entries.encode(view), entries.encode(entries.NOTHING), NOW)
    result, _ = run(store, Comparison(CANDIDATE, varied(0)))
    assert (result.entries, result.inquiries, result.decisions) == (1, 0, 0)


@pytest.mark.parametrize("until", [UNTIL, NOW.replace(hour=0)], ids=["whole", "part"])
async def test_nothing_is_made_of_a_ledger_that_was_altered(store: Store, until: datetime.datetime) -> None:
    """Neither of an altered payload, nor where an entry is gone after what is read."""
    rules: RuleSet = varied(0)
    await enter(store, [(of, entry_of(rules, of)) for of in some()])
    with store.engine.begin() as connection:
        last = connection.execute(select(func.max(entry.c.id))).scalar_one()
        connection.execute(update(entry).where(entry.c.id == last).values(leaf=bytes(32)))
    with pytest.raises(VerificationFailed):
        run(store, Comparison(CANDIDATE, rules), until=until)
