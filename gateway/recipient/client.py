"""The client: a turn reads receipts and the inbox, has done what recalls ask, and answers them.

Invariants: a recall is answered `APPLIED` only after it was done, and the register said so durably. Killed at any
moment, the next turn does again what may not have been done, and answers again what may not have been heard: both do no
harm. What fails with one recall keeps no other waiting.
"""

from __future__ import annotations

import datetime
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.recipient.asking import Asking, Refused, Unreachable
from gateway.recipient.config import Config
from gateway.recipient.doing import Doing, Done, Printing, Task, task
from gateway.recipient.inbox import PAGE, Inbox, Recall
from gateway.recipient.receipts import opened
from gateway.recipient.register import Answer, Register
from gateway.recipient.tokens import Tokens

AGAIN = 30.0
"""Seconds after a turn that failed in something, where the next look is later than that."""


class Turned(NamedTuple):
    """What a turn came to: how many recalls were answered, wait for a person, and could not be done or answered."""

    answered: int = 0
    waiting: int = 0
    failed: int = 0


class Client:
    """A recipient. `doing` does what a task asks; `say` gets what went wrong, without a word about a subject."""

    def __init__(self, config: Config, register: Register, doing: Doing, say: Callable[[str], object] | None = None):
        self._config, self._register, self._doing = config, register, doing
        self._say = say or (lambda said: print(said, file=sys.stderr, flush=True))
        self._asking = Asking()
        self._inbox = Inbox(self._asking, config.gateway, Tokens(self._asking, config.token))
        self._read = -config.receipts

    def close(self) -> None:
        self._asking.close()

    def run(self, nudged: threading.Event, ended: threading.Event) -> None:
        """A turn at each nudge, and at intervals in case one was lost, until `ended`; which sets `nudged` too."""
        while not ended.is_set():
            nudged.clear()
            turned = self.turn(ended)
            nudged.wait(min(self._config.poll, AGAIN) if turned.failed else self._config.poll)

    def turn(self, ended: threading.Event | None = None) -> Turned:
        """Read, do and answer, once."""
        failed = waiting = 0
        try:
            failed += self._look()
        except (Unreachable, Refused) as error:
            self._say(f"the inbox cannot be read: {error}")
            failed += 1
        for recall in self._register.open_recalls():
            if ended is not None and ended.is_set():
                break
            done = self.do(recall)
            failed, waiting = failed + (done is Done.FAILED), waiting + (done is Done.WAITS)
        answered, unheard = self.answer()
        return Turned(answered, waiting, failed + unheard)

    # Reading

    def _look(self) -> int:
        """Take what is in the inbox; what is not there any more was answered by somebody.

        How much of past receipts could not be read.
        """
        there: set[str] = set()
        known, fresh = self._register.unanswered(), False
        for page in self._inbox.recalls():
            new = self._register.take(page)
            fresh = fresh or any(not self._register.knows(each.inquiry) for each in new)
            there |= {each.id for each in page}
        gone = [id_ for id_ in known if id_ not in there]
        for id_ in gone:
            if known[id_] == "open":
                self._say(f"{id_}: it is not in the inbox any more; somebody else answered it")
        self._register.answered(gone)
        if fresh or time.monotonic() - self._read >= self._config.receipts:
            return self.read_receipts()
        return 0

    def read_receipts(self) -> int:
        """Note what past inquiries gave, since the last time; how much of that could not be read.

        Without them recalls are done all the same.
        """
        failed = 0
        try:
            for page in self._inbox.receipts(self._register.cursor()):
                received = []
                for past in page:
                    try:
                        received.append(opened(past.receipt))
                    except ValueError as error:
                        self._say(f"a receipt cannot be read: {error}")
                        failed += 1
                self._register.receive([each for each in received if each], page[-1].cursor)
            self._read = time.monotonic()
        except (Unreachable, Refused) as error:
            self._say(f"past receipts cannot be read: {error}")
            failed += 1
        return failed

    # Doing

    def do(self, recall: Recall) -> Done:
        """Have one recall done, and note it."""
        made = task(self._register, recall)
        if made is None:
            self._register.settle(recall)
            return Done.DONE
        asked, kind = made
        try:
            done = self._doing(self._corrected(asked, recall, kind))
        except (Unreachable, Refused) as error:
            self._say(f"{recall.id}: {error}")
            return Done.FAILED
        if done is Done.DONE:
            self._register.settle(recall)
        return done

    def _corrected(self, asked: Task, recall: Recall, kind: str) -> Task:
        """With what is right now, which whatever does it puts in place; a person asks for it by `--fetch`."""
        if recall.action != "UPDATE" or isinstance(self._doing, Printing):
            return asked
        return self.fetch(asked, recall, kind)

    def fetch(self, asked: Task, recall: Recall, kind: str) -> Task:
        """The task with what is right now, whose receipt is noted; raises `Unreachable` and `Refused`."""
        correction = self._inbox.correction(recall, kind, asked.purpose)
        if correction.receipt:
            received = opened(correction.receipt)
            self._register.receive([received] if received else [])
        return msgspec.structs.replace(asked, correction=correction)

    # Answering

    def answer(self) -> tuple[int, int]:
        """Answer what is done; how many were heard, and how many were not."""
        heard = unheard = 0
        answers = self._register.answers()
        plain = [each for each in answers if each.outcome == "APPLIED"]
        alone = [each for each in answers if each.outcome != "APPLIED"]
        groups = [plain[at : at + PAGE] for at in range(0, len(plain), PAGE)] + [[each] for each in alone]
        while groups:
            group = groups.pop(0)
            try:
                self._send(group)
            except Refused as error:
                if len(group) > 1:  # one of them: each by itself tells which
                    groups[:0] = [[each] for each in group]
                    continue
                self._say(f"{group[0].recall}: it cannot be answered: {error}")
                unheard += 1
            except Unreachable as error:
                self._say(f"recalls cannot be answered now: {error}")
                return heard, unheard + len(group) + sum(map(len, groups))
            else:
                self._register.answered([each.recall for each in group])
                heard += len(group)
        return heard, unheard

    def _send(self, group: list[Answer]) -> None:
        first = group[0]
        if first.outcome == "APPLIED":
            self._inbox.acknowledge([each.recall for each in group], "APPLIED")
        else:
            self._inbox.answer(first.recall, first.outcome, first.reason, first.passed_on)

    # By a person

    def attest(self, until: datetime.date) -> None:
        """Report that all that was to be deleted by a day is deleted; raises `Unreachable` and `Refused`."""
        self._inbox.attest(until)
        self._register.deleted(until)
