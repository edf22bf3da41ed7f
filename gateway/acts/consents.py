"""Consent, field by field: asked for by a requester; granted, revoked and declined by the subject.

Arts. 23-25, 42, 43. A consent is to one requester, for one purpose, for fields that are listed one by one as they were
shown, through a day that is a year away at most. It is granted by the subject, or for it at a department's counter,
shortly after a sign-in of who grants it, and revoked in one step. Asking is limited: for what the law does not let the
requester see without it, once at a time, and not again for a while after it was declined or not answered. Opting out of
favourable information is here too, by Art. 41(2).
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, select

from gateway.acts import inputs, shown
from gateway.acts.called import Acted, Called
from gateway.acts.office import Office, Party
from gateway.acts.pages import behind, page
from gateway.acts.subject.words import acts_at
from gateway.catalogue.model import Period
from gateway.errors import Code, Refusal
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import AtEntry, Changes, Made, Row, Seen, invalid, new_fact, not_found, recalled
from gateway.ledger.entry import entries
from gateway.rules.model import Grant, RequesterEntry
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects import facts
from gateway.storage.subjects.acts import Act, Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import micros, moment

LONGEST = Period("P1Y", 12, 0)
CLOSED = datetime.timedelta(days=90)
"""How long a requester may not ask again after a request was declined, or not answered."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Consents:
    """The acts of consent."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def grant(self, requester: Requester, called: Called) -> Acted:
        """`grantConsent`."""
        office, given = self._office, called.arguments
        party = office.party(requester, given, fresh=True)
        issuer, client = str(given["requester"]["issuer"]), str(given["requester"]["client"])
        purpose = str(given["purpose"])
        terms = inputs.fields(office.rules.policies.catalogue, given["fields"], party.subject.kind)

        def make(seen: Seen) -> Made:
            entry = self._recipient(issuer, client)
            if (issuer, client) == requester.who or entry.department == requester.department:
                raise inputs.wrong("the recipient is the portal's own department; consent is to another")
            _grant(office, entry, purpose, terms, seen.today)
            until = inputs.last_day(given["until"], seen.today, LONGEST.after(seen.today))
            request = self._request(seen, party, given.get("request"), (issuer, client, purpose), terms, until)
            columns = {
                "issuer": issuer, "client": client, "purpose": purpose, "fields": _encode(terms).decode(),
                "until": until.isoformat(),
            }  # fmt: skip
            row = new_fact(seen, "consent", party.subject[1:], columns)
            changes: list[Changes] = [Row(fact, row)]
            if request is not None:
                changes.append(_closing(request, "granted", seen))
            told = office.of_party(
                seen, party, "consent-granted", matter=str(row["id"]),
                recipient=entries.Who(issuer, client, entry.department), purpose=purpose,
                digest=_digest(office, purpose), fields=terms, until=until, changes=(seen.change + 1,),
            )  # fmt: skip
            value = shown.consent(office, {**row, "ended_at": None})
            return Made(told, office.oversight(seen, party.actor), changes, str(row["id"]), value, facts=1)

        return await office.done(office.of_subject("grantConsent", party, given, make, self._again))

    async def revoke(self, requester: Requester, called: Called) -> Acted:
        """`revokeConsent`."""
        office, given = self._office, called.arguments
        party = office.party(requester, given)
        id_ = str(given["id"])

        def make(seen: Seen) -> Made:
            row = self._own(seen, party, id_)
            if row["ended"] is not None:
                raise invalid("STATE", "this consent was revoked already")
            ended = facts.ending(id_, "consent", seen.now, seen.change + 1)
            told = office.of_party(
                seen, party, "consent-revoked", matter=id_, purpose=row["purpose"],
                recipient=entries.Who(row["issuer"], row["client"]), changes=(seen.change + 1,),
            )  # fmt: skip
            value = shown.consent(office, {**row, "ended_at": micros(seen.now)})
            of = {name: row[name] for name in ("issuer", "client", "purpose", "fields")}
            changes: list[Changes] = [ended, recalled(seen, "revoked", party.subject[1:], consent=id_, **of)]
            return Made(told, office.oversight(seen, party.actor), changes, id_, value, facts=1)

        return await office.done(office.of_subject("revokeConsent", party, given, make, self._again, always=True))

    async def request(self, requester: Requester, called: Called) -> Acted:
        """`requestConsent`."""
        office, given = self._office, called.arguments
        subject = inputs.identifier(office.rules.policies.catalogue, given["subject"])
        purpose, words = str(given["purpose"]), inputs.text(given["words"], "words")
        terms = inputs.fields(office.rules.policies.catalogue, given["fields"], subject.kind)
        actor = office.actor(requester)
        closed = [each for each in terms if requester.scopes.isdisjoint(("inquire", f"inquire:{each}"))]
        if closed:
            raise Refusal(Code.FORBIDDEN, f"the token has no scope for `{closed[0]}`; ask for `inquire:{closed[0]}`")

        def make(seen: Seen) -> Made:
            entry = self._recipient(*requester.who)
            _grant(office, entry, purpose, terms, seen.today)
            until = inputs.last_day(given["until"], seen.today, LONGEST.after(seen.today))
            self._may_ask(seen, subject[1:], entry.department, purpose)
            id_ = secrets.token_hex(16)
            row: dict[str, Any] = {
                "id": id_, "kind": "consent-request", "state": "open", "scheme": subject.scheme, "value": subject.value,
                "department": entry.department, "issuer": requester.issuer, "client": requester.client,
                "purpose": purpose, "fields": _encode(terms).decode(), "until": until.isoformat(),
                "filed": micros(seen.now), "filed_by": seen.keyed.people(actor.people), "provisional": 0, "told": 0,
            }  # fmt: skip
            told = office.told(
                seen, actor, "consent-requested", scheme=subject.scheme, value=subject.value, matter=id_,
                recipient=entries.Who(*requester.who, entry.department), purpose=purpose,
                digest=_digest(office, purpose), fields=terms, until=until, words=words,
            )  # fmt: skip
            value = shown.consent_request(office, rows.new(row), words, seen.now)
            return Made(told, office.oversight(seen, actor), [Row(matter, row, ("filed_in",))], id_, value)

        planned = office.planned(
            "requestConsent", actor, subject[1:], given, frozenset([subject[1:]]), make, self._request_again
        )
        done = await office.done(planned)
        office.tell_portals(done.value["id"])
        return done

    async def decline(self, requester: Requester, called: Called) -> Acted:
        """`declineConsentRequest`."""
        office, given = self._office, called.arguments
        party = office.party(requester, given)

        def make(seen: Seen) -> Made:
            row = self._asked(seen, party, str(given["id"]))
            told = office.of_party(
                seen, party, "consent-declined", matter=row.id, purpose=row.purpose or "",
                recipient=entries.Who(row.issuer or "", row.client or "", row.department or ""),
            )  # fmt: skip
            words = acts_at(office.store, [row.filed_in])[row.filed_in].words
            value = shown.consent_request(office, row._replace(state="declined"), words, seen.now)
            oversight = office.oversight(seen, party.actor)
            return Made(told, oversight, [_closing(row, "declined", seen)], row.id, value)

        planned = office.of_subject("declineConsentRequest", party, given, make, self._request_again)
        return await office.done(planned)

    async def opt_out(self, requester: Requester, called: Called) -> Acted:
        """`setOptOut`."""
        office, given = self._office, called.arguments
        party = office.party(requester, given)
        of = inputs.dataset(office.rules.policies.catalogue, given["dataset"], party.subject.kind)
        if of.nature != "favourable":
            raise inputs.wrong(f"`{of.id}` is not favourable information: only that can be kept back (see `catalogue`)")
        wanted = bool(given["optedOut"])

        def make(seen: Seen) -> Made:
            row = opted_out(seen, party.subject[1:], of.id)
            if (row is not None) is wanted:
                raise invalid("STATE", f"`{of.id}` is {'kept back' if wanted else 'shown'} already")
            if row is None:
                begun = new_fact(seen, "opt-out", party.subject[1:], {"dataset": of.id})
                id_ = str(begun["id"])
                changes: list[Changes] = [Row(fact, begun)]
                changes.append(recalled(seen, "opted-out", party.subject[1:], dataset=of.id))
            else:
                id_ = str(row["id"])
                changes = [facts.ending(id_, "opt-out", seen.now, seen.change + 1)]
            what = "opt-out-set" if wanted else "opt-out-lifted"
            told = office.of_party(seen, party, what, matter=id_, dataset=of.id, changes=(seen.change + 1,))
            value = {"dataset": of.id, "optedOut": wanted, "since": seen.now if wanted else None}
            return Made(told, office.oversight(seen, party.actor), changes, id_, value, facts=1)

        def again(seen: Seen, _past: Act) -> dict[str, Any]:
            row = opted_out(seen, party.subject[1:], of.id)
            return {"dataset": of.id, "optedOut": row is not None, "since": moment(row["at"]) if row else None}

        return await office.done(office.of_subject("setOptOut", party, given, make, again))

    async def requests(self, requester: Requester, called: Called) -> Acted:
        """`consentRequests`: a requester's own, by id alone: whose they are stands in the requester's own files."""
        first, conditions = called.arguments["first"], behind(called.arguments.get("after"))
        mine = (matter.c.issuer == requester.issuer, matter.c.client == requester.client)
        return Acted(await asyncio.to_thread(self._page, [*mine, *conditions], first))

    def _page(self, conditions: Sequence[ColumnElement[bool]], first: int) -> dict[str, Any]:
        office, now = self._office, self._office.now()
        with office.reading() as connection:
            found = rows.matters(connection, matter.c.kind == "consent-request", *conditions, first=first + 1)
        shown_now, following = page(found, first)
        words = acts_at(office.store, [row.filed_in for row in shown_now])
        items = [shown.consent_request(office, row, words[row.filed_in].words, now) for row in shown_now]
        return {"items": items, "next": following}

    def _recipient(self, issuer: str, client: str) -> RequesterEntry:
        entry = self._office.registered(issuer, client)
        if entry is None:
            raise inputs.wrong(
                "`requester` is no registered client; `issuer` is its URL, as `me.consentRequests` has it"
            )
        return entry

    def _request(
        self,
        seen: Seen,
        party: Party,
        id_: object,
        of: tuple[str, str, str],
        terms: Mapping[str, tuple[str, ...]],
        until: datetime.date,
    ) -> Matter | None:
        """The request that a consent answers: never for more than was asked, and never to somebody else."""
        if id_ is None:
            return None
        row = self._asked(seen, party, str(id_))
        asked = {each["dataset"]: set(each["fields"]) for each in shown.consent_fields(self._office, row.fields)}
        if (row.issuer, row.client, row.purpose) != of:
            raise inputs.wrong("`request` is of another requester or purpose")
        if any(not set(names) <= asked.get(dataset, set()) for dataset, names in terms.items()):
            raise inputs.wrong("`fields` has more than the request asks for")
        if row.until is not None and until.isoformat() > row.until:
            raise inputs.wrong(f"`until` is later than the request asks for, which is {row.until}")
        return row

    def _asked(self, seen: Seen, party: Party, id_: str) -> Matter:
        """An open request to the subject."""
        row = rows.one(seen.connection, id_)
        if row is None or row.kind != "consent-request" or (row.scheme, row.value) != party.subject[1:]:
            raise not_found()
        if row.state != "open" or shown.lapsed(row, seen.now):
            raise invalid("STATE", "this request was answered, or has lapsed")
        return row

    def _own(self, seen: Seen, party: Party, id_: str) -> RowMapping:
        mine = (fact.c.id == id_, fact.c.kind == "consent", fact.c.scheme == party.subject.scheme)
        row = seen.connection.execute(select(fact).where(*mine, fact.c.value == party.subject.value)).mappings().first()
        if row is None:
            raise not_found()
        return row

    def _may_ask(self, seen: Seen, subject: tuple[str, str], department: str, purpose: str) -> None:
        """One at a time of a department and purpose, and none for a while after one that led to nothing."""
        of = (matter.c.kind == "consent-request", matter.c.scheme == subject[0], matter.c.value == subject[1])
        mine = (*of, matter.c.department == department, matter.c.purpose == purpose)
        for row in rows.matters(seen.connection, *mine):
            if row.state == "open" and not shown.lapsed(row, seen.now):
                raise invalid("LIMIT", "a request of your department for this purpose waits for this subject already")
            closed = moment(row.decided) if row.decided is not None else moment(row.filed) + shown.LAPSES
            if row.state in ("open", "declined") and closed + CLOSED > seen.now:
                day = (closed + CLOSED).date()
                raise invalid(
                    "LIMIT", f"a request for this purpose was declined or not answered; ask again from {day} on"
                )

    def _again(self, seen: Seen, past: Act) -> Any:
        row = seen.connection.execute(select(fact).where(fact.c.id == past.matter)).mappings().first()
        if row is None:
            raise not_found()
        return shown.consent(self._office, row)

    def _request_again(self, seen: Seen, past: Act) -> Any:
        row = rows.one(seen.connection, past.matter or "")
        if row is None:
            raise not_found()
        words = acts_at(self._office.store, [row.filed_in])[row.filed_in].words
        return shown.consent_request(self._office, row, words, seen.now)


def opted_out(seen: Seen, subject: tuple[str, str], dataset: str) -> RowMapping | None:
    """The fact by which a subject has a dataset kept back."""
    mine = (fact.c.kind == "opt-out", fact.c.scheme == subject[0], fact.c.value == subject[1])
    query = select(fact).where(*mine, fact.c.dataset == dataset, fact.c.ended.is_(None))
    return seen.connection.execute(query).mappings().first()


def _closing(row: Matter, state: str, seen: Seen) -> Changes:
    """What answers a request, and notes which entry does."""
    values = {"state": state, "decided": micros(seen.now)}
    return AtEntry(lambda entry: matter.update().where(matter.c.id == row.id).values(**values, decided_in=entry))


def _grant(
    office: Office, entry: RequesterEntry, purpose: str, terms: Mapping[str, tuple[str, ...]], today: datetime.date
) -> Grant:
    """The grant under which a consent can be used: its fields are of the purpose, non-public, and granted."""
    found = office.rules.policies.purposes.get(purpose)
    grant = next(
        (
            each
            for each in entry.grants
            if each.purpose == purpose and each.valid_from <= today <= each.valid_until and not each.suspended
        ),
        None,
    )
    if found is None or grant is None:
        raise inputs.wrong("the requester has no grant for this purpose")
    datasets = office.rules.policies.catalogue.published
    for dataset, names in terms.items():
        of = found.fields.get(dataset)
        if of is None or dataset not in grant.datasets or not set(names) <= of.names:
            raise inputs.wrong(f"the requester may not ask for these fields of `{dataset}` for this purpose")
        if datasets[dataset].information != "non_public":
            raise inputs.wrong(f"`{dataset}` is public information: no consent is needed, and none can be given")
    return grant


def _digest(office: Office, purpose: str) -> str:
    """The purpose as it was shown: what is added to it later is not covered."""
    return hashlib.sha256(_encode(office.rules.policies.purposes[purpose])).hexdigest()
