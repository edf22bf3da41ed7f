"""The acts on proposals: proposed and checked, approved, refused. `enacting` has what makes them count.

    draft > checked > simulated > approved > active > retired

A proposal is a draft while its tests fail. Its files, tests and schema are looked at in a process of its own
(`examiner`). Whoever approves signed in within minutes, is an officer of the base or a steward whose data it opens, and
is neither the author nor one who approved it already. What is no stored state follows from rows and the time (`shown`).
"""

from __future__ import annotations

import asyncio
import datetime
import secrets
from typing import NamedTuple

import msgspec
from sqlalchemy import insert, update

from gateway.activation.activating import kept
from gateway.activation.archive import NotPacked, unpacked
from gateway.acts import inputs
from gateway.acts.office import Office
from gateway.errors import VerificationFailed
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, AtEntry, Bound, Changes, Made, Row, Seen, invalid
from gateway.ledger.acting.writer import Done
from gateway.ledger.entry import entries
from gateway.proposals.allowed import Case, Person, approving, refusing
from gateway.proposals.desk import EVERY, Acting, acting, current, in_force, never, one
from gateway.proposals.desk import reason as said_of
from gateway.proposals.examination import Examined
from gateway.proposals.examiner import Examiner
from gateway.proposals.judging import NOTICE, OFFICER, judged
from gateway.proposals.statement import Statement, wrong_until
from gateway.rules import sshsig
from gateway.storage.port import Guarded
from gateway.storage.rules import proposals as rows
from gateway.storage.rules.proposals import CHECKED, DRAFT, REFUSED, WAITING, WAITS, Proposal, approval, proposal
from gateway.storage.tables import micros

LASTS = datetime.timedelta(days=60)
"""How long a proposal can be approved and activated."""
MOST_OPEN, MOST_PROPOSED = 50, 20
"""Proposals that may wait at a time, and that an official may make a day."""
_OWN = Actor(entries.OWN.issuer, entries.OWN.client, entries.OWN.department)


class Approving(NamedTuple):
    """An approval that is wanted, in the caller's words."""

    digest: str
    base: str
    until: datetime.datetime
    reason: str
    signature: str = ""


class Proposals:
    """Those acts. `origin` is the ledger's, which approvals name."""

    def __init__(self, office: Office, examiner: Examiner, origin: str) -> None:
        self._office, self._examiner, self._origin = office, examiner, origin

    async def propose(self, who: Requester, files: bytes, reason: str) -> tuple[str, Done]:
        """Propose a rule set, by its archive; its id. Raises `Refusal`, of files with all `problems`."""
        office, mine = self._office, acting(self._office, who)
        said, id_ = said_of(reason), secrets.token_hex(16)
        try:
            unpacked(files)
        except NotPacked as error:
            raise inputs.wrong(f"`files` {error}") from None
        base = await asyncio.to_thread(in_force, office)
        found = await self._examiner.of(files, base.files)
        if found.problems:
            raise invalid("ARGUMENT", "the rule set has problems; nothing was proposed", problems=found.problems)

        def make(seen: Seen) -> Made:
            now = current(office, seen)
            if now.digest != base.digest:
                raise invalid("STATE", "another rule set became active meanwhile; compare with that, and propose again")
            if found.digest == now.digest:
                raise invalid("STATE", "this is the active rule set: there is nothing to change")
            open_ = rows.several(
                seen.connection, WAITS, proposal.c.base_epoch == now.epoch,
                proposal.c.lapses > micros(seen.now), first=MOST_OPEN,
            )  # fmt: skip
            for each in open_:
                if each.digest == found.digest:
                    raise invalid("STATE", f"this rule set is proposed already, as `{each.id}`", proposal=each.id)
            if len(open_) >= MOST_OPEN:
                raise invalid("LIMIT", f"{MOST_OPEN} proposals wait already; have some of them refused first")
            values = {
                "id": id_, "digest": found.digest, "base": now.digest, "base_epoch": now.epoch, "state": DRAFT,
                "author": mine.people(seen.keyed), "officer": mine.name, "at": micros(seen.now),
                "lapses": micros(seen.now + LASTS),
            }  # fmt: skip
            told = office.told(
                seen, mine.actor, "rules-proposed", proposal=id_, digest=found.digest, base=now.digest,
                epoch=now.epoch, officer=mine.name, reason=said, term=seen.now + LASTS,
            )  # fmt: skip
            # Not as a `Row`, which would come after what marks it as checked.
            new = AtEntry(lambda entry: insert(proposal).values(**values, filed_in=entry))
            changes: list[Changes] = [kept(found.digest, files, micros(seen.now)), new]
            more = [] if found.failures else [self._checked(seen, mine, rows.new(values), found)]
            return Made(told, office.oversight(seen, mine.actor), changes, id_, None, more=more)

        day = Bound(("proposals", mine.actor.issuer, mine.actor.official or ""), MOST_PROPOSED, "proposals")
        return id_, await office.writer.act(office.planned("propose", mine.actor, None, {}, EVERY, make, never, [day]))

    def _checked(self, seen: Seen, mine: Acting, row: Proposal, found: Examined) -> Made:
        """The act that a proposal's files, tests and schema are right."""
        told = self._office.told(
            seen._replace(id=secrets.token_hex(16)), mine.actor, "rules-checked", proposal=row.id, digest=row.digest,
            widens=found.widens, schema=found.schema, outcome=f"{found.tests}-tests-passed",
        )  # fmt: skip
        widens = msgspec.json.encode(found.widens).decode()
        mark = update(proposal).where(proposal.c.id == row.id, proposal.c.state == DRAFT)
        checked = AtEntry(lambda entry: Guarded(mark.values(state=CHECKED, widens=widens, checked_in=entry)))
        return Made(told, self._office.oversight(seen, mine.actor), [checked], row.id, None)

    async def approve(self, who: Requester, id_: str, asked: Approving) -> Done:
        """Approve a proposal, as an officer of its base or a steward whose data it opens; raises `Refusal`."""
        office, mine = self._office, acting(self._office, who, fresh=True)
        said = said_of(asked.reason)

        def make(seen: Seen) -> Made:
            now, row = current(office, seen), one(seen.connection, id_)
            people, given = mine.people(seen.keyed), rows.approvals(seen.connection, id_)
            case = Case(row, given, office.rules.officers, now, seen.now)
            if hindrance := approving(Person(mine, people, "oversight" in who.scopes), case):
                raise hindrance.refusal
            if (asked.digest, asked.base) != (row.digest, row.base):
                raise inputs.wrong("the approval is for another rule set, or another base, than those of the proposal")
            role, name = mine.role(row)
            self._check_until(asked.until, seen.now)
            self._check_signature(mine, role, asked, said)
            new = rows.Approval(seen.id, id_, role, name, people, micros(seen.now), micros(asked.until), 0)
            told = office.told(
                seen, mine.actor, "rules-approved", proposal=id_, digest=row.digest, base=row.base, reason=said,
                term=asked.until, how=role, officer=name, signature=asked.signature.strip(),
            )  # fmt: skip
            after = judged(row, [*given, new], office.rules.officers, seen.now)
            tell = after.enough and bool(row.departments) and row.noted is None
            more = [self._noticed(seen, row)] if tell else []
            row_of = Row(approval, new._asdict(), ("filed_in",))
            return Made(told, office.oversight(seen, mine.actor), [row_of], id_, None, more=more)

        return await office.writer.act(office.planned("approve", mine.actor, None, {}, EVERY, make, never))

    def statement(self, who: Requester, id_: str, until: datetime.datetime, reason: str) -> str:
        """The words of an approval, which can be signed; raises `Refusal`. Blocks."""
        acting(self._office, who)
        said = said_of(reason)
        self._check_until(until, self._office.now())
        with self._office.reading() as connection:
            row = one(connection, id_)
        return Statement(self._origin, row.digest, row.base, until, said).text

    def _check_until(self, until: datetime.datetime, now: datetime.datetime) -> None:
        if wrong := wrong_until(until, now, datetime.timedelta(days=self._office.rules.officers.days)):
            raise inputs.wrong(wrong)

    def _check_signature(self, mine: Acting, role: str, asked: Approving, reason: str) -> None:
        """Where policies say `approvals: signed` an officer's words are signed, and what is signed is right."""
        if not asked.signature:
            if self._office.rules.officers.signed and role == OFFICER:
                raise inputs.wrong("an approval has to be signed here: send the SSH signature over its statement")
            return
        if mine.officer is None or not mine.officer.key:
            raise inputs.wrong("there is no key of yours in `officers.yaml` that a signature could be checked against")
        words = Statement(self._origin, asked.digest, asked.base, asked.until, reason)
        try:
            sshsig.verify(asked.signature, words.text.encode(), mine.officer.key)
        except VerificationFailed as error:
            raise inputs.wrong(str(error)) from None

    def _noticed(self, seen: Seen, row: Proposal) -> Made:
        """The act that oversight is told of what a proposal opens: its alert follows from the row."""
        told = self._office.told(
            seen._replace(id=secrets.token_hex(16)), _OWN, "rules-noticed", proposal=row.id, digest=row.digest,
            widens=row.departments, term=seen.now + NOTICE,
        )  # fmt: skip
        mark = update(proposal).where(proposal.c.id == row.id, proposal.c.noted.is_(None))
        noted = AtEntry(lambda entry: Guarded(mark.values(noted=micros(seen.now), noted_in=entry)))
        return Made(told, self._office.oversight(seen, _OWN), [noted], row.id, None)

    async def refuse(self, who: Requester, id_: str, reason: str) -> Done:
        """Refuse a proposal, or take one's own back: it can never be active. Raises `Refusal`."""
        office, mine = self._office, acting(self._office, who)
        said = said_of(reason)

        def make(seen: Seen) -> Made:
            row = one(seen.connection, id_)
            if refusal := refusing(Person(mine, mine.people(seen.keyed), "oversight" in who.scopes), row):
                raise refusal
            told = office.told(
                seen, mine.actor, "rules-refused", proposal=id_, digest=row.digest, reason=said, officer=mine.name
            )  # fmt: skip
            mark = update(proposal).where(proposal.c.id == id_, proposal.c.state.in_(WAITING))
            over = AtEntry(lambda entry: Guarded(mark.values(state=REFUSED, moved_in=entry)))
            return Made(told, office.oversight(seen, mine.actor), [over], id_, None)

        return await office.writer.act(office.planned("refuse", mine.actor, None, {}, EVERY, make, never))
