"""The process that takes deliveries in, beside those that serve: one, however many workers there are.

`python -m gateway.connecting.delivering.worker --config FILE` works until it is told to stop, or its parent is gone;
`dutybound serve` keeps it where a department is of `kind: files` (`beside`). Each department has a task of its own, so
that a slow place holds up no other. What comes of an intake is told to the log: never a value, and no subject.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from connectors.base import UnreachedError
from connectors.delivered.index import Known
from connectors.delivered.report import Outcome, Report
from connectors.delivered.rows import Canonical
from connectors.files import FilesConnector
from gateway.activation import stored
from gateway.connecting.delivering.department import Delivering, canonical, delivering
from gateway.errors import DutyboundError, printable
from gateway.manage.beside import arguments, kept, rested, until_told
from gateway.manage.link import Link, supervisor
from gateway.manage.sources import Deliveries
from gateway.manage.states import Heard, States
from gateway.telemetry.log import Log, take_over

PART = "deliveries"
"""Its name in what is told to the log."""
LOOK = 20.0
"""Seconds between two looks whether another rule set is active; then this process ends, and is started anew."""
LONGEST = 600.0
"""Seconds, at most, until a delivery that was refused is fetched and checked again."""
_NICE = 10
"""Inquiries come first on a busy core, and so does what holds the store's lock."""


def beside(
    config: Path, stopping: threading.Event, departments: Sequence[object]
) -> contextlib.AbstractContextManager[None]:
    """Keep such a process as long as this lasts, where one of the departments' connectors has deliveries."""
    if not any(isinstance(each, FilesConnector) for each in departments):
        return contextlib.nullcontext()
    return kept("gateway.connecting.delivering.worker", config, PART, stopping)


class Counting:
    """Counts the results of looks for deliveries, and reports them to the supervisor, if any."""

    def __init__(self, departments: Iterable[str], link: Link | None) -> None:
        self.counts, self._link = Deliveries({}, dict.fromkeys(departments, 0.0)), link

    def looked(self, department: str, outcome: Outcome, known: Known | None) -> None:
        """One more look, and what the index is of since; blocks."""
        label = f"{department} {outcome.value}"
        self.counts.intakes[label] = self.counts.intakes.get(label, 0) + 1
        self.counts.as_of[department] = known.as_of if known is not None else 0.0
        if self._link is not None:
            self._link.tell(self.counts)


async def run(found: Delivering, log: Log, stopping: asyncio.Event, link: Link | None = None) -> None:
    """Look for deliveries, each department every `poll` seconds, until it is to stop or another rule set is active."""
    heard, check, counting = States(log.state).of(PART), canonical(found.catalogue), Counting(found.connectors, link)
    tasks = [
        asyncio.create_task(_follow(name, each, check, log, heard, stopping, counting))
        for name, each in found.connectors.items()
    ]
    while not stopping.is_set() and not await asyncio.to_thread(_replaced, found):
        await rested(stopping, LOOK)
    for task in tasks:  # an intake that goes on in its thread is ended with this process; it leaves what was there
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _replaced(found: Delivering) -> bool:
    """Whether another rule set is active than was read: its catalogue may have other fields."""
    if found.settings.rules == stored.FILES:
        return False
    try:
        now = stored.kept(found.settings)
    except DutyboundError:
        return False  # the store is out of reach: nothing else is active for anybody
    return now is not None and now.digest != found.digest


async def _follow(
    name: str,
    connector: FilesConnector,
    check: Canonical,
    log: Log,
    heard: Heard,
    stopping: asyncio.Event,
    counting: Counting,
) -> None:
    pause = connector.poll
    while not stopping.is_set():
        try:
            report = await asyncio.to_thread(_taken_in, name, connector, check, counting)
        except OSError as error:
            heard(name, f"the index cannot be written ({error.strerror})")
        except Exception as error:  # whatever it is, it is one department's
            heard(name, f"a defect of this program ({type(error).__name__}); report it")
        else:
            pause = rest(report, pause, connector.poll)
            heard(name, why(report))
            if report.outcome is Outcome.TAKEN:
                records = sum(each.records for each in report.datasets.values())
                log.state(
                    "delivered", department=name, sequence=report.sequence, records=records, vanished=report.vanished
                )
        await rested(stopping, pause)


def _taken_in(name: str, connector: FilesConnector, check: Canonical, counting: Counting) -> Report:
    report = connector.deliver(check)
    with contextlib.suppress(UnreachedError):  # then the report says it too
        counting.looked(name, report.outcome, connector.known())
    return report


def rest(report: Report, before: float, poll: float) -> float:
    """Seconds until the next look, after one that came `before` seconds after its own last.

    What is refused is refused again until somebody sends another: it is fetched and checked ever more seldom.
    """
    return min(2 * before, max(LONGEST, poll)) if report.outcome is Outcome.REFUSED else poll


def why(report: Report) -> str | None:
    """What is out of order, for the log; nothing where all is in order."""
    if report.outcome in (Outcome.TAKEN, Outcome.UNCHANGED):
        return None
    more = len(report.troubles) - 1 + report.more
    of = f"delivery {report.sequence} is refused: " if report.outcome is Outcome.REFUSED and report.sequence else ""
    return f"{of}{printable(str(report.troubles[0]))}" + (f" (and {more} more)" if more else "")


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM, or the end of the parent."""
    given = arguments(argv, __doc__)
    try:
        found = delivering(given.config)
    except DutyboundError as error:
        print(error, file=sys.stderr)
        return 1
    log = Log()
    take_over(log)
    os.nice(_NICE)
    link = supervisor()

    async def work() -> None:
        await until_told(lambda stopping: run(found, log, stopping, link), given.parent, PART, link)
        os._exit(0)  # without waiting for threads: an intake may take minutes, and is begun again

    asyncio.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
