"""The process that recalls, beside those that serve: no inquiry waits for it, and no act.

`python -m gateway.recall.worker --config FILE` works until it is told to stop, or its parent is gone; `dutybound serve`
keeps it (`beside`). Of all on one store one works: it holds the name `recalling`, and the shard of the ledger that its
acts are entered in (`RECALLS`). The others wait, and one takes its place when it ends, however it ends.

What it does are turns (`turns`), each in a task of its own. It makes good at a start what was due meanwhile, since all
that it works on are rows. Its priority is lower than that of those who serve, and its turns rest (`turns.REST`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import gc
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.activation import stored
from gateway.activation.stored import in_force
from gateway.acts.office import Office
from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, DutyboundError, LedgerUnavailable, Refusal, StoreUnavailable
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry.registry import RECALLS
from gateway.ledger.log import operator
from gateway.ledger.log.build import Watched, ledger_of, webhook_keys
from gateway.ledger.log.operator import Workplace
from gateway.manage.beside import arguments, kept, rested, until_told
from gateway.manage.early import Early, early
from gateway.manage.link import Link, supervisor
from gateway.manage.states import States
from gateway.recall import following, measuring
from gateway.recall.delivering import giving_up
from gateway.recall.delivering.alerts import OTHERS, URGENT, Alerts
from gateway.recall.delivering.deliver import Delivering, receivers
from gateway.recall.delivering.giving_up import GivingUp
from gateway.recall.due import Due, Looks
from gateway.recall.enforcing.overdue import Overdue
from gateway.recall.following import Following
from gateway.recall.measuring import Counting, Measuring
from gateway.recall.selecting import select, unreported
from gateway.recall.selecting.expiring import LOOKED, Expiring
from gateway.recall.selecting.select import Selecting
from gateway.recall.selecting.shortening import Shortening
from gateway.recall.selecting.unreported import Unreported
from gateway.recall.turns import IDLE, SELDOM, Around, Turn, again
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words
from gateway.storage.port import Held
from gateway.storage.rules import rulesets
from gateway.telemetry.log import Log, take_over
from gateway.transparency import counting as transparency
from gateway.web.messages.sending import Sender, Taken

_MODULE = "gateway.recall.worker"
HOLD = "recalling"
PART = "recalls"
"""Its name in what is told to the log."""
_NICE = 5
"""Inquiries come first on a busy core; no more than this, since it also holds the store's lock for moments."""

_ALERTS_EVERY = 2.0
_THREADS = 12

Turns = Callable[[Around], Sequence[Turn]]


def turns(around: Around) -> Sequence[Turn]:
    """All that the process does."""
    office, settings, counting = around.office, around.settings, around.counting
    heard = around.states.of
    longest = datetime.timedelta(seconds=settings.limits.deadline + settings.limits.patience)
    delivering = Delivering(
        office, receivers(office.rules), webhook_keys(settings), Sender(settings.webhooks), heard("recipients"),
        counting.message,
    )  # fmt: skip
    published = transparency.Counting(office.store, office.zone, office.now, lambda dataset: _whose(office, dataset))
    waiting = Measuring(office, counting, around.link)
    urgent, others = (
        Alerts(office, kinds, settings.alerts, Sender(settings.webhooks), around.log, heard("alerts"), counting.alert)
        for kinds in (URGENT, OTHERS)
    )
    return [
        Turn("urgent alerts", urgent.turn, SELDOM, close=urgent.close, wakes=("glass", "work")),
        Turn("alerts", others.turn, every=_ALERTS_EVERY, close=others.close),
        Turn("overdue", Overdue(office).turn, SELDOM, wakes=("overdue", "suspending")),
        Turn("deliver", delivering.turn, SELDOM, close=delivering.close, wakes=("work",)),
        Turn("give up", GivingUp(office).turn, every=giving_up.EVERY),
        Turn("watch", Following(office).turn, every=following.EVERY),
        Turn("measure", waiting.turn, every=measuring.EVERY, close=waiting.close),
        Turn("select", Selecting(office).turn, select.EVERY, wakes=("jobs",)),
        Turn("expire", Expiring(office, longest).turn, every=LOOKED),
        Turn("shorten", Shortening(office, longest).turn, every=LOOKED),
        Turn("unreported", Unreported(office).turn, every=unreported.EVERY),
        Turn("count", published.turn, every=transparency.EVERY),
    ]


def _whose(office: Office, dataset: str) -> str:
    """The department of a dataset; empty where there is none."""
    found = office.rules.policies.catalogue.datasets.get(dataset)
    return found.department if found else ""


def forked(rules: RuleSet) -> contextlib.AbstractContextManager[Early | None]:
    """Such a process that was forked, as long as this lasts, for `beside` to let it begin. It has these `rules`."""
    return early(_MODULE, functools.partial(main, at_hand=rules))


def beside(
    config: Path, stopping: threading.Event, first: Early | None = None
) -> contextlib.AbstractContextManager[None]:
    """Keep such a process as long as this lasts."""
    return kept(_MODULE, config, PART, stopping, first)


async def run(
    place: Workplace,
    rules: RuleSet,
    log: Log,
    stopping: asyncio.Event,
    made: Turns = turns,
    link: Link | None = None,
) -> None:
    """Take turns by the active rule set, at first `rules`, while nobody else on this store does, until it is to stop.

    A store, or a ledger, out of reach is tried again and again.
    """
    states = States(log.state)
    heard = states.of(PART)
    while not stopping.is_set():
        try:
            held = await place.store.hold(HOLD)
            if held is not None:
                try:
                    if not await asyncio.to_thread(_active, place, rules):
                        rules = (
                            await asyncio.to_thread(in_force, place.settings, place.store.engine, signing=True)
                        ).rules
                    await _working(place, rules, log, states, held, stopping, made, link)
                finally:
                    await held.release()
            heard("", None)
        except ConfigurationError:
            heard("", "the active rule set cannot be loaded")
        except (StoreUnavailable, LedgerUnavailable, SQLAlchemyError) as error:
            heard("", in_words(error))
        await rested(stopping, IDLE)


async def _working(
    place: Workplace,
    rules: RuleSet,
    log: Log,
    states: States,
    held: Held,
    stopping: asyncio.Event,
    made: Turns,
    link: Link | None,
) -> None:
    """With the ledger open: all turns, until it is to stop, the name is lost, or another rule set is active."""
    # As many as there are connections to a SQLite store: none waits for one, and what is urgent for no thread.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "recalls"))
    clock = Clock(lambda: ledger.floor, heard=states.of("clock"))
    watched = Watched(states.of("ledger"), states.of("witness"))
    ledger = ledger_of(place.store, place.settings.ledger, place.private, clock, RECALLS, watched)
    await ledger.start()
    try:
        await clock.compare(ledger.time)
        writer = Writer(ledger, clock.sure, rules.calendar.zone)
        office = Office(writer, place.store, lambda: rules, clock.sure)
        ending, heard = asyncio.Event(), states.of(PART)
        watching = asyncio.create_task(clock.watch(ledger.time))
        counting = Counting([each.value for each in Taken], (*URGENT, *OTHERS))
        around = Around(office, place.settings, states, log, counting, link)
        wakes = {each: asyncio.Event() for each in made(around)}
        tasks = [
            asyncio.create_task(again(turn, heard, ending, _in_doubt(clock), wake)) for turn, wake in wakes.items()
        ]
        looks = Looks(office)
        try:
            heard("", None)
            while not stopping.is_set() and held.alive:
                due = await asyncio.to_thread(looks.due)
                if due.active not in (None, rules.digest):
                    break
                _wake(wakes, due)
                await rested(stopping, IDLE)
                states.settle()
        finally:
            ending.set()
            for wake in wakes.values():
                wake.set()
            watching.cancel()
            await asyncio.gather(watching, *tasks, return_exceptions=True)
            await asyncio.to_thread(looks.close)
            await writer.close()
    finally:
        await ledger.close()


def _wake(wakes: Mapping[Turn, asyncio.Event], due: Due) -> None:
    """Wake the turns for which there may be something."""
    for turn, wake in wakes.items():
        if any(getattr(due, each) for each in turn.wakes):
            wake.set()


def _active(place: Workplace, rules: RuleSet) -> bool:
    """Whether no other rule set is active than this one, as far as can be seen; blocks."""
    try:
        with place.store.engine.connect() as connection:
            found = rulesets.active(connection)
    except SQLAlchemyError:
        return True
    return found is None or found.digest == rules.digest


def _in_doubt(clock: Clock) -> Callable[[], bool]:
    def doubted() -> bool:
        try:
            clock.sure()
        except Refusal:
            return True
        return False

    return doubted


def rules_of(settings: Settings, at_hand: RuleSet | None = None) -> RuleSet:
    """The active rule set, with what signs webhooks; raises `ConfigurationError`.

    It is `at_hand` where that is the active one, read from the same files: it need not be made again.
    """
    found = None if at_hand is None else stored.kept(settings)
    if at_hand is not None and found is not None and found.digest == at_hand.digest:
        return at_hand
    return stored.of(settings, signing=True).rules


def main(argv: list[str] | None = None, at_hand: RuleSet | None = None) -> int:
    """Run until SIGTERM, or the end of the parent."""
    given = arguments(argv, __doc__)
    log = Log()
    try:
        with operator.opened(given.config) as place:
            rules = rules_of(place.settings, at_hand)
            take_over(log)
            os.nice(_NICE)
            gc.collect()
            gc.freeze()
            link = supervisor()
            asyncio.run(
                until_told(lambda stopping: run(place, rules, log, stopping, link=link), given.parent, PART, link)
            )
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
