"""What a recall asks of the department, and the two ways in which it is done: by a command, or by a person.

Whatever is asked may be asked again: a client that was killed in between cannot know whether it was done. So a command
does the same for the same recall, as often as it is called.
"""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from gateway.recipient.inbox import Correction, Recall, RecalledRecord
from gateway.recipient.register import Register

WORDS = {
    "DELETE": "delete",
    "UPDATE": "replace by what is right now",
    "MARK_DISPUTED": "mark as disputed",
    "CLEAR_DISPUTED": "remove the mark `disputed`",
}


class Task(msgspec.Struct, frozen=True):
    """What is to be done: with these records, which an inquiry gave.

    `unknown` are records of which the register has no receipt: they are to be looked for all the same. `purpose` is
    that of the inquiry, and empty where it is unknown. `correction` is what takes the place of records on an `UPDATE`:
    one that it does not have is not shown any more, and is to be deleted. `passed_on` has those who have the records
    from this department, and are to be told.
    """

    recall: str
    action: str
    inquiry: str
    purpose: str
    scheme: str
    value: str
    due: str
    records: tuple[RecalledRecord, ...]
    unknown: tuple[str, ...]
    passed_on: tuple[str, ...]
    correction: Correction | None = None


class Done(enum.Enum):
    """What became of a task: it was done, a person has to do it, or it could not be done and is asked for again."""

    DONE = "done"
    WAITS = "waits"
    FAILED = "failed"


Doing = Callable[[Task], Done]


def task(register: Register, recall: Recall) -> tuple[Task, str] | None:
    """What a recall asks, and the kind of its subject where it is known; None where nothing is left to be done.

    Order is not promised. So a deletion wins over whatever comes about the same version; and of marks and their
    removal, the one with the highest sequence stays.
    """
    left, unknown, kind, purpose = [], [], "", ""
    for record in recall.records:
        held = register.held(recall, record)
        if held is None:
            unknown.append(f"{record.dataset}/{record.record}@{record.version}")
        else:
            kind, purpose = held.kind or kind, held.purpose
            if held.state == "deleted" or ("DISPUTED" in recall.action and recall.sequence < held.marked):
                continue
        left.append(record)
    if not left:
        return None
    asked = Task(
        recall.id, recall.action, recall.inquiry, purpose, recall.scheme, recall.value, recall.due.isoformat(),
        tuple(left), tuple(unknown), register.passed_on(recall.inquiry),
    )  # fmt: skip
    return asked, kind


class Printing:
    """A person does it: a line names what, once while this runs. It is answered once the person confirms it."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, asked: Task) -> Done:
        if asked.recall not in self._told:
            self._told.add(asked.recall)
            print(lines(asked), flush=True)
        return Done.WAITS


def lines(asked: Task) -> str:
    """A task in words: what, of whom, from which inquiry, by when; and how to answer."""
    whose = f"of {asked.scheme} {asked.value}, from inquiry {asked.inquiry}"
    said = [f"{asked.recall}: {WORDS.get(asked.action, asked.action)}, by {asked.due}, {whose}:"]
    for record in asked.records:
        name = f"{record.dataset}/{record.record}@{record.version}"
        more = "; no receipt names it" if name in asked.unknown else ""
        said.append(f"    {name} ({', '.join(record.fields)}){more}")
    said += [f"    and notify {whom}, who has it from you" for whom in asked.passed_on]
    return "\n".join(said)


class Command:
    """A command does it: it gets the task as JSON on its standard input, and ends with 0 once it is done."""

    def __init__(self, command: Sequence[str], patience: float) -> None:
        self._command, self._patience = list(command), patience

    def __call__(self, asked: Task) -> Done:
        try:
            given = msgspec.json.encode(asked)
            done = subprocess.run(self._command, input=given, timeout=self._patience, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            why = f"took more than {self._patience:g} s"
        except OSError as error:
            why = f"cannot be started ({error.strerror})"
        else:
            if done.returncode == 0:
                return Done.DONE
            why = f"ended with {done.returncode}"
        print(f"{asked.recall}: `{self._command[0]}` {why}; it is asked again", file=sys.stderr, flush=True)
        return Done.FAILED
