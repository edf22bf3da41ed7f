"""An act before it is made: who acts, what it reads and moves, how often it may be, and how it is made of what stands.

What an act sees comes as `Seen`, and what it makes goes out as `Made`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway.errors import Code, Refusal
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.entry import entries
from gateway.ledger.log.keyring import AtEntry, Changes, Row
from gateway.storage.recall import recalls
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros

__all__ = [
    "Actor", "AtEntry", "Bound", "Changes", "Made", "Planned", "Repeat", "Row", "RulesChanged", "Seen",
    "invalid", "new_fact", "not_found", "recalled",
]  # fmt: skip


class Actor(NamedTuple):
    """Who acts: a client, and the human behind it. A system has neither `person` nor `official`.

    `person` acts as or for a subject, `official` for a department. `people` has each name of that human, at its issuer:
    nobody confirms what one did that shares a name with them.
    """

    issuer: str
    client: str
    department: str
    official: str | None = None
    person: str | None = None
    people: frozenset[tuple[str, str]] = frozenset()


class Bound(NamedTuple):
    """How many acts per day there may be of what `whose` names; `quota` is its name for the caller.

    An act that nothing may keep from being done is counted all the same: it `refuses` nothing.
    """

    whose: tuple[str, ...]
    most: int
    quota: str
    refuses: bool = True


class Repeat(NamedTuple):
    """A caller's reference: of what it is one, what was asked under it, and how long it is remembered."""

    of: tuple[object, ...]
    arguments: object
    within: datetime.timedelta = datetime.timedelta(hours=24)


class Seen(NamedTuple):
    """What stands when an act is made: `connection` reads it, and it still stands when the act does.

    `id` is the act's own, random. `change` is the number of the last change of facts; the next ones are this act's.
    `epoch` is that of the active rule set. `today` is the day of `now` in the policies' time zone. Acts that are made
    together share `counted`, and nothing else: what each adds to a count that the store does not have yet, by what is
    counted.
    """

    connection: Connection
    keyed: Keyed
    id: str
    change: int
    now: datetime.datetime
    today: datetime.date
    counted: dict[Hashable, int]
    epoch: int = 0


class Made(NamedTuple):
    """An act ready to be entered: its entry, and what it changes.

    `facts` is how many numbers of facts it took. `moved` is the matter or fact that it made or moved: what a repeat is
    shown again. `value` is what the caller is shown. `more` are what is done with it: entries of their own, of the same
    transaction, each with an id, and with numbers of facts behind those before it.
    """

    told: entries.Done
    oversight: entries.Oversight
    changes: Sequence[Changes]
    moved: str
    value: Any
    facts: int = 0
    more: Sequence[Made] = ()


class Planned(NamedTuple):
    """An act that is wanted. `touches` is what it reads or moves: of two that touch the same, one waits for the other.

    `make` gives the act, `again` what a repeat of it is shown. Both raise `Refusal` where that cannot be. `bulk` yields
    to what people do. `of_subject`: it is a subject's own, or done for it, so that its receipt shows nobody its part.
    `guarded`: its own changes hold only where what it saw still does (`Guarded`), so that others' acts have it made
    again no more than they must. It has no bounds and changes no facts. It is committed alone: it may destroy keys.
    """

    actor: Actor
    touches: frozenset[Hashable]
    bounds: Sequence[Bound]
    make: Callable[[Seen], Made]
    again: Callable[[Seen, Act], Any]
    repeat: Repeat | None = None
    bulk: bool = False
    of_subject: bool = False
    guarded: bool = False


class RulesChanged(Refusal):
    """An act was made under rules that were replaced meanwhile: nothing of it stands. `epoch` is the newer ones'."""

    def __init__(self, epoch: int) -> None:
        super().__init__(Code.CONFLICT, "other rules were activated at the same moment; try again", retryable=True)
        self.epoch = epoch


def invalid(reason: str, message: str, **extensions: Any) -> Refusal:
    """It cannot be done in this state, or in this way (`MATTER_INVALID`)."""
    return Refusal(Code.MATTER_INVALID, message, reason=reason, **extensions)


def not_found() -> Refusal:
    """There is none of this id, for this caller: the same whether it is not there or another's."""
    return Refusal(Code.MATTER_NOT_FOUND, "there is no matter of this id for you")


def new_fact(
    seen: Seen, kind: str, subject: tuple[str, str], columns: Mapping[str, str], offset: int = 1
) -> dict[str, object]:
    """The row of a fact that begins with the act; its change is the `offset`th of the act's own."""
    return facts.row(kind, subject, seen.now, seen.change + offset, **columns)


def recalled(seen: Seen, cause: str, subject: tuple[str, str], **columns: str | None) -> Row:
    """The job that notifies those who received what the act is about (Art. 47), from facts before the act's first
    change.

    `cause` is one of `recalls.CAUSES`, `columns` are of `recalls.recall_job`.
    """
    row = recalls.job(cause, subject, micros(seen.now), change=seen.change + 1, **columns)
    return Row(recalls.recall_job, row, ("filed_in",))
