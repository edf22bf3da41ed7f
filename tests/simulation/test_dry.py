"""A dry run counts what a candidate would decide, and changes nothing: no answer, no entry, no request."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from gateway.errors import Code, Refusal
from gateway.ledger.entry import entries
from gateway.manage.states import States
from gateway.rules.ruleset import RuleSet
from gateway.served import dry_runs as made
from gateway.simulation import dry, dry_commands
from gateway.simulation.compare import Comparison
from gateway.simulation.dry import DIFFERS, MISSED, SAME, UNKNOWN, DryRun, DryRuns, Seen
from gateway.simulation.recorded import Recorded, decisions
from gateway.simulation.result import Tally
from gateway.storage.rules import dry_runs
from gateway.storage.rules.dry_runs import Counted, Run
from gateway.storage.tables import micros
from gateway.telemetry.metrics import Metrics
from tests.activation.test_activating import Office
from tests.properties.checking import holds, is_found, staged
from tests.properties.scenes import Scene, scenes
from tests.simulation.varied import asked, decided, entry_of, read, varied
from tests.storage.conftest import Place
from tests.world import Reply, World, opened

RUN = Run("r-1", "c" * 64, 0, 1, None)
NOW = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)


def without_permits(rules: RuleSet) -> RuleSet:
    """A candidate that denies everything."""
    policies = rules.policies
    kept = [rule for rule in rules.rules.values() if rule.effect == "forbid"]
    return RuleSet(policies.catalogue, policies.purposes, rules.requesters, kept, rules.calendar)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as found:
        yield found


def told(reply: Reply) -> tuple[object, ...]:
    """All that leaves of an answer and its entries, but what is random in each."""
    said = {**reply.said, "extensions": {**reply.said.get("extensions", {})}}
    inquiry = {**said["extensions"].pop("inquiry", {})}
    for name in ("id", "receipt"):
        inquiry.pop(name, None)
    of_entries = [
        (
            msgspec.structs.replace(
                each.told, id="", **({"data": entries.Data()} if hasattr(each.told, "data") else {})
            ),
            msgspec.structs.replace(each.oversight, keys=b""),
        )
        for each in reply.entries
    ]
    asked_for = {name: [each.datasets for each in requests] for name, requests in reply.asked.items()}
    return reply.answer.status, said, inquiry, reply.answer.body[:40], of_entries, asked_for


def check_the_same(world: World, scene: Scene, candidate: RuleSet, seen: Callable[..., None] | None) -> int:
    made = staged(world, scene)
    running = DryRun(RUN, candidate, world.rules)

    def kept(*of: Any) -> None:
        running.add(Seen(*of))

    alone = told(world.ask(made.ask))
    beside = told(world.ask(made.ask, seen=seen or kept))
    assert beside == alone
    return sum(sum(outcomes.values()) for outcomes in running.work(world.rules).values())


def test_no_answer_is_another_with_a_dry_run(world: World) -> None:
    compared: list[int] = []
    candidate = without_permits(world.rules)
    holds(lambda scene: compared.append(check_the_same(world, scene, candidate, None)), scenes(), examples=25)
    assert sum(compared) > 5


def test_one_that_reached_the_answer_would_be_found(world: World) -> None:
    def reaching(*of: object) -> None:
        raise Refusal(Code.DECISION_UNAVAILABLE, "the candidate would have denied that")

    is_found(lambda scene: check_the_same(world, scene, world.rules, reaching), scenes(plain=True), examples=20)


def test_it_counts_what_a_simulation_of_the_same_finds() -> None:
    was, candidate = varied(0), varied(1, "fields")
    running, comparison, tally = DryRun(RUN, candidate, was), Comparison(candidate, was), Tally()
    for seed in range(120):
        of = asked(seed)._replace(refused=False)
        decision = decided(was, of)
        if decision is None:
            continue
        running.add(Seen(of.requester, of.declaration, decision, was.digest, of.now))
        found, oversight = read(entry_of(was, of))
        assert isinstance(found, entries.Inquiry)
        for each in decisions(found, oversight):
            assert isinstance(each, Recorded)
            tally.add(of.requester.department, of.declaration.purpose, comparison.of(each.made(comparison)))
    outcomes: Counter[str] = sum(running.work(was).values(), Counter())
    assert outcomes[DIFFERS] == tally.changed > 0
    assert outcomes[UNKNOWN] == sum(tally.not_replayable.values())
    assert sum(outcomes.values()) == tally.decisions
    rows = {
        Counted(row.department, row.purpose, row.change, row.dataset, row.field, row.reason, row.rule): row.decisions
        for row in tally.rows()
    }
    assert {of: times for of, times in running.unsaved.items() if of.dataset} == rows
    assert running.idle


def test_what_cannot_be_kept_up_with_is_counted_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry, "WAITING", 1)
    rules, of = varied(0), asked(2)
    running, decision = DryRun(RUN, rules, rules), decided(rules, of)
    assert decision is not None
    for _ in range(3):
        running.add(Seen(of.requester, of.declaration, decision, rules.digest, of.now))
    [outcomes] = running.work(rules).values()
    assert outcomes == {SAME: len(of.subjects), MISSED: 2 * len(of.subjects)}
    assert running.idle


def clock() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Noted:
    """What a process was told."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: str | None = None

    def told(self, whose: tuple[str, str], outcomes: Mapping[str, int]) -> None:
        self.outcomes.update(outcomes)

    def heard(self, name: str, why: str | None) -> None:
        self.wrong = why


def test_it_begins_counts_in_every_process_and_ends(place: Place, tmp_path: Path) -> None:
    """From the command that begins it, over two processes, to the one that ends it; each is entered."""
    office, store = Office(tmp_path, place.url), place.open()
    work = office.place(store)
    with store.engine.begin() as connection:
        for digest, files in (office.shipped, office.other):
            connection.execute(
                dry_commands.rulesets.rule_set.insert().values(digest=digest, files=files, at=micros(NOW))
            )
    today = datetime.datetime.now(datetime.UTC).date()
    said = dry_commands.begin(work, office.other[0], today, "P. Officer", "a trial")
    assert said.startswith(f"rule set `{office.other[0][:12]}` is tried through {today}, entry 0 of ")
    with pytest.raises(dry_commands.ActRefused, match="on already"):
        dry_commands.begin(work, office.shipped[0], today, "P. Officer", "another")

    active, candidate = varied(0), varied(1, "fields")
    inquiries = [(of, decided(active, of)) for of in map(asked, range(40))]
    noted, metrics = Noted(), Metrics([])
    served = made(work.settings, store, lambda: active, clock, metrics, States(lambda *of, **facts: None))

    async def really() -> None:
        """As a gateway has it: the candidate is loaded from the store."""
        await served.look()
        of, decision = next(each for each in inquiries if each[1] is not None)
        assert decision is not None
        served.seen(of.requester, of.declaration, decision, active.digest, of.now)
        await served.work()
        assert served._running is not None
        assert served._running._comparison.candidate.digest == office.other[0]
        served._running.unsaved.clear()

    asyncio.run(really())
    assert sum(metrics.dry_run.values()) > 0
    assert b'dutybound_dry_run_decisions_total{department="' in metrics.exposition()

    async def process() -> None:
        runs = DryRuns(store.engine, lambda digest: candidate, lambda: active, clock, noted.told, noted.heard)
        await runs.look()
        for of, decision in inquiries:
            if decision is not None:
                runs.seen(of.requester, of.declaration, decision, active.digest, of.now)
        await runs.look()

    for _ in range(2):
        asyncio.run(process())
    assert noted.wrong is None
    with store.engine.connect() as connection:
        run = dry_runs.latest(connection)
        assert run is not None
        counts = dry_runs.counts(connection, run.id)
    for outcome in (SAME, DIFFERS, UNKNOWN):
        assert sum(times for of, times in counts.items() if of.what == outcome) == noted.outcomes[outcome]
    assert noted.outcomes[DIFFERS] > 1
    assert all(not times % 2 for times in counts.values()), "two processes counted the same"
    text = "\n".join(dry_commands.status(run, counts, datetime.datetime.now(datetime.UTC)))
    assert f"Dry run of rule set {office.other[0][:12]}, on: from " in text
    assert "Would close:" in text or "Would open:" in text
    for word in ("o.fficial", "C-1", "5299", "1234567890"):
        assert word not in text

    assert dry_commands.end(work, "P. Officer", "seen").startswith("the dry run of rule set")
    with pytest.raises(dry_commands.ActRefused, match="no dry run is on"):
        dry_commands.end(work, "P. Officer", "seen")
    with store.engine.connect() as connection:
        assert dry_runs.running(connection, micros(datetime.datetime.now(datetime.UTC))) is None
        assert connection.execute(select(dry_runs.dry_run.c.ended)).scalar_one() is not None


async def test_one_that_cannot_be_loaded_is_told_and_stops_nothing(place: Place) -> None:
    store, noted, rules = place.open(), Noted(), varied(0)
    with store.engine.begin() as connection:
        connection.execute(dry_commands.rulesets.rule_set.insert().values(digest="a" * 64, files=b"", at=0))
        far = micros(NOW) + 10**15
        connection.execute(
            dry_runs.dry_run.insert().values(id="r", digest="a" * 64, since=0, until=far, ended=None, filed_in=1)
        )

    def load(digest: str) -> RuleSet:
        raise dry_commands.ActRefused("damaged")

    runs = DryRuns(store.engine, load, lambda: rules, lambda: NOW, noted.told, noted.heard)
    await runs.look()
    assert noted.wrong == "the dry run cannot be read (it was refused)"
    of = asked(2)
    decision = decided(rules, of)
    assert decision is not None
    runs.seen(of.requester, of.declaration, decision, rules.digest, of.now)
    await runs.work()
    assert noted.outcomes == {}
