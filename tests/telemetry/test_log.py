"""Logs report what happened, and nothing of a subject (invariant 12)."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry.log import Log, _Reduced, put, take_over

SUBJECT = "5299000J2N45DDNE4Y28"


@pytest.fixture
def captured() -> Iterator[io.StringIO]:
    """The root logger taken over, and given back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logging.captureWarnings(False)  # what an earlier test left on would keep this one from having them
    take_over(Log(stream))
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], root.level = before


def fail(value: str) -> None:
    held = {"value": value}
    raise ValueError(f"no record of {held}")


def test_an_exception_is_logged_by_its_type_and_places_only() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match=SUBJECT) as caught:
        fail(SUBJECT)
    Log(stream).defect("abc", caught.value)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["id"], line["error"]) == ("defect", "abc", "ValueError")
    assert line["place"][-1].startswith("telemetry/test_log.py:")
    assert line["place"][-1].endswith(" fail")
    assert SUBJECT not in stream.getvalue()


def test_what_libraries_log_loses_its_text(captured: io.StringIO) -> None:
    log = logging.getLogger("httpx")
    log.warning("HTTP Request: GET https://tax.example/subjects/LEI/%s", SUBJECT)
    log.error(f"bad record {SUBJECT}")
    try:
        fail(SUBJECT)
    except ValueError:
        log.exception("while reading %s", SUBJECT)
    warnings.warn(f"odd value {SUBJECT}", UserWarning, stacklevel=1)
    logging.getLogger("noisy").info("not told at all %s", SUBJECT)
    lines = [json.loads(line) for line in captured.getvalue().splitlines()]
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("httpx", "warning"),
        ("httpx", "error"),
        ("httpx", "error"),
        ("py.warnings", "warning"),
    ]
    assert lines[2]["error"] == "ValueError"
    assert SUBJECT not in captured.getvalue()


def test_what_libraries_log_is_bounded_in_rate(captured: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    handler = _Reduced(Log(captured), lambda: now[0])
    log = logging.getLogger("psycopg.pool")
    log.addHandler(handler)
    monkeypatch.setattr(log, "propagate", False)
    try:
        for second in range(1, 302):
            log.warning("index row size %s exceeds maximum", second)
            if second == 1:
                log.warning("another place")
            now[0] += 1
    finally:
        log.removeHandler(handler)
    lines = [json.loads(line) for line in captured.getvalue().splitlines()]
    assert [line.get("again") for line in lines] == [None, None, 59, 59, 59, 59, 59]
    assert len({tuple(line["place"]) for line in lines}) == 2


def test_the_other_events() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.state("began", level="warning", part="department", name="tax", why="SOURCE_INVALID: not JSON", again=1)
    log.state("rule_set_activated", epoch=3)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {
            "event": "began",
            "level": "warning",
            "part": "department",
            "name": "tax",
            "why": "SOURCE_INVALID: not JSON",
            "again": 1,
        },
        {"event": "rule_set_activated", "level": "info", "epoch": 3},
    ]


def test_work_goes_on_where_lines_cannot_be_written(tmp_path: Path) -> None:
    written, broken = (tmp_path / "log").open("w+"), open("/dev/full", "w")  # noqa: SIM115 - closed below
    log = Log(broken)
    log.state("began", part="department")
    log.state("ended", part="department")
    log._stream = written
    log.state("began", part="store")
    with contextlib.suppress(OSError):
        broken.close()
    log.state("ended", part="store")
    written.seek(0)
    lines = [json.loads(line) for line in written]
    assert [line["event"] for line in lines] == ["lines_lost", "began", "ended"]
    assert lines[0]["lines"] == 2
    written.close()
    log.state("began", part="store")  # where it was closed


def test_a_reader_that_left_ends_nothing() -> None:
    reading, writing = os.pipe()
    pipe = os.fdopen(writing, "w")
    assert put("first", pipe)
    os.close(reading)
    assert not put("second", pipe)
    assert not put("third", pipe)
    with contextlib.suppress(OSError):
        pipe.close()
    assert not put("fourth", pipe)


def test_a_reader_that_stopped_holds_nothing_up() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        log = Log(pipe)
        for number in range(10_000):
            log.state("began", part="department", again=number)
        held = os.read(reading, 1 << 20).splitlines()
        log.state("ended", part="department")
        lost, ended = map(json.loads, os.read(reading, 1 << 20).splitlines())
    os.close(reading)
    assert [json.loads(line)["again"] for line in held] == [*range(len(held))]
    assert (lost["event"], lost["lines"]) == ("lines_lost", 10_000 - len(held))
    assert ended["event"] == "ended"
