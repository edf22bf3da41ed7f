"""An office on a store, with the shipped policies: handlers are called as the GraphQL side calls them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from connectors.base import Subject
from gateway.acts.called import Acted, Called, Handlers
from gateway.acts.office import Office
from gateway.errors import Refusal
from gateway.inquiry.http.request import Media
from gateway.inquiry.types import Requester
from gateway.ledger.acting.writer import Writer
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.stored import read
from gateway.recall.handlers import handlers
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from tests.ledger.support import AT, VERIFIERS, opened
from tests.world import new_subject, rule_set

ISSUER = "https://login.example"


class Desk:
    """An office; `now` may be moved on. `done` are the ids of the acts that were told, in order."""

    def __init__(self, store: Store, ledger: Ledger, rules: RuleSet) -> None:
        self.store, self.ledger, self.rules, self.now = store, ledger, rules, AT
        self.writer = Writer(ledger, lambda: self.now, rules.calendar.zone)
        self.office = Office(self.writer, store, lambda: self.rules, lambda: self.now)
        self.handlers: Handlers = handlers(self.office)
        self.done: list[dict[str, Any]] = []

    def who(self, client: str, *scopes: str, **members: Any) -> Requester:
        """A registered client's token."""
        (entry,) = [each for each in self.rules.policies.requesters.values() if each.client == client]
        known = {"department": entry.department, "roles": entry.roles, "grants": entry.grants}
        return Requester(
            entry.issuer, client, members.pop("official", None), frozenset(scopes), 4e9, **known, **members
        )

    def subject(self, of: Subject, person: str = "p-1", *, signed_in: float = 0.0) -> Requester:
        """A subject's own token at the portal, of a sign-in so many seconds ago."""
        since = self.now.timestamp() - signed_in
        return self.who("citizen-portal", "self", identifier=of[1:], person=person, auth_time=since)

    def official(self, department: str, name: str, *scopes: str) -> Requester:
        """An official of a department's stewards."""
        return self.who(f"{department}-stewards", *(scopes or ("steward",)), official=name)

    async def ask(self, who: Requester, field: str, selected: Mapping[str, Any] | None = None, **given: Any) -> Any:
        """What a field gives; raises `Refusal`."""
        done: Acted = await self.handlers[field](who, Called(field, given, selected or {}, Media.RESPONSE, _rendered))
        if done.act is not None:
            self.done.append(msgspec.json.decode(done.act))
        return done.value

    async def refused(self, who: Requester, field: str, **given: Any) -> str:
        """How a field is refused: the code, or the reason where it has one."""
        with pytest.raises(Refusal) as raised:
            await self.ask(who, field, **given)
        return str(raised.value.extensions.get("reason", raised.value.code))

    def entered(self) -> list[entries.Told]:
        """All that is entered in the ledger, in order."""
        found = []
        with contextlib.closing(self.store.reader()) as reader:
            for head in read.heads(reader):
                found += [entry.read_told() for entry in read.read_entries(reader, head.id, 0, head.size)]
        return found

    def acts(self) -> list[entries.Acted]:
        return [each for each in self.entered() if isinstance(each, entries.Acted)]

    def proved(self, number: int = -1) -> Any:
        """What the receipt of an act proves."""
        return verify_receipt(self.done[number]["receipt"], VERIFIERS)


async def _rendered(value: Any) -> bytes:
    return msgspec.json.encode(value)


@contextlib.asynccontextmanager
async def desk_on(store: Store, rules: RuleSet | None = None) -> AsyncIterator[Desk]:
    """A desk on a ledger of its own, closed at the end."""
    async with opened(store) as ledger:
        desk = Desk(store, ledger, rules or rule_set())
        yield desk
        await desk.writer.close()
        assert ledger.healthy


def days(count: float) -> datetime.timedelta:
    return datetime.timedelta(days=count)


def person() -> Subject:
    return new_subject("person")


def organisation() -> Subject:
    return new_subject("organisation")
