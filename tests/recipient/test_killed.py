"""Killed at any moment, the client goes on: nothing is answered before it was done, and everything is in the end.

The property ends a client at every step in turn, before or after what the step does, as a killed process ends. The
process itself is killed too, with `kill -9`, while it works off recalls by a command.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recipient.client import Client
from gateway.recipient.doing import Done, Task
from gateway.recipient.inbox import Recall
from gateway.recipient.register import Register
from tests.docs.reading import ROOT
from tests.recipient.kit import Desk, at_desk, receipt, write_config
from tests.recipient.standin import Gateway, recall, standing
from tests.waiting import until


class Killed(BaseException):
    """The process ended here."""


class Steps:
    """Counts steps, and ends the client before or after one of them."""

    def __init__(self, ends: Iterator[int]) -> None:
        self._ends, self._left = ends, next(ends, 10**9)

    def __call__(self, what: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **named: Any) -> Any:
            self._count()
            done = what(*given, **named)
            self._count()
            return done

        return step

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._left = next(self._ends, 10**9)
            raise Killed


STEPS = ("receive", "take", "settle", "answered")
ASKED = ("acknowledge", "answer", "correction")


def worked_off(desk: Desk, ends: list[int], made: type[Client] = Client) -> list[str]:
    """All in the inbox worked off by clients that end after so many steps; what was done, and answered, in order."""
    events: list[str] = []
    steps = Steps(iter(ends))
    desk.gateway.heard = lambda id_: events.append(f"answered {id_}")

    def doing(asked: Task) -> Done:
        events.append(f"did {asked.recall}")
        return Done.DONE

    for _ in range(len(ends) + 1):
        register = Register(desk.config.register)
        client = made(desk.config, register, steps(doing), lambda said: None)
        for name in STEPS:
            setattr(register, name, steps(getattr(register, name)))
        for name in ASKED:
            setattr(client._inbox, name, steps(getattr(client._inbox, name)))
        try:
            client.turn()
        except Killed:
            continue
        finally:
            client.close()
            register.close()
        break
    return events


def wrong(events: list[str], ids: list[str]) -> list[str]:
    """What was answered without having been done, and what was never answered."""
    early = [
        each
        for at, each in enumerate(events)
        if each.startswith("answered") and each.replace("answered", "did") not in events[:at]
    ]
    return early + [f"{id_} was never answered" for id_ in ids if f"answered {id_}" not in events]


def tried(ends: list[int], made: type[Client] = Client) -> list[str]:
    folder = Path(tempfile.mkdtemp())
    try:
        with at_desk(folder) as desk:
            desk.gateway.receipts += [receipt(f"I-{number}") for number in range(1, 5)]
            desk.register.pass_on("I-3", "Customs")
            ids = [f"R-{number}" for number in range(1, 5)]
            actions = ("DELETE", "UPDATE", "DELETE", "MARK_DISPUTED")
            desk.gateway.correct["R-2"] = []
            for number, (id_, action) in enumerate(zip(ids, actions, strict=True), 1):
                desk.gateway.add(recall(id_, number, action, inquiry=f"I-{number}"))
            return wrong(worked_off(desk, ends, made), ids)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 30), max_size=6))
def test_nothing_is_answered_before_it_was_done_and_everything_is_in_the_end(ends: list[int]) -> None:
    assert tried(ends) == []


class Hasty(Client):
    """The fault: it notes that a recall was done, and then has it done."""

    def do(self, recall: Recall) -> Done:
        self._register.settle(recall)
        return super().do(recall)


def test_a_client_that_notes_first_and_does_then_is_found() -> None:
    assert any(tried([at], Hasty) for at in range(1, 40))


COMMAND = """\
import json, sys
asked = json.load(sys.stdin)
with open({path!r}, "a") as file:
    file.write(asked["recall"] + "\\n")
"""


def test_a_process_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """The command notes what it did in a file, and the gateway looks there before it takes an answer."""
    gateway, did = Gateway(), tmp_path / "did"
    did.touch()
    script = tmp_path / "apply.py"
    script.write_text(COMMAND.format(path=str(did)))
    early: list[str] = []
    gateway.heard = lambda id_: None if id_ in did.read_text().split() else early.append(id_)
    numbers = range(1, 31)
    gateway.receipts += [receipt(f"I-{number}") for number in numbers]
    gateway.add(*(recall(f"R-{number}", number, inquiry=f"I-{number}") for number in numbers))
    dice = random.Random(7)
    with standing(gateway) as url:
        write_config(tmp_path, url, f"command: [{sys.executable}, {script}]\n")
        command = [sys.executable, "-m", "gateway.recipient", "--config", str(tmp_path / "client.yaml")]
        for _ in range(4):
            before = len(did.read_text().split())
            process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
            until("something that is done", lambda was=before: len(did.read_text().split()) > was or not _open(gateway))
            time.sleep(dice.uniform(0, 0.1))
            process.kill()
            process.wait()
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            until("all to be answered", lambda: not _open(gateway))
        finally:
            process.terminate()
            assert process.wait(60) == 0
    assert early == []
    assert {each[0] for each in gateway.acknowledged} == {f"R-{number}" for number in numbers}
    assert {each[1] for each in gateway.acknowledged} == {"APPLIED"}


def _open(gateway: Gateway) -> list[str]:
    return [id_ for id_, each in gateway.inbox.items() if each["state"] != "ACKNOWLEDGED"]
