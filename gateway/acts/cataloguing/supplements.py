"""The acts by which a definition of a dataset is consulted on, approved, published, and its dataset retired.

A steward moves datasets of its own department alone; another's are as good as not there. Each act names the definition
by its digest, so that nobody approves another than the one that was consulted on: what changed needs a consultation of
its own, unless it only takes away (`gateway.catalogue.definitions.beyond`). An approval is given after the last day of
the consultation, by two people. A dataset is not retired while recipients have to obey a recall of it.

What may be served rests on these acts where rule sets are activated (`steps.uncovered`).
"""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.cataloguing.steps import made, shown
from gateway.acts.matters.deciding import steward
from gateway.acts.office import Office
from gateway.acts.plain import MAX_BODY, of_file
from gateway.bounds.shares import Shares
from gateway.catalogue import definitions, load
from gateway.catalogue.model import Catalogue, Dataset
from gateway.documents import MOST_BYTES
from gateway.errors import Problem
from gateway.inquiry.types import Requester
from gateway.ledger.acting.digests import same_human
from gateway.ledger.acting.planned import Actor, Made, Seen, invalid, not_found
from gateway.rules.deadlines import deadline, overdue
from gateway.rules.files.calendar import MOST_TERM
from gateway.storage.recall.recalls import OPEN, recall
from gateway.storage.rules import cataloguing as rows
from gateway.storage.rules.cataloguing import Supplement
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import moment
from gateway.web.open.opened import AS_APPROVED

MOST_CONSULTED = 2 * MOST_BYTES + MAX_BODY
"""Bytes of a consultation's body: a file as large as policies may have it, written as JSON, and the rest."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml")


class Consulted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a consultation is opened by: a department's file, as text, with its name for problems."""

    text: str
    notice: str
    days: int
    file: str = "catalogue.yaml"
    reference: str | None = None


class Moved(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a supplement is moved by: the digest of the definition that is meant."""

    definition: str
    reason: str | None = None
    reference: str | None = None


class Retired(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a dataset is retired."""

    reason: str
    reference: str | None = None


class _Wanted(NamedTuple):
    """A step that is wanted: what its entry says beside who, and what its row has beside that."""

    what: str
    step: str
    told: dict[str, Any]
    row: Mapping[str, Any] = {}


class Supplements:
    """The acts. YAML is read in the client's share of CPU time."""

    def __init__(self, office: Office, shares: Shares) -> None:
        self._office, self._shares = office, shares

    async def consult(self, requester: Requester, dataset: str, given: Consulted) -> Acted:
        """Open the consultation on a definition; what was on its way for the dataset is withdrawn by it."""
        office, actor = self._office, steward(self._office, requester)
        notice = inputs.text(given.notice, "notice")
        least = office.calendar.terms.consultation
        if not least <= given.days <= MOST_TERM:
            message = f"`days` must be from {least} to {MOST_TERM} working days (`terms.consultation` in calendar.yaml)"
            raise inputs.wrong(message)
        name, among = _file(given.file), office.rules.policies.catalogue
        read = await self._shares.do(requester.who, lambda: _read(given.text, name, dataset, among))
        if read.department != actor.department:
            raise not_found()
        body = definitions.canonical(read)
        digest = definitions.digest_of(body)

        def make(seen: Seen) -> Made:
            before = _of(seen.connection, dataset)
            if any(each.department != actor.department for each in before):
                raise inputs.wrong(f"`{dataset}` is taken; rename the dataset")
            if any(each.definition == digest and each.state == "published" for each in before):
                raise invalid("STATE", "this definition is published; there is nothing to consult on")
            if any(each.definition == digest and each.pending for each in before):
                raise invalid("STATE", "this definition is on its way already; see `dutybound catalogue status`")
            last = deadline(office.calendar, seen.now, given.days)
            told = {"words": notice, "days": given.days, "due": last.due}
            told |= {"provisional": last.provisional, "calendar": last.calendar}
            row = {"days": given.days, "until": last.due.isoformat()}
            new = Supplement(secrets.token_hex(16), dataset, actor.department, digest, "", ())
            return self._step(seen, actor, new, _Wanted("catalogue-consulted", "consulted", told, row), body)

        # A repeat is of the same definition, wherever its file is, and whatever else stands in that.
        same = {"definition": digest, "notice": notice, "days": given.days, "reference": given.reference}
        return await self._done("catalogue/consult", actor, dataset, same, make)

    async def approve(self, requester: Requester, dataset: str, given: Moved) -> Acted:
        """Ask for the approval of what was consulted on, after its last day; or give it, as the second person."""
        actor = steward(self._office, requester)
        reason = "" if given.reason is None else inputs.text(given.reason, "reason")

        def make(seen: Seen) -> Made:
            own, me = _moved(seen, actor, dataset, given.definition), seen.keyed.people(actor.people)
            if own.state == "consultation":
                self._ended(own, seen.now)
                if not reason:
                    raise inputs.wrong(
                        "`reason` is missing: enter what the consultation brought, and what became of it"
                    )
                asked = _Wanted("catalogue-approval-asked", "approval-asked", {"words": reason}, {"by": me})
                return self._step(seen, actor, own, asked)
            if own.state != "awaits-confirmation":
                raise invalid("STATE", f"nothing of it waits for an approval: it is {own.state}")
            if same_human(own.steps[-1].by, me):
                raise invalid("SECOND_PERSON", "you asked for its approval; another steward has to give it")
            return self._step(seen, actor, own, _Wanted("catalogue-approved", "approved", {"words": reason}))

        return await self._done("catalogue/approve", actor, dataset, _plain(given), make)

    async def publish(self, requester: Requester, dataset: str, given: Moved) -> Acted:
        """Publish what was approved: from now on a rule set may have it."""
        actor = steward(self._office, requester)
        reason = "" if given.reason is None else inputs.text(given.reason, "reason")

        def make(seen: Seen) -> Made:
            own = _moved(seen, actor, dataset, given.definition)
            if own.state != "approved":
                raise invalid("STATE", f"only what was approved is published; it is {own.state}")
            told = {"words": reason, "outcome": AS_APPROVED}
            return self._step(seen, actor, own, _Wanted("catalogue-published", "published", told))

        return await self._done("catalogue/publish", actor, dataset, _plain(given), make)

    async def retire(self, requester: Requester, dataset: str, given: Retired) -> Acted:
        """Retire a dataset, with every definition of it: no rule set that publishes it can be activated from now on."""
        actor, reason = steward(self._office, requester), inputs.text(given.reason, "reason")

        def make(seen: Seen) -> Made:
            several = _all_own(seen, actor, dataset)
            if not several and self._served(actor, dataset):
                message = f"no act published `{dataset}`, which a folder has: take it out there (`status: retired`)"
                raise invalid("STATE", message)
            if not several:
                raise not_found()
            alive = [each for each in several if each.pending or each.state == "published"]
            if not alive:
                raise invalid("STATE", "nothing of it is published or on its way")
            if _recalled(seen.connection, dataset):
                raise invalid("STATE", "not all recalls of it have an answer yet; retire it once they have")
            return self._step(seen, actor, alive[-1], _Wanted("catalogue-retired", "retired", {"words": reason}))

        return await self._done("catalogue/retire", actor, dataset, _plain(given), make)

    def _served(self, actor: Actor, dataset: str) -> bool:
        """Whether the rule set in force has the dataset, as one of the steward's own department."""
        found = self._office.rules.policies.catalogue.datasets.get(dataset)
        return found is not None and found.department == actor.department

    def _ended(self, own: Supplement, now: datetime.datetime) -> None:
        """Raises `Refusal` where the consultation goes on; its days are counted again, as holidays are known by now."""
        calendar, step = self._office.calendar, own.steps[0]
        counted = deadline(calendar, moment(step.at), step.days).due
        last = max(counted, datetime.date.fromisoformat(step.until or counted.isoformat()))
        if not overdue(calendar, last, now):
            raise invalid("STATE", f"its consultation lasts through {last}; approve it after that day")

    def _step(self, seen: Seen, actor: Actor, own: Supplement, wanted: _Wanted, body: bytes | None = None) -> Made:
        return made(
            self._office.told(
                seen, actor, wanted.what, dataset=own.dataset, digest=own.definition, matter=own.id, **wanted.told
            ),
            seen, self._office.oversight(seen, actor), own, wanted.step, wanted.row, body,
        )  # fmt: skip

    async def _done(
        self, field: str, actor: Actor, dataset: str, arguments: dict[str, Any], make: Callable[[Seen], Made]
    ) -> Acted:
        touches: frozenset[Hashable] = frozenset([("catalogue", dataset)])
        return await self._office.done(self._office.planned(field, actor, dataset, arguments, touches, make, _again))


def _file(given: str) -> str:
    """The name of a catalogue file, as problems tell it; raises `Refusal`."""
    if not _NAME.fullmatch(given):
        raise inputs.wrong("`file` must be the name of a catalogue file, without its folder, as `tax.yaml`")
    return given


def _read(text: str, file: str, dataset: str, among: Catalogue) -> Dataset:
    """The dataset of a file; raises `Refusal` with all that is wrong, each with its line."""
    if len(text.encode()) > MOST_BYTES:
        raise inputs.wrong(
            f"`text` is larger than {MOST_BYTES // 1024} KiB, as no file of policies may be; split the file"
        )
    problems: list[Problem] = []
    found = load.one(text, file, dataset, among, problems)
    if problems:
        raise of_file(f"`{file}` cannot be consulted on: put right what is wrong with it", problems)
    if found is None:
        raise inputs.wrong(f"`{file}` has no dataset `{dataset}`")
    return found


def _of(connection: Connection, dataset: str) -> list[Supplement]:
    return [each for each in rows.supplements(rows.steps(connection, dataset)) if each.state != "retired"]


def _own(seen: Seen, actor: Actor, dataset: str) -> list[Supplement]:
    """The supplements of a dataset of one's own department; raises `Refusal`, the same for another's as for none."""
    mine = _all_own(seen, actor, dataset)
    if not mine:
        raise not_found()
    return mine


def _all_own(seen: Seen, actor: Actor, dataset: str) -> list[Supplement]:
    found = rows.supplements(rows.steps(seen.connection, dataset))
    return [each for each in found if each.department == actor.department]


def _moved(seen: Seen, actor: Actor, dataset: str, digest: str) -> Supplement:
    """The supplement of exactly that definition, the newest; raises `Refusal`."""
    several = _own(seen, actor, dataset)
    own = next((each for each in reversed(several) if each.definition == digest), None)
    if own is None:
        meant = next((each for each in reversed(several) if each.pending), several[-1])
        message = f"nobody was consulted on this definition, but on `{meant.definition}`: what changed needs its own"
        raise invalid("STATE", f"{message} consultation")
    return own


def _recalled(connection: Connection, dataset: str) -> bool:
    """Whether a recall of a dataset is not answered; how many is not for a steward, for some can be secret."""
    query = select(recall.c.id).where(OPEN, recall.c.dataset == dataset).limit(1)
    return connection.execute(query).first() is not None


def _plain(given: Any) -> dict[str, Any]:
    return {name: each for name, each in msgspec.to_builtins(given).items() if each is not None}


def _again(seen: Seen, past: Act) -> dict[str, Any]:
    """What a repeat is shown: the supplement as it is now."""
    for each in rows.supplements(rows.steps(seen.connection)):
        if each.id == past.matter:
            return shown(each)
    raise not_found()
