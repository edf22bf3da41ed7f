"""Commands of two people at the same moment, as two processes; and one that is killed (`kill -9`) on the way."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select

from gateway.storage.subjects import erasure
from gateway.storage.subjects.acts import act
from tests.storage.office import LEI, Office, office, server
from tests.waiting import until

__all__ = ["office", "server"]


def start(office: Office, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gateway.cli", *arguments, "--config", str(office.config)]
    return subprocess.Popen(command, cwd=office.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(by: str) -> tuple[str, ...]:
    return ("--by", by, "--reason", "audit 9")


def number(printed: str) -> str:
    found = re.search(r"(?:hold|erasure) ([0-9a-f]{8})", printed)
    assert found is not None, printed
    return found[1]


@functools.cache
def engine(office: Office) -> Engine:
    return office.place.open().engine


def acts(office: Office) -> int:
    with engine(office).connect() as connection:
        return connection.execute(select(func.count()).select_from(act)).scalar_one()


def lifting(office: Office, by: str) -> tuple[str, ...]:
    held = erasure.holds(engine(office))
    return ("ledger", "hold", "lift", held[0].id, *said(by))


def requesting(office: Office, by: str) -> tuple[str, ...]:
    return ("ledger", "erase", "request", "--subject", LEI, *said(by))


def approving(office: Office, by: str) -> tuple[str, ...]:
    asked = erasure.requests(engine(office))
    return ("ledger", "erase", "approve", asked[0].id, "--by", by, "--out", f"{by[0]}.receipt")


LIFT = (("hold", "place"), lifting, r"hold `\w+` was lifted by \w\. Judge already")
REQUEST = ((), requesting, r"erasure `\w+` of this subject was requested by \w\. Judge already")
APPROVE = (("erase", "request"), approving, r"erasure `\w+` was carried out by \w\. Judge already")


@pytest.mark.long_cases("sqlite-lift", "postgresql-lift")
@pytest.mark.parametrize(
    ("place", "before", "wanted", "told"),
    [("sqlite", *LIFT), ("sqlite", *REQUEST), ("postgresql", *LIFT), ("postgresql", *APPROVE)],
    ids=["sqlite-lift", "sqlite-request", "postgresql-lift", "postgresql-approve"],
    indirect=["place"],
)
def test_one_of_two_stands_and_the_other_is_told_why(
    office: Office, before: tuple[str, ...], wanted: Callable[[Office, str], tuple[str, ...]], told: str
) -> None:
    office.serve(1)
    if before:
        office.ran("ledger", *before, "--subject", LEI, *said("C. Auditor"))
    count = acts(office)
    both = [start(office, *wanted(office, by)) for by in ("B. Judge", "D. Judge")]
    outcomes = [(each.communicate(), each.returncode) for each in both]
    assert sorted(status for _, status in outcomes) == [0, 1], outcomes
    [why] = [err for (_, err), status in outcomes if status == 1]
    assert re.search(told, why), why
    assert acts(office) == count + 1
    assert office.verify() == 0, office.err


@pytest.mark.long_cases("sqlite")
def test_whatever_a_kill_leaves_is_whole_and_can_be_gone_on_from(office: Office) -> None:
    """Killed while it waits for its turn, and as soon as its act stands: before it says anything."""
    office.serve(1)
    count = acts(office)
    placed = start(office, "ledger", "hold", "place", "--subject", LEI, *said("C. Auditor"))
    until("the hold to stand", lambda: acts(office) > count)
    placed.send_signal(signal.SIGKILL)
    assert placed.wait() in (0, -signal.SIGKILL)
    assert office.verify() == 0, office.err
    [held] = erasure.holds(engine(office))

    asked = number(office.ran("ledger", "erase", "request", "--subject", LEI, *said("A. Clerk")))
    assert f"hold `{held.id}` is open" in office.refused("ledger", "erase", "approve", asked, "--by", "B. Judge")
    office.ran("ledger", "hold", "lift", held.id, *said("C. Auditor"))
    count, killed = acts(office), 0
    while erasure.requests(engine(office))[0].state == "requested":
        approving = start(office, "ledger", "erase", "approve", asked, "--by", "B. Judge", "--out", f"{killed}.receipt")
        if killed:
            until("the erasure to stand", lambda: acts(office) > count)
        approving.kill()
        approving.wait()
        killed += 1
        assert office.verify() == 0, office.err
    assert acts(office) == count + 1
    assert "was carried out by B. Judge already" in office.refused(
        "ledger", "erase", "approve", asked, "--by", "E. Late"
    )
