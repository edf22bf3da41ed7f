"""How a proposal becomes active, and how an earlier rule set is active again.

Both look at everything again in their own transaction: what a proposal lacks, what people's matters refer to, and that
the base is still what it was. Of two at once one stands, and the other is a `CONFLICT`. A rollback takes one officer,
and oversight is told of it at once: it goes to a set that people activated before, and reopens no dataset that was
retired since; suspensions are rows beside rule sets, and hold under each. What would open data of people, or not
public, again goes back for `REACH` only; after that it takes a proposal.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from sqlalchemy import Connection, select, update

from gateway.activation.activating import WHAT, Wanted, changes, members
from gateway.activation.stored import BY_FOLDER
from gateway.acts.cataloguing import steps
from gateway.acts.office import Office
from gateway.errors import Code, ConfigurationError, Refusal, StoreUnavailable
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import AtEntry, Changes, Made, Planned, Seen, invalid
from gateway.ledger.acting.writer import Done
from gateway.ledger.entry import entries
from gateway.proposals.desk import EVERY, Acting, acting, in_force, never, one, still_open, unreadable
from gateway.proposals.desk import reason as said_of
from gateway.proposals.examination import Examined
from gateway.proposals.examiner import Examiner
from gateway.proposals.judging import judged, lacks
from gateway.proposals.references import broken
from gateway.storage.port import Guarded
from gateway.storage.rules import proposals as rows
from gateway.storage.rules import rulesets
from gateway.storage.rules.proposals import ACTIVE, READY, Activation, Proposal, proposal
from gateway.storage.rules.rulesets import Active, activation, rule_set
from gateway.storage.subjects.acts import act_head, last
from gateway.storage.tables import moment

REACH = datetime.timedelta(days=7)
MOST_BACK = 20
"""Activations that a rollback goes back over, at most."""
PEOPLE = ("proposal", "bootstrap")
"""How a set was activated by people."""


Fits = Callable[[str], Awaitable[None]]
"""Raises `ConfigurationError` where this gateway could not serve the rule set of a digest."""


async def _any(digest: str) -> None:
    """Nothing is served here, so that each fits."""


class Enacting:
    """Those two acts. `by_folder`: the gateway goes by its folder (`rules: files`), and both are refused.

    What does not fit (`fits`) is not activated, since all inquiries would be refused then. A rollback is not held up by
    it: it may be what stops a harm.
    """

    def __init__(self, office: Office, examiner: Examiner, fits: Fits = _any, *, by_folder: bool = False) -> None:
        self._office, self._examiner, self._fits, self._by_folder = office, examiner, fits, by_folder

    async def activate(self, who: Requester, id_: str) -> Done:
        """Have a proposal become active; raises `Refusal`."""
        mine = self._officer(who)
        row, files, base = await asyncio.to_thread(self._proposed, id_)
        found = await self._examiner.of(files, base)
        if found.problems or found.failures or found.digest != row.digest or set(found.widens) - set(row.departments):
            problems = [*found.problems, *found.failures]
            raise invalid("STATE", "it differs from what was checked; propose it again", problems=problems)
        try:
            await self._fits(row.digest)
        except ConfigurationError as error:
            said = "this gateway could not serve it, and would refuse all inquiries; put that right first"
            raise invalid("STATE", said, problems=[str(each) for each in error.problems]) from error
        except StoreUnavailable as error:
            raise unreadable() from error

        def make(seen: Seen) -> Made:
            office, now = self._office, _still(seen, (row.base_epoch, row.base))
            it = one(seen.connection, id_)
            still_open(it, now, seen.now)
            found_now = judged(it, rows.approvals(seen.connection, id_), office.rules.officers, seen.now)
            if lacking := lacks(it, found_now, seen.now):
                raise invalid("STATE", f"it cannot be activated yet: {'; '.join(lacking)}", lacks=lacking)
            approvers = tuple(sorted(each.name for each in found_now.counted))
            mark = update(proposal).where(proposal.c.id == id_, proposal.c.state.in_(READY))
            moved = AtEntry(lambda entry: Guarded(mark.values(state=ACTIVE, epoch=now.epoch + 1, moved_in=entry)))
            wanted = Wanted(it.digest, None, "proposal", id_, approvers, found.schema)
            return self._made(seen, mine, wanted, found, [moved], id_, "")

        return await self._done(mine, make)

    async def roll_back(self, who: Requester, epoch: int, reason: str) -> Done:
        """Have the rule set of an earlier epoch active again; raises `Refusal`."""
        mine, said = self._officer(who), said_of(reason)
        now, target, between = await asyncio.to_thread(self._past, epoch)
        files, base, others = await asyncio.to_thread(self._archives, target.digest, now.digest, between)
        found = await self._examiner.of(files, base, others)

        def make(seen: Seen) -> Made:
            _still(seen, now)
            self._check_back(seen.connection, target, found, seen.now)
            wanted = Wanted(target.digest, None, "rollback", "", (mine.name,), found.schema)
            return self._made(seen, mine, wanted, found, [], target.digest, said)

        return await self._done(mine, make)

    async def back(self, epoch: int) -> tuple[Activation, Examined, Refusal | None]:
        """What a rollback to an epoch would change, and why it would be refused as it stands; raises `Refusal`."""
        now, target, between = await asyncio.to_thread(self._past, epoch)
        files, base, others = await asyncio.to_thread(self._archives, target.digest, now.digest, between)
        found = await self._examiner.of(files, base, others)
        return target, found, await asyncio.to_thread(self._hindrance, target, found)

    def _hindrance(self, target: Activation, found: Examined) -> Refusal | None:
        """Blocks."""
        office = self._office
        try:
            with office.reading() as connection:
                self._check_back(connection, target, found, office.now())
                self._check_kept(connection, found, office.now())
        except Refusal as refusal:
            return refusal
        return invalid("STATE", BY_FOLDER) if self._by_folder else None

    def _check_back(self, connection: Connection, target: Activation, found: Examined, at: datetime.datetime) -> None:
        """Raises `Refusal` where a set cannot be gone back to."""
        if found.problems or found.digest != target.digest:
            raise invalid(
                "STATE", "its files mean something else in this version; propose them", problems=found.problems
            )
        if found.reopened:
            named = ", ".join(f"`{each}`" for each in found.reopened)
            raise invalid("STATE", f"it would reopen what was retired since: {named}; propose a set without that")
        if found.widens and self._served(connection, target.digest, at) < at - REACH:
            named = ", ".join(f"`{each}`" for each in found.widens)
            raise invalid(
                "SECOND_PERSON",
                f"it would open data of {named} that is of people, or not public, and was not active within"
                f" {REACH.days} days; propose it, so that others approve",
            )

    def _check_kept(self, connection: Connection, found: Examined, at: datetime.datetime) -> None:
        """Raises `Refusal` where people's matters refer to what would be gone."""
        today = at.astimezone(self._office.zone).date()
        if gone := broken(connection, found.purposes, found.published, today):
            raise invalid("STATE", f"it cannot be activated: {gone[0]}", refers=gone)

    def _officer(self, who: Requester) -> Acting:
        mine = acting(self._office, who, fresh=True)
        if mine.officer is None:
            raise Refusal(Code.FORBIDDEN, "you are no officer in `officers.yaml` of the rule set in force")
        if self._by_folder:
            raise invalid("STATE", BY_FOLDER)
        return mine

    async def _done(self, mine: Acting, make: Callable[[Seen], Made]) -> Done:
        # Alone in its group, so that nothing is made under one rule set and stands under another.
        return await self._office.writer.act(Planned(mine.actor, EVERY, (), make, never, guarded=True))

    def _made(
        self,
        seen: Seen,
        mine: Acting,
        wanted: Wanted,
        found: Examined,
        more: Sequence[Changes],
        moved: str,
        reason: str,
    ) -> Made:
        """The act that activates; raises `Refusal` where people's matters refer to what would be gone."""
        self._check_kept(seen.connection, found, seen.now)
        more_acts = self._published(seen, mine, wanted.digest, found)
        told = self._office.told(seen, mine.actor, WHAT, digest=wanted.digest, officer=mine.name, reason=reason)
        told = msgspec.structs.replace(told, **members(seen, wanted), widens=found.widens)
        # Nothing else happened since: a consent that was given meanwhile has to be seen.
        number = last(seen.connection)
        alone = Guarded(update(act_head).where(act_head.c.number == number + 1).values(number=number + 1))
        own = [alone, *changes(seen, wanted), *more]
        return Made(told, self._office.oversight(seen, mine.actor), own, moved, None, more=more_acts)

    def _published(self, seen: Seen, mine: Acting, digest: str, found: Examined) -> list[Made]:
        """What the first set of people brings along; of a later one, raises `Refusal` for what no act published."""
        if seen.connection.execute(rulesets.by_people()).first() is None:
            actor = mine.actor
            who = entries.Who(actor.issuer, actor.client, actor.department)
            return steps.first(seen, who, digest, self._office.oversight(seen, actor), found.definitions)
        if beyond := steps.uncovered(seen.connection, found.definitions):
            raise steps.refused(beyond)
        return []

    def _proposed(self, id_: str) -> tuple[Proposal, bytes, bytes]:
        """A proposal, its archive and its base's; raises `Refusal`. Blocks."""
        with self._office.reading() as connection:
            row, now = one(connection, id_), rulesets.active(connection)
            still_open(row, now or Active(0, ""), self._office.now())
            files = {
                row.digest: row.files
                for row in connection.execute(
                    select(rule_set.c.digest, rule_set.c.files).where(rule_set.c.digest.in_([row.digest, row.base]))
                )
            }
        return row, files[row.digest], files[row.base]

    def _past(self, epoch: int) -> tuple[Active, Activation, list[str]]:
        """What is active, what was since an epoch, and the digests of all since; raises `Refusal`. Blocks."""
        now = in_force(self._office)
        if not 1 <= epoch <= now.epoch:
            # Whoever comes here may list them all, so that nothing is given away.
            known = f"they are epochs 1 to {now.epoch}" if now.epoch > 1 else "there is epoch 1 alone"
            raise Refusal(Code.MATTER_NOT_FOUND, f"there is no activation of epoch {epoch}: {known}")
        with self._office.reading() as connection:
            since = rows.activations(connection, activation.c.epoch >= epoch, first=MOST_BACK + 2)
            if not since or since[-1].epoch != epoch:
                raise invalid("LIMIT", f"that is more than {MOST_BACK} activations ago; propose that set again")
            target = since[-1]
            by_people = (activation.c.digest == target.digest, activation.c.how.in_(PEOPLE))
            if not rows.activations(connection, *by_people, first=1):
                raise invalid("STATE", "nobody approved that rule set: a start read it from a folder; propose it")
        if target.digest == now.digest:
            raise invalid("STATE", "this is the active rule set: there is nothing to roll back")
        return Active(now.epoch, now.digest), target, sorted({each.digest for each in since} - {target.digest})

    def _archives(self, target: str, base: str, between: Sequence[str]) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        with self._office.reading() as connection:
            wanted = select(rule_set.c.digest, rule_set.c.files).where(rule_set.c.digest.in_([target, *between]))
            files = {row.digest: row.files for row in connection.execute(wanted)}
        return files[target], files[base], tuple(files[each] for each in between)

    def _served(self, connection: Connection, digest: str, at: datetime.datetime) -> datetime.datetime:
        """Until when a set was active last: the moment of the activation after it."""
        last_one = rows.activations(connection, activation.c.digest == digest, first=1)[0]
        after = rows.activations(connection, activation.c.epoch == last_one.epoch + 1, first=1)
        return moment(after[0].at) if after else at


def _still(seen: Seen, expected: tuple[int, str]) -> Active:
    """The active rule set, which has to be the one that was looked at; raises `Refusal` (`CONFLICT`)."""
    now = rulesets.active(seen.connection)
    if now is None or now != expected:
        raise Refusal(Code.CONFLICT, "another rule set became active at the same moment; look at that", retryable=True)
    return now
