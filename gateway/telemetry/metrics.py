"""Prometheus metrics, without a subject's data.

Invariant 12 holds by construction: a label's values are fixed at the start, a rule set's names, or a shard's; what
single inquiries took is shown of many together, coarsely. Counters are plain numbers written by the event loop's thread
alone, read when they are reported: that costs less than a lock.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.base import Failure, Fault
from gateway.errors import Code

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STEPS = ("authenticate", "plan", "facts", "decide", "admit", "fetch", "restrain", "render", "disclose", "answer")
OUTCOMES = ("OK", *(code.value for code in Code))
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""None below a millisecond: in there a step's time would tell how many records it met."""
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        self.value += 1


class Histogram:
    """How often values fell at or under each bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def pour(self, other: Histogram) -> None:
        """Give all that is here to another of the same bounds."""
        other.counts[:] = [a + b for a, b in zip(other.counts, self.counts, strict=True)]
        other.total += self.total
        self.counts[:] = [0] * len(self.counts)
        self.total = 0.0


def cumulative(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """A histogram's buckets, as Prometheus wants them."""
    running, found = 0, []
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        running += count
        found.append((bound, float(running)))
    return found


class Asked(Protocol):
    """A department that a traced inquiry asks. `context` is its W3C trace context, a `traceparent`."""

    context: str

    def ended(self, fault: Fault | None) -> None:
        """It answered, or failed for that reason."""


class Steps:
    """Times the steps of one inquiry: `done` marks that a step ended, and the next began.

    The other methods are for those that are traced (`gateway.telemetry.traces`): here they do nothing.
    """

    __slots__ = ("_last", "_steps")

    def __init__(self, steps: Mapping[str, Histogram]) -> None:
        self._steps = steps
        self._last = time.perf_counter()

    def done(self, step: str) -> None:
        now = time.perf_counter()
        self._steps[step].observe(now - self._last)
        self._last = now

    def caller(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Who asks is known; `headers` are the request's."""

    def asked(self, department: str) -> Asked | None:
        """A department is asked now."""

    def ended(self, outcome: str) -> None:
        """The inquiry is answered: `OK`, or refused with that code."""


class _Untimed(Steps):
    """Times nothing."""

    __slots__ = ()

    def done(self, step: str) -> None:
        return None


class Lag(NamedTuple):
    """How far a projection of the ledger is behind in a shard: entries, and seconds since the first of them."""

    projection: str
    shard: str
    entries: int
    seconds: float


UNTIMED: Steps = _Untimed({})
TIMED_EACH = 32
"""One inquiry in so many has its steps timed, by chance: nobody can send one that is sure to be, or sure not to be."""
BATCH = 32
"""So many timed inquiries are published together: with what one adds, nobody sees when, or beside which others."""


class Counts(msgspec.Struct):
    """What one process counted, or several together. Histograms are how many fell into each bucket, the last endless.

    `failures` are by department and fault; `groups` the entries that ledger commits held, and how many in all.
    `calendar_end` is when the list of holidays ends, in seconds since the epoch: 0 where none is listed, `None` where
    no process has said. Of several the last one says it. `dry_run` is by department, purpose and outcome, `invalid` by
    department, dataset and flaw.
    """

    inquiries: dict[str, int]
    failures: dict[str, dict[str, int]]
    steps: dict[str, list[int]]
    groups: list[int]
    grouped: int
    break_glass: int
    calendar_end: float | None = None
    dry_run: dict[str, int] = {}
    invalid: dict[str, int] = {}

    def add(self, other: Counts) -> None:
        """Count what another process counted, too."""
        add(self.inquiries, other.inquiries)
        add(self.dry_run, other.dry_run)
        add(self.invalid, other.invalid)
        for department, faults in other.failures.items():
            add(self.failures.setdefault(department, {}), faults)
        for step, buckets in other.steps.items():
            self.steps[step] = _sums(self.steps.get(step, []), buckets)
        self.groups = _sums(self.groups, other.groups)
        self.grouped += other.grouped
        self.break_glass += other.break_glass
        self.calendar_end = self.calendar_end if other.calendar_end is None else other.calendar_end


def add(to: dict[str, int], more: Mapping[str, int]) -> None:
    for key, count in more.items():
        to[key] = to.get(key, 0) + count


def counter(name: str, told: str, labels: Sequence[str], counted: Mapping[str, int]) -> CounterMetricFamily:
    """A metric of what is counted by the values of its labels, with spaces between."""
    family = CounterMetricFamily(f"dutybound_{name}", told, labels=labels)
    for values, count in counted.items():
        family.add_metric(values.split(" "), count)
    return family


def _sums(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in itertools.zip_longest(one, other, fillvalue=0)]


class Metrics:
    """The gateway's metrics; every child exists from the start, bound by its label.

    `inquiries` by outcome (`OK`, or the code of the refusal), `steps` in seconds, `failures` by (department, fault),
    `group_size` the entries a ledger commit holds, `break_glass` the uses of emergency purposes; `lags` as last read;
    `calendar_end` as in `Counts`. `traces` has some inquiries traced, where that is configured.
    """

    def __init__(self, departments: Iterable[str]) -> None:
        self.inquiries: Mapping[str, Count] = {outcome: Count() for outcome in OUTCOMES}
        self.steps: Mapping[str, Histogram] = {step: Histogram(_SECONDS) for step in STEPS}
        self.failures: Mapping[tuple[str, Fault], Count] = {
            (department, fault): Count() for department in sorted(departments) for fault in Fault
        }
        self.group_size = Histogram(_SIZES)
        self.break_glass = Count()
        self.lags: Sequence[Lag] = ()
        self.calendar_end: float | None = None
        self.dry_run: Mapping[str, int] = {}
        self.invalid: dict[str, int] = {}
        self.traces: Callable[[Steps], Steps] | None = None
        self._waiting: Mapping[str, Histogram] = {step: Histogram(_SECONDS) for step in STEPS}
        self._timed = 0
        self._chance = random.Random(os.urandom(32)).random  # noqa: S311 - what it gave is never shown

    def know(self, departments: Iterable[str]) -> None:
        """Count the failures of these departments too; those that are no more stay."""
        more = {(name, fault): Count() for name in sorted(departments) for fault in Fault}
        self.failures = {**more, **self.failures}

    def failed(self, failures: Iterable[tuple[str, str, Failure]]) -> None:
        """Count what departments failed to give: each with its department and dataset, as the catalogue has them."""
        for department, dataset, failure in failures:
            self.failures[department, failure.fault].add()
            if failure.fault is Fault.INVALID:
                # Names of datasets and departments have no spaces.
                label = f"{department} {dataset} {failure.flaw.value}"
                self.invalid[label] = self.invalid.get(label, 0) + 1

    def answered(self, outcome: str, steps: Steps) -> None:
        """An inquiry is answered: `OK`, or refused with that code."""
        self.inquiries[outcome].add()
        steps.ended(outcome)

    def begin(self) -> Steps:
        """The steps of one more inquiry, timed for one in `TIMED_EACH`, and traced for some."""
        steps = UNTIMED if self._chance() * TIMED_EACH >= 1 else self._timing()
        return steps if self.traces is None else self.traces(steps)

    def _timing(self) -> Steps:
        if self._timed == BATCH:
            self._timed = 0
            for step, waiting in self._waiting.items():
                waiting.pour(self.steps[step])
        self._timed += 1
        return Steps(self._waiting)

    def counts(self) -> Counts:
        """As they stand, and may be shown."""
        failures: dict[str, dict[str, int]] = {}
        for (department, fault), count in self.failures.items():
            failures.setdefault(department, {})[fault.value] = count.value
        return Counts(
            {outcome: count.value for outcome, count in self.inquiries.items()},
            failures,
            {step: list(histogram.counts) for step, histogram in self.steps.items()},
            list(self.group_size.counts),
            round(self.group_size.total),
            self.break_glass.value,
            self.calendar_end,
            dict(self.dry_run),
            dict(self.invalid),
        )

    def exposition(self) -> bytes:
        """The Prometheus text of this process alone."""
        return exposition(self.counts(), self.lags)


class RecallCounts(msgspec.Struct):
    """What the process that recalls counted, or several one after the other.

    `messages` are tries to tell recipients, by outcome; `alerts` by kind. `waiting` is the work that there is, and
    `late` how many seconds ago the first of it was due.
    """

    messages: dict[str, int] = {}
    alerts: dict[str, int] = {}
    waiting: int = 0
    late: float = 0.0

    def add(self, other: RecallCounts) -> None:
        """Count what another process counted, too; what waits is what it reports."""
        add(self.messages, other.messages)
        add(self.alerts, other.alerts)
        self.waiting, self.late = other.waiting, other.late

    def collect(self) -> Iterator[Metric]:
        """As metrics."""
        for name, told, label, counted in (
            ("recall_messages", "Tries to notify recipients of recalls, by outcome", "outcome", self.messages),
            ("alerts", "Alerts to the operator, by kind", "kind", self.alerts),
        ):
            yield counter(name, told, [label], dict(sorted(counted.items())))
        yield GaugeMetricFamily("dutybound_recall_work", "Messages that wait to be sent", value=self.waiting)
        late = "How long ago the first of them was due, in seconds"
        yield GaugeMetricFamily("dutybound_recall_work_late_seconds", late, value=self.late)


class _Metrics(Collector):
    """Metrics, for the library that writes them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Shown:
    """Counts as metrics."""

    def __init__(self, counts: Counts, lags: Iterable[Lag], processes: int, beside: Iterable[Metric]) -> None:
        self._counts, self._lags, self._processes, self._beside = counts, lags, processes, beside

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield GaugeMetricFamily("dutybound_processes", "Processes that serve", value=self._processes)
        yield counter("inquiries", "Operations answered, by outcome", ["outcome"], counts.inquiries)
        failed = {f"{name} {each}": count for name, faults in counts.failures.items() for each, count in faults.items()}
        yield counter("department_failures", "Datasets that could not be had", ["department", "fault"], failed)
        told = "Datasets whose answer could not be used, by what was invalid"
        yield counter("invalid_answers", told, ["department", "dataset", "flaw"], counts.invalid)
        told = "Decisions that a dry run compared, by outcome"
        yield counter("dry_run_decisions", told, ["department", "purpose", "outcome"], counts.dry_run)
        # Without a sum: each digit of it would be of single inquiries.
        steps = HistogramMetricFamily(
            "dutybound_step_seconds", f"Time that a step took, of one inquiry in {TIMED_EACH}", labels=["step"]
        )
        for step, buckets in counts.steps.items():
            steps.add_metric([step], cumulative(_SECONDS, buckets), None)
        yield steps
        yield CounterMetricFamily(
            "dutybound_break_glass", "Uses of emergency purposes; each opens a review", value=counts.break_glass
        )
        if counts.calendar_end is not None:
            told = "When the list of holidays ends, in seconds since 1970"
            yield GaugeMetricFamily("dutybound_calendar_end_seconds", told, value=counts.calendar_end)
        yield from self._behind()
        yield from self._beside
        group = HistogramMetricFamily("dutybound_ledger_group_entries", "Entries that one ledger commit held")
        group.add_metric([], cumulative(_SIZES, counts.groups), counts.grouped)
        yield group

    def _behind(self) -> Iterator[Metric]:
        labels = ["projection", "shard"]
        entries = GaugeMetricFamily(
            "dutybound_projection_lag_entries", "Entries not in a projection yet", labels=labels
        )
        since = GaugeMetricFamily("dutybound_projection_lag_seconds", "Age of the first of them", labels=labels)
        for lag in self._lags:
            entries.add_metric([lag.projection, lag.shard], lag.entries)
            since.add_metric([lag.projection, lag.shard], lag.seconds)
        yield entries
        yield since


def exposition(counts: Counts, lags: Iterable[Lag] = (), processes: int = 1, beside: Sequence[Metric] = ()) -> bytes:
    """The Prometheus text (`CONTENT_TYPE`) of what `processes` counted, with the metrics of those `beside` them."""
    return written(_Shown(counts, lags, processes, beside).collect())


def written(metrics: Iterable[Metric]) -> bytes:
    """Metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Metrics([*metrics]))
    return generate_latest(registry)
