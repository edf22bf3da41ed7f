"""One inquiry, opened: by oversight, from its number, and by whoever asked it, from its receipt (Arts. 27, 28(3)).

Invariants: that it is opened is entered before anything of it is shown (17), for oversight once of each subject, as
secret and as long as the inquiry is. A requester opens what `receipts` would give it and nothing else. There is no way
here from a subject to inquiries: whoever opens one has its number with the day or the finding that it is behind, or its
receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from gateway.acts import inputs
from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.oversight import life
from gateway.acts.oversight.findings import overseer
from gateway.acts.oversight.then import Then
from gateway.acts.plain import Asked
from gateway.errors import Code, LedgerUnavailable, Refusal, StoreUnavailable, VerificationFailed
from gateway.inquiry.beside.explained import Found, subjects_of
from gateway.inquiry.beside.receipts import within
from gateway.inquiry.types import Requester
from gateway.ledger.acting.planned import invalid, not_found
from gateway.ledger.acting.receipts import receipt_at, shard_keys
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import read_file, unverified, verify_receipt
from gateway.ledger.stored import read
from gateway.ledger.stored.read import StoredEntry
from gateway.storage.port import Reader
from gateway.storage.projections.tables import not_released
from gateway.storage.recall import recalls
from gateway.storage.recall.recalls import recall
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch import findings as kept

MOST_LOOKED_AT = 200_000
"""Entries of a day among which an inquiry is looked for."""
MOST_RECALLS = 200
_INDEX = (1 << SHARD_BITS) - 1


class Opening(msgspec.Struct, forbid_unknown_fields=True):
    """Which inquiry oversight opens, and why: its receipt, or its number with its day or the finding it is behind."""

    reason: str
    inquiry: str = ""
    day: str = ""
    finding: str = ""
    receipt: str = ""


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    """The receipt of an inquiry, or the whole answer that it stands in."""

    receipt: str


class _Entered(NamedTuple):
    """Where an inquiry's entry stands, and the entry."""

    place: int
    entry: StoredEntry
    found: Found


class Inquiries:
    """Opens them."""

    def __init__(self, office: Office, then: Then) -> None:
        self._office, self._then = office, then
        self._looking = asyncio.Lock()

    async def open(self, asked: Asked) -> Acted:
        """All of one, for oversight."""
        office, requester = self._office, asked.requester
        overseer(office, requester)
        given = asked.of(Opening)
        reason = inputs.text(given.reason, "reason")
        async with self._looking:  # a day is a long way: one at a time
            entered = await asyncio.to_thread(self._found, given)
        act = await self._enter(requester, entered.found, reason)
        return Acted(await self._told(entered, everything=True), act)

    async def read(self, asked: Asked) -> Acted:
        """What was disclosed to the requester of one inquiry, by its receipt."""
        office, requester = self._office, asked.requester
        if requester.is_subject or "receipts" not in requester.scopes:
            raise Refusal(Code.FORBIDDEN, "this needs a token with `receipts`, and not a subject's own")
        receipt = asked.of(Reading).receipt
        entered = await asyncio.to_thread(self._by_receipt, receipt)
        who = entered.found.told.requester
        if (who.issuer, who.client) != requester.who or not within(office.rules, requester)(entered.entry):
            raise not_found()
        await office.viewed(requester, "inquiry", "one of its own inquiries, by its receipt")
        return Acted(await self._told(entered, everything=False))

    def _found(self, given: Opening) -> _Entered:
        """The entry that is meant; blocks. Raises `Refusal`."""
        if given.receipt:
            return self._by_receipt(given.receipt)
        if not given.inquiry:
            raise inputs.wrong("enter which inquiry: its number, or its receipt")
        wanted = given.inquiry.encode()
        with self._reading() as reader:
            for entry in self._behind(reader, given.finding) if given.finding else self._of_day(reader, given.day):
                if entry.told is None or entry.oversight is None or wanted not in entry.told.general.body:
                    continue
                entered = _entered(entry)
                if entered is not None and entered.found.told.id == given.inquiry:
                    return entered
        raise not_found()

    def _behind(self, reader: Reader, finding: str) -> Iterator[StoredEntry]:
        """The entries behind a finding."""
        inputs.searchable(finding, "finding")
        try:
            with self._office.reading():
                _, behind = kept.one_finding(self._office.store.engine, finding)
        except LookupError:
            raise not_found() from None
        for place in behind:
            yield from read.read_entries(reader, place >> SHARD_BITS, place & _INDEX, 1)

    def _of_day(self, reader: Reader, day: str) -> Iterator[StoredEntry]:
        """The entries of a day, in the policies' time zone."""
        try:
            date = datetime.date.fromisoformat(day)
        except ValueError:
            raise inputs.wrong("enter the day on which the inquiry was made, as `2026-11-25`") from None
        begin = datetime.datetime.combine(date, datetime.time(), self._office.zone)
        end = datetime.datetime.combine(date + datetime.timedelta(days=1), datetime.time(), self._office.zone)
        spans = [
            (head.id, *(read.first_since(reader, head, micros(at)) for at in (begin, end)))
            for head in read.heads(reader)
        ]
        if sum(last - first for _, first, last in spans) > MOST_LOOKED_AT:
            message = f"that day has over {MOST_LOOKED_AT:,} entries; open it by its receipt, or from a finding"
            raise invalid("LIMIT", message)
        for shard, first, last in spans:
            yield from read.read_entries(reader, shard, first, last - first)

    def _by_receipt(self, text: str) -> _Entered:
        """The entry of a receipt that this ledger signed; blocks. Raises `Refusal`."""
        try:
            receipt = read_file(text.encode()).text
            proved = unverified(receipt)
        except (VerificationFailed, UnicodeEncodeError) as error:
            raise _no_receipt(error) from None
        with self._reading() as reader:
            head = next((each for each in read.heads(reader) if each.origin == proved.origin), None)
            if head is None:
                raise not_found()
            keys = shard_keys(reader, head)
            try:
                verify_receipt(receipt, keys)
            except VerificationFailed as error:
                raise _no_receipt(error) from None
            for entry in read.read_entries(reader, head.id, proved.index, 1):
                entered = _entered(entry) if entry.leaf == proved.leaf else None
                if entered is not None:
                    return entered
        raise not_found()

    async def _enter(self, requester: Requester, found: Found, reason: str) -> bytes:
        """Enter that oversight opens it, of each of its subjects; the act of the last. Raises `Refusal`."""
        office, at, told = self._office, self._office.now(), found.told
        named: set[tuple[str | None, str | None]] = {
            (each.scheme, each.value) for each in subjects_of(told) if each.value
        }
        until = found.oversight.secret_until
        secret = until if until is not None and until > at else None
        act = b""
        for scheme, value in sorted(named, key=str) or [(None, None)]:
            looked = entries.Looked(scheme, value, since=told.at, until=told.at + datetime.timedelta(microseconds=1))
            act = await office.viewed(requester, "inquiry", reason, looked, ("told", "oversight"), secret)
        return act

    async def _told(self, entered: _Entered, *, everything: bool) -> dict[str, Any]:
        try:
            receipt = await receipt_at(self._office.store, entered.place)
        except LedgerUnavailable as error:
            raise _unavailable() from error
        text = "" if receipt is None else receipt.text
        return await asyncio.to_thread(self._assembled, entered, text, everything)

    def _assembled(self, entered: _Entered, receipt: str, everything: bool) -> dict[str, Any]:
        office = self._office
        try:
            then = self._then.of(entered.found.told.rule_set)
        except StoreUnavailable as error:
            raise _unavailable() from error
        with office.reading() as connection:
            since = recalls.several(connection, recall.c.place == entered.place, first=MOST_RECALLS)
            findings = kept.findings_of(connection, entered.place) if everything else []
            query = select(not_released.c.entry).where(not_released.c.entry == entered.place)
            left = connection.execute(query).first() is None
        past = life.Past(entered.found, then, since, findings, left, receipt)
        return life.told(past, office.rules, everything=everything)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Reader]:
        """A snapshot to read; blocks. Raises `Refusal`."""
        try:
            with contextlib.closing(self._office.store.reader()) as reader:
                yield reader
        except (VerificationFailed, StoreUnavailable) as error:
            raise _unavailable() from error


def _entered(entry: StoredEntry) -> _Entered | None:
    """An entry of an operation, opened; None for any other, and where its general part is gone."""
    if entry.told is None or entry.oversight is None:
        return None
    told = entry.read_told()
    if not isinstance(told, entries.Operation):
        return None
    return _Entered((entry.shard << SHARD_BITS) + entry.index, entry, Found(told, entry.read_oversight()))


def _no_receipt(error: Exception) -> Refusal:
    return inputs.wrong(str(error)[:400])


def _unavailable() -> Refusal:
    message = "the ledger cannot be read now, so nothing was opened; try again later"
    return Refusal(Code.LEDGER_UNAVAILABLE, message, headers={"Retry-After": "1"}, retryable=True)
