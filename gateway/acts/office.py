"""Where acts are prepared: the rules that hold, who acts as whom, what bounds them, and the one writer."""

from __future__ import annotations

import contextlib
import datetime
import secrets
import zoneinfo
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Subject
from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.proofs import Proof, proof
from gateway.errors import Code, LedgerUnavailable, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import Actor, Bound, Made, Planned, Repeat, Seen, invalid
from gateway.ledger.acting.receipts import concealed_receipt, receipt_at
from gateway.ledger.acting.writer import Done, Writer
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.rules.files.calendar import Calendar
from gateway.rules.model import PORTAL, RequesterEntry
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from gateway.storage.statement import of_one_moment
from gateway.storage.subjects.acts import Act

SIGNED_IN_WITHIN = 600.0
"""Seconds since the sign-in within which a consent can be granted."""
SUBJECT_ACTS, SUBJECT_OBJECTIONS, OFFICIAL_ACTS, CLIENT_ACTS = 20, 10, 500, 50_000
COUNTER_ACTS = 100
"""Acts a day; the last are an official's at a counter, for whomever it is: what is over them is entered."""

_ALL = entries.Looked()

Tell = Callable[[tuple[str, str], str], None]


def _nobody(whom: tuple[str, str], matter: str) -> None:
    """Nobody is told."""


_encode = msgspec.json.Encoder(order="sorted", enc_hook=str).encode


class Party(NamedTuple):
    """A subject that acts, or for whom somebody does.

    `proof` is how a department's counter found out who came; None where the subject signed in itself.
    """

    subject: Subject
    actor: Actor
    proof: Proof | None = None


class Office:
    """What every act needs. `rules` gives the rule set in force; `now` never falls and refuses in doubt.

    `tell` tells a client that a matter waits.
    """

    def __init__(
        self,
        writer: Writer,
        store: Store,
        rules: Callable[[], RuleSet],
        now: Callable[[], datetime.datetime],
        tell: Tell = _nobody,
    ) -> None:
        self.writer, self.store, self._rules, self.now, self._tell = writer, store, rules, now, tell

    @property
    def rules(self) -> RuleSet:
        return self._rules()

    @property
    def calendar(self) -> Calendar:
        return self.rules.calendar

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return self.calendar.zone

    def today(self) -> datetime.date:
        """The day in the policies' time zone."""
        return self.now().astimezone(self.zone).date()

    @contextlib.contextmanager
    def reading(self, *, at_once: bool = False) -> Iterator[Connection]:
        """A connection to read with; blocks. With `at_once`, all that it reads is of one moment. Raises `Refusal`."""
        try:
            with self.store.engine.connect() as connection:
                yield of_one_moment(connection) if at_once else connection
        except SQLAlchemyError as error:
            raise _unavailable() from error

    def registered(self, issuer: str | None, client: str | None) -> RequesterEntry | None:
        """A registered client."""
        return self.rules.policies.requesters.get((issuer or "", client or ""))

    def named(self, issuer: str | None, client: str | None) -> dict[str, str]:
        """A client as `RequesterName`."""
        entry = self.registered(issuer, client)
        return {"issuer": issuer or "", "client": client or "", "department": entry.department if entry else ""}

    def remedy(self, department: str | None) -> str:
        """What a subject can do about a decision of a department, by its catalogue file; else nothing."""
        return self.rules.policies.catalogue.remedies.get(department or "", "")

    async def viewed(
        self,
        requester: Requester,
        what: str,
        reason: str,
        looked: entries.Looked = _ALL,
        parts: tuple[str, ...] = ("told",),
        secret_until: datetime.datetime | None = None,
    ) -> bytes:
        """Enter that an official looks at others' matters or entries; nothing is opened before. Raises `Refusal`.

        Until `secret_until` no subject is shown it. Gives the view's id, moment and receipt, as JSON.
        """
        told = entries.View(
            entries.VERSION, secrets.token_hex(16), self.now(),
            entries.Who(requester.issuer, requester.client, requester.department),
            requester.official or requester.client, reason, looked, parts, what, self.rules.digest,
        )  # fmt: skip
        side = entries.Oversight(
            entries.VERSION, requester.official, actors=requester.actors, secret_until=secret_until
        )  # fmt: skip
        made, append = split(told, side), self.writer.ledger.append
        try:
            receipt = await append(made.told, made.oversight, told.at, requester.who, (), made.subjects)
        except LedgerUnavailable as error:
            raise _unavailable() from error
        return msgspec.json.encode({"id": told.id, "at": told.at, "receipt": receipt.text})

    def party(self, requester: Requester, arguments: Mapping[str, Any], *, fresh: bool = False) -> Party:
        """Whose act it is: the subject of the token, or at a counter whom `onBehalf` names.

        `fresh`: only within minutes of a sign-in, of whoever acts. Raises `Refusal`.
        """
        behalf = arguments.get("onBehalf")
        if behalf is not None:
            if "counter" not in requester.scopes or requester.official is None:
                raise invalid("ARGUMENT", "`onBehalf` is for a department's official at a counter (scope `counter`)")
            self._signed_in(requester, fresh)
            subject = inputs.identifier(self.rules.policies.catalogue, behalf["subject"])
            return Party(subject, self.actor(requester), proof(self.rules.requesters.proofs, behalf["proof"]))
        if not requester.is_subject or requester.identifier is None or requester.person is None:
            raise invalid(
                "ARGUMENT", "name the subject: at a counter, `onBehalf` names the subject and how it was identified"
            )
        if PORTAL not in requester.roles:
            raise Refusal(Code.FORBIDDEN, f"subjects act through clients with the role `{PORTAL}` only")
        self._signed_in(requester, fresh)
        scheme, value = requester.identifier
        given = {"scheme": scheme, "value": value}
        return Party(inputs.identifier(self.rules.policies.catalogue, given), self.actor(requester))

    def _signed_in(self, requester: Requester, fresh: bool) -> None:
        if fresh and not requester.signed_in(self.now().timestamp() - SIGNED_IN_WITHIN):
            raise invalid("SIGN_IN", "this takes a sign-in of the last 10 minutes; sign in again, then repeat it")

    def actor(self, requester: Requester) -> Actor:
        """The requester as one who acts; raises `Refusal` for a token that is narrowed to inquiries (RFC 9396)."""
        if requester.narrowing:
            raise Refusal(
                Code.FORBIDDEN,
                "the token is narrowed to inquiries (`authorization_details`); acts need one that is not",
            )
        person = requester.person if requester.is_subject else None
        return Actor(
            requester.issuer, requester.client, requester.department, requester.official, person, requester.people
        )

    def of_subject(
        self,
        field: str,
        party: Party,
        arguments: Mapping[str, Any],
        make: Callable[[Seen], Made],
        again: Callable[[Seen, Act], Any],
        bounds: Sequence[Bound] = (),
        *,
        always: bool = False,
    ) -> Planned:
        """An act of a subject's own, or for one: it touches what is about that subject, and nothing else.

        One that a subject may `always` do counts among its acts of a day, and is not refused for those before it.
        """
        subject = party.subject
        # What others do for it at a counter leaves its own acts to itself.
        whose = "subject" if party.proof is None else "at a counter"
        own = [Bound((whose, subject.scheme, subject.value), SUBJECT_ACTS, "subject-acts", refuses=not always)]
        if party.proof is not None and (official := party.actor.official) is not None:
            own.append(Bound(("at a counter", party.actor.issuer, official), COUNTER_ACTS, "counter-acts"))
        touches: frozenset[Hashable] = frozenset([subject[1:]])
        planned = self.planned(field, party.actor, subject[1:], arguments, touches, make, again, [*own, *bounds])
        return planned._replace(of_subject=True)

    def planned(
        self,
        field: str,
        actor: Actor,
        identifier: object,
        arguments: Mapping[str, Any],
        touches: frozenset[Hashable],
        make: Callable[[Seen], Made],
        again: Callable[[Seen, Act], Any],
        bounds: Sequence[Bound] = (),
    ) -> Planned:
        """An act, with what bounds its client and official; a `reference` makes it repeatable."""
        several = [Bound(("client", actor.issuer, actor.client), CLIENT_ACTS, "client-acts"), *bounds]
        if actor.official is not None:
            several.append(Bound(("official", actor.issuer, actor.official), OFFICIAL_ACTS, "official-acts"))
        repeat = None
        if (named := inputs.reference(arguments)) is not None:
            of = (actor.issuer, actor.client, actor.official, actor.person, identifier, field, named)
            asked = {name: inputs.plain(each) for name, each in arguments.items() if name != "reference"}
            repeat = Repeat(of, _encode(asked))
            touches |= {("reference", *of)}
        return Planned(actor, touches, several, make, again, repeat)

    def told(self, seen: Seen, actor: Actor, what: str, **members: Any) -> entries.Acted:
        """The contents of an act's entry."""
        who = entries.Who(actor.issuer, actor.client, actor.department)
        return entries.Acted(entries.VERSION, seen.id, seen.now, who, what, rule_set=self.rules.digest, **members)

    def of_party(self, seen: Seen, party: Party, what: str, **members: Any) -> entries.Acted:
        """As `told`, of a subject's own act."""
        proof = party.proof or Proof("")
        own = {"scheme": party.subject.scheme, "value": party.subject.value, "by": party.actor.person or ""}
        return self.told(seen, party.actor, what, **own, proof=proof.text, proof_kind=proof.kind, **members)

    def oversight(self, seen: Seen, actor: Actor) -> entries.Oversight:
        """What only oversight may open of an act: the official, and how far facts were."""
        return entries.Oversight(entries.VERSION, actor.official, seen.change, by_subject=actor.person is not None)

    def tell_portals(self, matter: str) -> None:
        """Notify every portal that something waits for one of its subjects."""
        self._tell_all(matter, lambda entry: PORTAL in entry.roles)

    def tell_department(self, department: str | None, matter: str) -> None:
        """Notify a department's clients that something waits for its stewards."""
        self._tell_all(matter, lambda entry: entry.department == department)

    def _tell_all(self, matter: str, wanted: Callable[[RequesterEntry], bool]) -> None:
        for who, entry in self.rules.policies.requesters.items():
            if entry.notices is not None and wanted(entry):
                self._tell(who, matter)

    async def done(self, planned: Planned) -> Acted:
        """Make an act, and notify whom it concerns."""
        done = await self.writer.act(planned)
        return Acted(done.value, await self.extension(done, own=planned.of_subject))

    async def extension(self, done: Done, *, own: bool) -> bytes:
        """The JSON of `extensions.act`. The receipt of a subject's own act shows nobody what it was about."""
        try:
            receipt = done.receipt if done.receipt is not None else await receipt_at(self.store, done.place)
        except LedgerUnavailable as error:
            raise _unavailable() from error
        text = "" if receipt is None else concealed_receipt(receipt).text if own else receipt.text
        return msgspec.json.encode({"id": done.id, "at": done.at, "receipt": text})


def _unavailable() -> Refusal:
    return Refusal(
        Code.LEDGER_UNAVAILABLE, "the store cannot be read now; try again later", headers={"Retry-After": "1"}
    )
