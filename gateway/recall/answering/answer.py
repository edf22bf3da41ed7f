"""A recipient answers its recalls: that it applied them, whom it had passed the records on to, or why it refuses.

A refusal names the law that it rests on. It goes to oversight and ends nothing: the term goes on, and the recall can
still be applied. What was passed on although the answer forbade it is a finding. Twice is once: what stands is told
again, with the act of the answer that it stands by, and nothing is entered; but who was passed something, and by which
law a recall is refused, is entered whenever it was not said before. The last answer that a suspension waits for ends it
in the same transaction.
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select, tuple_, update

from gateway.acts import inputs
from gateway.acts.called import Acted, Called
from gateway.acts.office import Office
from gateway.catalogue.graphql.act_fields import MOST_ITEMS
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, AtEntry, Changes, Made, Planned, Seen, invalid
from gateway.ledger.acting.writer import Done
from gateway.ledger.entry import entries
from gateway.recall import shown
from gateway.recall.enforcing.suspending import after_answers, touched
from gateway.recall.own import answered_by, named, own, recipient
from gateway.recall.shown import Past
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import OPEN, Recall, recall
from gateway.storage.recall.work import not_to_deliver
from gateway.storage.subjects.acts import Act, act
from gateway.storage.tables import micros, moment

MOST_PASSED_ON = 100
MOST_NAME = 200
_LIST = ("a list of recalls",)
"""Touched by each list, so that no two are in one group."""
_MAY_BECOME: Mapping[str | None, frozenset[str]] = {
    None: frozenset(["applied", "passed-on", "refused"]),
    "refused": frozenset(["applied", "passed-on"]),
    "applied": frozenset(["passed-on"]),
    "passed-on": frozenset(),
}
"""What an answer may become by its outcome. One that says no more than the one before is that one again."""
_AGAIN = frozenset(
    [("refused", "refused"), ("applied", "applied"), ("passed-on", "passed-on"), ("passed-on", "applied")]
)


class Answer(NamedTuple):
    """A recipient's answer."""

    outcome: str
    reason: str = ""
    passed_on: tuple[str, ...] = ()


class _Again(Exception):
    """It was answered so before."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


class Answering:
    """The acts of recipients."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def one(self, requester: Requester, called: Called) -> Acted:
        """`acknowledgeRecall`."""
        given = called.arguments
        return await self._answered(requester, called, [str(given["id"])], answer(given, given.get("passedOnTo")))

    async def several(self, requester: Requester, called: Called) -> Acted:
        """`acknowledgeRecalls`: all of them, or none."""
        ids = list(dict.fromkeys(str(each) for each in called.arguments["ids"]))
        if not 0 < len(ids) <= MOST_ITEMS:
            raise inputs.wrong(f"`ids` must name from 1 to {MOST_ITEMS} recalls")
        return await self._answered(requester, called, ids, answer(called.arguments, None, several=True))

    async def attest(self, requester: Requester, called: Called) -> Acted:
        """`attestDeletion`; then every recall of an answer that was to be deleted by then is applied, in slices.

        Whoever repeats it goes on where it stopped.
        """
        office, until = self._office, called.arguments["until"]
        actor = recipient(office, requester)
        if until > office.today():
            raise inputs.wrong("`until` is in the future: attest what was to be deleted by today, or earlier")

        def make(seen: Seen) -> Made:
            to = named(office.rules, actor.issuer, actor.client)
            told = office.told(seen, actor, "deletion-attested", until=until, to=to)
            return Made(told, office.oversight(seen, actor), [], "", True)

        touches = self._touches(actor)
        given = called.arguments
        done = await office.done(office.planned(called.field, actor, None, given, touches, make, lambda *_: True))
        after = (-1, "")
        while found := await asyncio.to_thread(self._deleted, actor, until, after):
            ids, after = found
            if ids:
                await self._applied(actor, ids)
        return done

    async def _applied(self, actor: Actor, ids: Sequence[str]) -> None:
        """Have recalls answered that an attestation covers; some may be answered meanwhile."""

        def make(seen: Seen) -> Made:
            each = [row for id_ in ids if (row := recalls.one(seen.connection, id_)) is not None and row.waits]
            if not each:
                raise _Again(Done("", seen.now, None))
            return self._made(seen, actor, each, Answer("applied"))

        def again(_seen: Seen, _past: Act) -> None:
            """It has no reference, so it is never repeated."""

        planned = Planned(actor, self._touches(actor) | {_LIST}, (), make, again, bulk=True)
        try:
            await self._office.writer.act(planned)
        except _Again:
            return

    async def _answered(self, requester: Requester, called: Called, ids: Sequence[str], said: Answer) -> Acted:
        office, single = self._office, called.field == "acknowledgeRecall"
        actor = recipient(office, requester)

        def value(seen: Seen, changed: Mapping[str, Recall]) -> Any:
            every = [shown.recall(changed.get(id_) or own(seen, office.rules, actor, id_)) for id_ in ids]
            return every[0] if single else every

        def make(seen: Seen) -> Made:
            every = [own(seen, office.rules, actor, id_) for id_ in ids]
            new = [row for row in every if self._is_new(row, said)]
            if not new:
                raise _Again(_past(seen, every[0])._replace(value=value(seen, {})))
            made = self._made(seen, actor, new, said)
            return made._replace(value=value(seen, {row.id: _as_answered(seen, row, said) for row in new}))

        touches = self._touches(actor) | (frozenset() if single else {_LIST})
        planned = office.planned(
            called.field, actor, None, called.arguments, touches, make, lambda seen, _: value(seen, {})
        )
        try:
            return await office.done(planned._replace(bulk=not single))
        except _Again as again:
            return Acted(again.done.value, await office.extension(again.done, own=False))

    def _is_new(self, row: Recall, said: Answer) -> bool:
        """Whether it says more than what was answered before; raises `Refusal` where it says something else."""
        if said.outcome in _MAY_BECOME[row.outcome]:
            return True
        if (row.outcome, said.outcome) not in _AGAIN:
            raise invalid("STATE", "this recall was answered as applied already; that cannot be taken back")
        if row.outcome != said.outcome or said.outcome == "applied" or row.moved_in is None:
            return False
        before, _ = Past(self._office.store, [row.moved_in])[row.moved_in]
        if not isinstance(before, entries.Acted):
            return True
        return not {*said.passed_on} <= {*before.passed_on} or said.reason not in ("", before.reason)

    def _touches(self, actor: Actor) -> frozenset[Hashable]:
        whose = answered_by(self._office.rules, (actor.issuer, actor.client))
        return frozenset(touched(who) for who in whose)

    def _made(self, seen: Seen, actor: Actor, every: Sequence[Recall], said: Answer) -> Made:
        """The act that answers recalls: an entry for each, and one for each suspension that follows from them."""
        past = Past(self._office.store, [place for row in every for place in (row.filed_in, row.place)])
        made = [self._one(seen, actor, row, said, past) for row in every]
        if said.outcome == "passed-on":
            forbidden = [row for row in every if past.duty(row.place, "no-onward-disclosure") is not None]
            made += [self._found(seen, row, said, past) for row in forbidden]
        if said.outcome != "refused":
            made += after_answers(self._office, seen, actor, every)
        first, *more = made
        # The entry of the act has its id; those beside it have their own.
        return first._replace(told=msgspec.structs.replace(first.told, id=seen.id), more=more)

    def _one(self, seen: Seen, actor: Actor, row: Recall, said: Answer, past: Past) -> Made:
        office = self._office
        told = office.told(
            seen, actor, "acknowledged", outcome=said.outcome, reason=said.reason, passed_on=said.passed_on,
            **shown.members(office.rules, row),
        )  # fmt: skip
        told = msgspec.structs.replace(told, id=secrets.token_hex(16))
        oversight = msgspec.structs.replace(office.oversight(seen, actor), secret_until=past.secret_until(row.filed_in))
        changes = [_moved(seen, row, said), *([] if said.outcome == "refused" else [not_to_deliver(row.id)])]
        return Made(told, oversight, changes, row.id, None)

    def _found(self, seen: Seen, row: Recall, said: Answer, past: Past) -> Made:
        """That it was passed on although the answer forbade it: for oversight, by the gateway itself."""
        office = self._office
        told = entries.Acted(
            entries.VERSION, secrets.token_hex(16), seen.now, entries.OWN, "onward-disclosure-found",
            passed_on=said.passed_on, rule_set=office.rules.digest, **shown.members(office.rules, row),
        )  # fmt: skip
        oversight = entries.Oversight(entries.VERSION, facts=seen.change, secret_until=past.secret_until(row.filed_in))
        return Made(told, oversight, [], row.id, None)

    def _deleted(
        self, actor: Actor, until: datetime.date, after: tuple[int, str]
    ) -> tuple[list[str], tuple[int, str]] | None:
        """Of the next recalls, those of answers that were to be deleted by a day; None where there are no more."""
        office = self._office
        mine = recalls.of_clients(answered_by(office.rules, (actor.issuer, actor.client)))
        behind = tuple_(recall.c.sequence, recall.c.id) > after
        with office.reading() as connection:
            found = recalls.several(connection, OPEN, mine, behind, recall.c.value.is_not(None), first=MOST_ITEMS)
        if not found:
            return None
        past = Past(office.store, [row.place for row in found])
        due = [(row.id, past.duty(row.place, "delete-by")) for row in found]
        ids = [id_ for id_, duty in due if duty is not None and duty.properties.get("date", "9") <= until.isoformat()]
        return ids, (found[-1].sequence, found[-1].id)


def answer(given: Mapping[str, Any], passed_on: Sequence[str] | None, *, several: bool = False) -> Answer:
    """What is answered, read; raises `Refusal`."""
    outcome = str(given["outcome"]).lower().replace("_", "-")
    reason = "" if given.get("reason") is None else inputs.text(given["reason"], "reason")
    if outcome == "refused" and not reason:
        raise inputs.wrong("`reason` is missing: name the law that the refusal rests on")
    names = tuple(dict.fromkeys(inputs.text(each, "passedOnTo", MOST_NAME) for each in passed_on or ()))
    if len(names) > MOST_PASSED_ON:
        raise inputs.wrong(f"`passedOnTo` has {len(names)} names; at most {MOST_PASSED_ON} are taken")
    if outcome == "passed-on" and several:
        raise inputs.wrong("each recall needs who has the data now: answer them one by one, with `passedOnTo`")
    if outcome == "passed-on" and not names:
        raise inputs.wrong("`passedOnTo` is missing: name those whom you passed the records on to")
    if outcome != "passed-on" and names:
        raise inputs.wrong("`passedOnTo` is for the outcome `PASSED_ON` only; leave it out")
    return Answer(outcome, reason, names)


def _as_answered(seen: Seen, row: Recall, said: Answer) -> Recall:
    state = row.state if said.outcome == "refused" else "acknowledged"
    return row._replace(state=state, outcome=said.outcome, answered=micros(seen.now))


def _moved(seen: Seen, row: Recall, said: Answer) -> Changes:
    after = _as_answered(seen, row, said)
    values: dict[str, Any] = {"state": after.state, "outcome": after.outcome, "answered": after.answered}
    if after.state == "acknowledged":
        values["later"] = None
    return AtEntry(lambda entry: update(recall).where(recall.c.id == row.id).values(**values, moved_in=entry))


def _past(seen: Seen, row: Recall) -> Done:
    """The act by which a recall was answered."""
    found = seen.connection.execute(select(act).where(act.c.entry == row.moved_in)).first()
    past = Act._make(found) if found is not None else None
    if past is None:
        raise invalid("STATE", "this recall was answered already")
    return Done(past.id, moment(past.at), None, place=past.entry)
