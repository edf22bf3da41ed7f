"""What makes a process not ready is told to its log, once, by name and type alone."""

from __future__ import annotations

import io
import json

from gateway.telemetry.log import Log
from gateway.web.health import Check, Readiness

SUBJECT = "5299000J2N45DDNE4Y28"


class Ledger:
    """A check that answers or raises what it is told to."""

    def __init__(self) -> None:
        self.says: bool | Exception = True

    async def check(self) -> bool:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def begun() -> tuple[Ledger, Readiness, io.StringIO]:
    ledger, stream = Ledger(), io.StringIO()
    checks: dict[str, Check] = {
        "ledger": ledger.check,
        "rules": lambda: True,
        "clock": lambda: ledger.says is not False,
    }
    return ledger, Readiness(checks, Log(stream).check_failed), stream


def lines(stream: io.StringIO) -> list[tuple[str, str, str]]:
    told = map(json.loads, stream.getvalue().splitlines())
    return [(each["event"], each["check"], each["error"]) for each in told]


async def test_a_check_that_raises_is_not_ready_and_leaves_the_others_alone() -> None:
    ledger, readiness, stream = begun()
    assert await readiness.results() == {"ledger": True, "rules": True, "clock": True}
    ledger.says = OSError(f"lost while reading {SUBJECT}")
    assert await readiness.results() == {"ledger": False, "rules": True, "clock": True}
    assert lines(stream) == [("check_failed", "ledger", "OSError")]
    assert SUBJECT not in stream.getvalue()
    assert "test_health.py" in stream.getvalue()


async def test_it_is_told_when_it_begins_and_not_at_every_poll() -> None:
    ledger, readiness, stream = begun()
    for says in (OSError(), OSError(), TimeoutError(), TimeoutError(), True, TimeoutError()):
        ledger.says = says
        await readiness.results()
    assert [error for _, _, error in lines(stream)] == ["OSError", "TimeoutError", "TimeoutError"]


async def test_a_check_that_says_no_is_not_ready_and_is_no_fault() -> None:
    ledger, readiness, stream = begun()
    ledger.says = False
    assert await readiness.results() == {"ledger": False, "rules": True, "clock": False}
    assert not stream.getvalue()
