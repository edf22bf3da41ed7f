"""`me`: what is held about a subject, who looked, and what it did about that (Arts. 42, 43).

A subject's look at itself is an inquiry for the purpose `SUBJECT_ACCESS`, with the steps of every other: decided by its
rules, counted where records are read, fetched, and entered before a byte leaves (`gateway.inquiry.answer`). What
differs is how it is told: no record is withheld from the subject itself, and the answer has no receipt.

Invariants: a subject sees its own and nobody else's, by the identifier of its token; one `me` leaves one entry, which
commits to the bytes of its data.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Subject, SubjectKind
from gateway.acts import inputs
from gateway.acts.called import Called
from gateway.acts.office import Office
from gateway.acts.subject import held, history, own
from gateway.catalogue.model import Catalogue
from gateway.errors import Code, LedgerUnavailable, Refusal, StoreUnavailable, VerificationFailed
from gateway.inquiry.answer import disclosed
from gateway.inquiry.beside.refusing import answer_refusal
from gateway.inquiry.disclose import Entry
from gateway.inquiry.journey import Got, Journey, Outdated, Telling
from gateway.inquiry.render import Rendered
from gateway.inquiry.types import Answer, Decision, Declaration, Requester, Selected
from gateway.rules.model import PORTAL, Policies

SUBJECT_ACCESS = "SUBJECT_ACCESS"
"""The purpose of a subject's look at itself."""

_NOTHING = Selected({})


class Me:
    """Answers `me`. `journey` gives the ports of an inquiry's steps."""

    def __init__(self, office: Office, journey: Callable[[], Journey]) -> None:
        self._office, self._journey = office, journey
        self._selected: dict[tuple[str, SubjectKind], Selected] = {}

    async def look(self, requester: Requester, called: Called) -> Answer:
        """`me`; raises `Refusal` before it is known who asks about whom, and answers every other by its entry."""
        journey, began = self._journey(), asyncio.get_running_loop().time()
        serving, steps = journey.serving(), journey.metrics.begin()
        policies = serving.rules.policies
        subject = self._oneself(requester, policies)
        asked = called.selected
        history.cursor(asked.get("accessHistory", {}).get("after"))  # one that is none is refused at once
        declaration = Declaration(SUBJECT_ACCESS)
        entry = Entry(secrets.token_hex(16), requester, serving.rules.digest, declaration, (subject,))

        async def told(_decision: Decision, got: Got, _others: Mapping[str, Any] | None) -> Rendered:
            make = functools.partial(self._value, policies, asked, subject, journey.now(), got)
            return Rendered(await called.render(await journey.shares.do(requester.who, make)), [], ())

        telling = Telling(
            self._everything(policies.catalogue, subject.kind) if "datasets" in asked else _NOTHING,
            called.media,
            told,
            oneself=True,
        )
        try:
            purpose = serving.purpose(SUBJECT_ACCESS)
            return await disclosed(journey, serving, telling, purpose, entry, steps, began)
        except Outdated:
            raise
        except Exception as problem:
            return await answer_refusal(journey, entry, problem, called.media, steps)

    def _oneself(self, requester: Requester, policies: Policies) -> Subject:
        """The subject of the token's own identifier."""
        if PORTAL not in requester.roles:
            raise Refusal(Code.FORBIDDEN, f"subjects see themselves through clients with the role `{PORTAL}` only")
        if requester.identifier is None:
            raise Refusal(Code.FORBIDDEN, "the token has no `identifier`: it does not name the subject")
        scheme, value = requester.identifier
        return inputs.identifier(policies.catalogue, {"scheme": scheme, "value": value})

    def _everything(self, catalogue: Catalogue, kind: SubjectKind) -> Selected:
        """The same object for the same catalogue: decisions are remembered by it."""
        key = (catalogue.digest, kind)
        if key not in self._selected:
            self._selected[key] = held.selected(catalogue, kind)
        return self._selected[key]

    def _value(
        self, policies: Policies, asked: Mapping[str, Mapping[str, Any]], subject: Subject,
        now: datetime.datetime, got: Got,
    ) -> dict[str, Any]:  # fmt: skip
        """`Me`, as far as it is asked for. Blocks."""
        office, store = self._office, self._office.store
        value: dict[str, Any] = {"scheme": subject.scheme, "value": subject.value}
        try:
            if "accessHistory" in asked:
                with contextlib.closing(store.reader()) as reader:
                    value["accessHistory"] = history.page(reader, policies, subject[1:], now, asked["accessHistory"])
            value |= own.of_subject(office, subject, asked.keys(), now)
            if "datasets" in asked:
                changes = own.changes(office, subject)
                value["datasets"] = held.datasets(policies.catalogue, subject, got, changes)
        except (StoreUnavailable, SQLAlchemyError, VerificationFailed, LedgerUnavailable) as error:
            message = "what the ledger has about you is out of reach; ask again later"
            raise Refusal(Code.LEDGER_UNAVAILABLE, message) from error
        return value
