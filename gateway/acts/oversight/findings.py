"""What oversight does about findings of the watch: `findings`, `openFinding` and `endReview` (Arts. 27, 28).

As `gateway.watch.reviews` has it, by whoever the token names: nobody says who they are, and nobody needs the ledger's
key. Invariants: that entries are opened is entered before any is (invariant 17); nobody ends the review of inquiries of
their own; a verdict takes a sign-in of the last minutes, and is not changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.acts import inputs
from gateway.acts.called import Acted, Called
from gateway.acts.matters.listing import OVERSIGHT
from gateway.acts.office import SIGNED_IN_WITHIN, Office
from gateway.acts.subject import history
from gateway.errors import Code, LedgerUnavailable, Refusal, StoreUnavailable, VerificationFailed
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Made, Seen, invalid, not_found
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.projections.visible import BEGIN, Look
from gateway.ledger.stored import read
from gateway.storage.port import Reader
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import SHARD_BITS, micros, moment
from gateway.storage.watch import findings as kept
from gateway.storage.watch.findings import Kept
from gateway.watch import reviews
from gateway.watch.break_glass import BreakGlass

_CURSOR = re.compile(r"([0-9a-f]{1,15})-([\x21-\x7e]{1,200})")


class Overseeing:
    """The acts of oversight on findings, and their page."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, requester: Requester, called: Called) -> Acted:
        """`findings`: those of a state, or all; the oldest first."""
        overseer(self._office, requester)
        given = called.arguments
        after = _place(str(given["after"])) if given.get("after") is not None else None
        decided = {None: None, "OPEN": False, "DECIDED": True}.get(given.get("state"), False)
        if given.get("state") not in (None, "OPEN", "DECIDED"):
            return Acted({"items": [], "next": None})
        await self._office.viewed(requester, "findings", "what the watch found")
        first = given["first"]

        def look() -> list[Kept]:
            engine, detector = self._office.store.engine, given.get("detector")
            with self._office.reading():
                return kept.findings(engine, decided=decided, detector=detector, after=after, first=first + 1)

        found = await asyncio.to_thread(look)
        more = f"{found[first - 1].at:x}-{found[first - 1].id}" if len(found) > first else None
        return Acted({"items": [self._shown(each) for each in found[:first]], "next": more})

    async def open(self, requester: Requester, called: Called) -> Acted:
        """`openFinding`: the inquiries behind a finding; that they are opened is entered first."""
        office, given = self._office, called.arguments
        actor = overseer(office, requester)
        id_, reason = str(given["id"]), inputs.text(given["reason"], "reason")
        found, behind = await asyncio.to_thread(self._one, id_)
        told = entries.View(
            entries.VERSION, secrets.token_hex(16), office.now(),
            entries.Who(actor.issuer, actor.client, actor.department), actor.official or "", reason,
            entries.Looked(finding=id_), ("told", "oversight"), "json", office.rules.digest,
        )  # fmt: skip
        parts = split(told, entries.Oversight(entries.VERSION, actor.official, actors=requester.actors))
        try:
            receipt = await office.writer.ledger.append(
                parts.told, parts.oversight, told.at, requester.who, (), parts.subjects
            )
        except LedgerUnavailable as error:
            raise _unavailable() from error
        inquiries = await asyncio.to_thread(self._inquiries, behind)
        act = msgspec.json.encode({"id": told.id, "at": told.at, "receipt": receipt.text})
        return Acted({"finding": self._shown(found), "inquiries": inquiries}, act)

    async def end(self, requester: Requester, called: Called) -> Acted:
        """`endReview`: a person of oversight enters what the inquiries were."""
        office, given = self._office, called.arguments
        actor = overseer(office, requester)
        if not requester.signed_in(office.now().timestamp() - SIGNED_IN_WITHIN):
            raise invalid("SIGN_IN", "this takes a sign-in of the last 10 minutes; sign in again, then repeat it")
        id_, verdict = str(given["id"]), str(given["verdict"]).lower()
        reason, by = inputs.text(given["reason"], "reason"), actor.official or ""
        who = entries.Who(actor.issuer, actor.client, actor.department)

        def make(seen: Seen) -> Made:
            try:
                made = reviews.made(office.store, seen, id_, by, verdict, reason, who)
            except LookupError:
                raise not_found() from None
            except ValueError as error:
                raise invalid("STATE", str(error)) from None
            found, _ = self._one(id_)
            shown = self._shown(found._replace(verdict=verdict, by=by, reason=reason, decided_at=micros(seen.now)))
            told = msgspec.structs.replace(made.told, rule_set=office.rules.digest)
            return made._replace(told=told, value=shown)

        def again(_seen: Seen, _past: Act) -> Any:
            return self._shown(self._one(id_)[0])

        planned = office.planned(called.field, actor, None, given, frozenset([("finding", id_)]), make, again)
        return await office.done(planned)

    def _one(self, id_: str) -> tuple[Kept, list[int]]:
        """A finding and the ids of its entries; blocks. Raises `Refusal`."""
        try:
            with self._office.reading():
                return kept.one_finding(self._office.store.engine, id_)
        except LookupError:
            raise not_found() from None

    def _shown(self, found: Kept) -> dict[str, Any]:
        """`Finding`."""
        office = self._office
        due = None
        if found.detector == kept.BREAK_GLASS:
            glass = BreakGlass(office.store.engine, office.calendar, lambda: office.rules.policies.purposes, _nobody)
            due = glass.last_day(moment(found.at), found.purpose)
        return {
            "id": found.id,
            "detector": found.detector,
            "words": found.words,
            "purpose": found.purpose,
            "article": found.article,
            "inquiries": found.entries,
            "found": moment(found.at),
            "due": due,
            "department": office.named(found.issuer, found.client)["department"] or found.client,
            "state": "OPEN" if found.verdict is None else "DECIDED",
            "verdict": None if found.verdict is None else found.verdict.upper(),
            "decided": None if found.decided_at is None else moment(found.decided_at),
            "by": found.by,
            "because": found.reason,
        }

    def _inquiries(self, behind: Sequence[int]) -> list[dict[str, Any]]:
        """`[Access!]!` of entries; blocks. Raises `Refusal`."""
        try:
            with contextlib.closing(self._office.store.reader()) as reader:
                return [row for id_ in behind for row in self._accesses(reader, id_)]
        except (VerificationFailed, StoreUnavailable) as error:
            raise _unavailable() from error

    def _accesses(self, reader: Reader, id_: int) -> Iterator[dict[str, Any]]:
        policies = self._office.rules.policies
        for entry in read.read_entries(reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1):
            told = None if entry.told is None else entry.read_told()
            if not isinstance(told, entries.Operation):
                continue
            named = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects[:1]
            for each in named:
                if each.scheme:
                    yield history.access(
                        Look(BEGIN.row, told, own=False, left=True), policies, (each.scheme, each.value)
                    )


def overseer(office: Office, requester: Requester) -> Actor:
    """The requester as a person of oversight; raises `Refusal`."""
    if OVERSIGHT not in requester.scopes or requester.is_subject or requester.official is None:
        raise Refusal(Code.FORBIDDEN, f"this is for officials of oversight: a token with `{OVERSIGHT}`")
    return office.actor(requester)


def _place(cursor: str) -> tuple[int, str]:
    """Behind which finding a cursor stands; raises `Refusal`."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise inputs.wrong("`after` is no cursor of this page; take the `next` of the page before")
    return int(found[1], 16), found[2]


def _nobody(_inquiry: str, _client: str, _purpose: str) -> None:
    """No review is opened here."""


def _unavailable() -> Refusal:
    return Refusal(
        Code.LEDGER_UNAVAILABLE, "the ledger cannot be read now, so nothing was opened; try again later", retryable=True
    )
