"""Metrics report what happened, and nothing of a subject (invariant 12)."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.base import Failure, Fault, Flaw
from gateway.errors import Code
from gateway.telemetry.metrics import (
    BATCH,
    STEPS,
    TIMED_EACH,
    UNTIMED,
    Counts,
    Histogram,
    Lag,
    Metrics,
    cumulative,
    exposition,
)

SUBJECT = "5299000J2N45DDNE4Y28"


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_what_is_counted_is_scraped() -> None:
    metrics = Metrics(["tax", "courts"])
    metrics.inquiries["OK"].add()
    metrics.inquiries["OK"].add()
    metrics.inquiries[Code.QUOTA_EXCEEDED].add()
    metrics.failures["tax", Fault.TIMEOUT].add()
    metrics.steps["fetch"].observe(0.002)
    metrics.steps["fetch"].observe(99.0)
    metrics.group_size.observe(32)
    found = samples(metrics)
    assert found["dutybound_inquiries_total", (("outcome", "OK"),)] == 2
    assert found["dutybound_inquiries_total", (("outcome", "QUOTA_EXCEEDED"),)] == 1
    assert found["dutybound_department_failures_total", (("department", "tax"), ("fault", "SOURCE_TIMEOUT"))] == 1
    assert found["dutybound_step_seconds_bucket", (("le", "0.001"), ("step", "fetch"))] == 0
    assert found["dutybound_step_seconds_bucket", (("le", "0.003"), ("step", "fetch"))] == 1
    assert found["dutybound_step_seconds_bucket", (("le", "+Inf"), ("step", "fetch"))] == 2
    assert not any(name == "dutybound_step_seconds_sum" for name, _ in found), "its digits would be of one inquiry"
    assert found["dutybound_ledger_group_entries_bucket", (("le", "32.0"),)] == 1


def test_an_invalid_answer_is_counted_by_dataset_and_by_what_was_invalid() -> None:
    metrics = Metrics(["tax"])
    failures = [
        Failure(Fault.INVALID, False, "`$.rows[0].amount`: expected text", Flaw.RECORD),
        Failure(Fault.INVALID, False, "not JSON"),
        Failure(Fault.INVALID, False, "not JSON"),
        Failure(Fault.TIMEOUT, True, "late"),
    ]
    metrics.failed([("tax", "tax-arrears", each) for each in failures])
    total = Counts({}, {}, {}, [], 0, 0)
    total.add(metrics.counts())
    total.add(metrics.counts())
    text = exposition(total).decode()
    name = 'dutybound_invalid_answers_total{dataset="tax-arrears",department="tax",flaw='
    assert sorted(line for line in text.splitlines() if line.startswith(name)) == [
        f'{name}"answer"}} 4.0',
        f'{name}"record"}} 2.0',
    ]
    assert metrics.failures["tax", Fault.INVALID].value == 3
    assert "amount" not in text


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 3.0):
        histogram.observe(value)
    assert cumulative(histogram.bounds, histogram.counts) == [("1.0", 1.0), ("2.0", 3.0), ("+Inf", 4.0)]
    assert histogram.total == 7.5


def test_nobody_can_tell_which_inquiry_is_timed() -> None:
    """However many were sent before, the next is timed by chance: every place in a round is, and no two runs agree."""
    timed = [
        [number for number in range(20_000) if metrics.begin() is not UNTIMED] for metrics in (Metrics([]), Metrics([]))
    ]
    assert timed[0] != timed[1]
    for run in timed:
        assert {number % TIMED_EACH for number in run} == set(range(TIMED_EACH))
        assert 400 < len(run) < 850


def test_timed_inquiries_are_published_by_whole_batches() -> None:
    metrics = Metrics([])
    metrics._chance = lambda: 0.0
    for number in range(1, 4 * BATCH):
        steps = metrics.begin()
        for step in STEPS:
            steps.done(step)
        told = metrics.counts().steps
        assert {sum(buckets) for buckets in told.values()} == {(number - 1) // BATCH * BATCH}


def test_what_processes_counted_is_summed() -> None:
    one, other = Metrics(["tax"]), Metrics(["tax"])
    for metrics in (one, other, other):
        metrics.inquiries["OK"].add()
        metrics.failures["tax", Fault.TIMEOUT].add()
        metrics.group_size.observe(3)
        metrics.break_glass.add()
        metrics.steps["fetch"].observe(0.002)
    one.calendar_end = other.calendar_end = 1830290400.0
    total = Counts({}, {}, {}, [], 0, 0)
    total.add(one.counts())
    total.add(other.counts())
    families = text_string_to_metric_families(exposition(total, (), 2).decode())
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}
    assert found["dutybound_processes", ()] == 2
    assert found["dutybound_inquiries_total", (("outcome", "OK"),)] == 3
    assert found["dutybound_department_failures_total", (("department", "tax"), ("fault", "SOURCE_TIMEOUT"))] == 3
    assert found["dutybound_step_seconds_bucket", (("le", "0.003"), ("step", "fetch"))] == 3
    assert found["dutybound_ledger_group_entries_sum", ()] == 9
    assert found["dutybound_break_glass_total", ()] == 3
    assert found["dutybound_calendar_end_seconds", ()] == 1830290400.0


def test_labels_are_fixed_from_the_start() -> None:
    metrics = Metrics(["tax"])
    before = set(samples(metrics))
    with pytest.raises(KeyError):
        metrics.failures[SUBJECT, Fault.INVALID].add()
    assert {key for key in samples(metrics) if key[0].startswith("dutybound")} <= before


def test_the_lag_of_projections_is_by_projection_and_shard() -> None:
    metrics = Metrics(["tax"])
    assert not any("lag" in name for name, _ in samples(metrics))
    metrics.lags = [Lag("looked", "1", 7, 2.5), Lag("looked", "root", 0, 0.0)]
    found = {key: value for key, value in samples(metrics).items() if "lag" in key[0]}
    assert found == {
        (f"dutybound_projection_lag_{unit}", (("projection", "looked"), ("shard", shard))): value
        for shard, values in (("1", (7, 2.5)), ("root", (0, 0.0)))
        for unit, value in zip(("entries", "seconds"), values, strict=True)
    }
