"""`POST /hooks/changes/<department>`: a department's system reports which of its records changed.

A message is signed per Standard Webhooks (`gateway.web.hooks.verify`) with a secret of `sources.yaml`; it is one
`record.changed`, or a list `records.changed`. Each item is an act of its own, and the answer, 202, says what became of
each once all that is good is durable.

Invariants: whoever did not sign gets one answer, whether there is such a department or not. A message is known by its
department and `webhook-id` for `KEPT`: sent again, nothing is done twice and its outcome is the same; where it was cut
short, what lacks is done. Nothing that a later try could mend is told as refused: then the whole message is to be sent
again. A department's messages are taken one after the other, as bulk that yields to people, and few may wait.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.mapping import duplicate_keys
from gateway.acts.changes import ChangeActs, Reported, reported
from gateway.acts.office import CLIENT_ACTS, Office
from gateway.acts.shown import STATES
from gateway.bounds.body import read
from gateway.errors import BodyRefused, Code, Refusal, Unsigned
from gateway.ledger.acting.digests import Keyed
from gateway.ledger.acting.planned import Actor, Bound, Made, Planned, Repeat, Seen, not_found
from gateway.ledger.acting.writer import Done
from gateway.sources import Changes as Reporting
from gateway.storage.projections import counted
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import Act
from gateway.storage.tables import micros
from gateway.web.hooks import verify

MOST_ITEMS = 1_000
MAX_BODY = 4 * 1024 * 1024
KEPT = datetime.timedelta(days=90)
"""How long a message is known by its id."""
AT_ONCE = 128
"""Items of a message that wait for the writer together."""
WAITING = 4
"""Messages of a department that may wait for the one that is taken."""
UNREAD = 16
"""Messages of anybody that are read at a time, before it is known who signed them."""

_LASTS = frozenset([Code.MATTER_INVALID, Code.MATTER_NOT_FOUND, Code.IDENTIFIER_INVALID])
_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Subject(msgspec.Struct):
    scheme: str
    value: str


class _Item(msgspec.Struct, rename="camel"):
    subject: _Subject
    dataset: str
    record: str
    event: str
    reason: str
    version: str | None = None
    new_version: str | None = None


class _Sent(NamedTuple):
    """A message that its department signed."""

    department: str
    id: str
    body: bytes


class _Answered(NamedTuple):
    """What stands for a message and for what it says, and what was refused of it by place; None of a new one."""

    id: bytes
    body: bytes
    refused: Mapping[int, dict[str, Any]] | None


class _NotTaken(Exception):
    """The message cannot be taken as a whole; carries the status, what is wrong, and when to send it again."""

    def __init__(self, status: int, told: str, again: int | None = None) -> None:
        super().__init__(told)
        self.status, self.again = status, again


class ChangeHook:
    """The route. `reporting` is what `sources.yaml` has of each department's systems; `now` gives epoch seconds."""

    def __init__(self, office: Office, reporting: Mapping[str, Reporting], now: Callable[[], float]) -> None:
        self._office, self._now = office, now
        self.follow(reporting)
        self._nobodys = (os.urandom(32),)  # so that an unknown department is looked into like any other
        self._reading = 0
        self._lanes: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._waiting: collections.Counter[str] = collections.Counter()

    def follow(self, reporting: Mapping[str, Reporting]) -> None:
        """Follow the secrets that `sources.yaml` has now."""
        self._acts = ChangeActs(self._office, reporting)
        self._secrets = {department: each.secrets for department, each in reporting.items() if each.secrets}

    def routes(self) -> list[Route]:
        """The route."""
        return [Route("/hooks/changes/{department}", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            sent = await self._signed(request)
            items = await self._in_turn(sent)
        except _NotTaken as error:
            headers = {} if error.again is None else {"Retry-After": str(error.again)}
            return _json({"error": str(error)}, error.status, headers)
        return _json({"items": items}, 202, {})

    async def _signed(self, request: Request) -> _Sent:
        department = request.path_params["department"]
        if self._reading >= UNREAD:
            raise _NotTaken(503, "too many messages are read now; send it again", 1)
        self._reading += 1
        try:
            body = await read(request, MAX_BODY)
            id_ = verify(self._secrets.get(department, self._nobodys), request.headers, body, self._now())
        except BodyRefused as error:
            raise _NotTaken(error.status, error.told) from None
        except Unsigned as error:
            raise _NotTaken(401, str(error)) from None
        finally:
            self._reading -= 1
        return _Sent(department, id_, body)

    async def _in_turn(self, sent: _Sent) -> list[dict[str, Any]]:
        if self._waiting[sent.department] > WAITING:
            raise _NotTaken(503, "messages of this department wait already; send it again later", 5)
        self._waiting[sent.department] += 1
        try:
            async with self._lanes[sent.department]:
                return await self._taken(sent)
        finally:
            self._waiting[sent.department] -= 1

    async def _taken(self, sent: _Sent) -> list[dict[str, Any]]:
        """What became of each item, once that is durable."""
        items = await asyncio.to_thread(_items, sent.body)
        try:
            before = await asyncio.to_thread(self._answered, sent)
            outcomes: list[dict[str, Any]] = []
            for start in range(0, len(items), AT_ONCE):
                several = enumerate(items[start : start + AT_ONCE], start)
                ones = (self._one(sent, at, each, before) for at, each in several)
                for each in await asyncio.gather(*ones, return_exceptions=True):
                    if isinstance(each, BaseException):
                        raise each
                    outcomes.append(each)
            if before.refused is None:
                refused = {at: each["error"] for at, each in enumerate(outcomes) if "error" in each}
                await asyncio.to_thread(self._keep, before, refused)
        except (SQLAlchemyError, Refusal) as error:  # or the time is in doubt
            raise _NotTaken(503, "changes cannot be taken now; send it again later", 5) from error
        return outcomes

    async def _one(self, sent: _Sent, at: int, item: msgspec.Raw, before: _Answered) -> dict[str, Any]:
        if before.refused is not None and at in before.refused:
            return {"error": before.refused[at]}
        try:
            planned = self._planned(sent, at, self._read(sent.department, item))
            if before.refused is not None:
                planned = planned._replace(make=_erased)
            done = await self._office.writer.act(planned)
        except Refusal as refusal:
            if refusal.code not in _LASTS:
                status = 429 if refusal.code is Code.QUOTA_EXCEEDED else 503
                raise _NotTaken(status, f"{refusal.message}; what is done is not done twice", 60) from None
            return {"error": {"code": refusal.code.value, "message": refusal.message, **refusal.extensions}}
        return _done(done)

    def _read(self, department: str, item: msgspec.Raw) -> Reported:
        try:
            told = msgspec.json.decode(item, type=_Item)
        except msgspec.ValidationError as error:
            raise Refusal(Code.MATTER_INVALID, f"the item is not of its form: {error}", reason="ARGUMENT") from None
        subject = {"scheme": told.subject.scheme, "value": told.subject.value}
        record = {"dataset": told.dataset, "record": told.record, "version": told.version}
        catalogue = self._office.rules.policies.catalogue
        return reported(catalogue, department, subject, record, told.event, told.new_version, told.reason, at="")

    def _planned(self, sent: _Sent, at: int, read: Reported) -> Planned:
        actor = Actor(f"/hooks/changes/{sent.department}", "webhook", sent.department)
        of = ("webhook", sent.department, sent.id, at)
        bounds = [Bound(("client", actor.issuer, actor.client), CLIENT_ACTS, "client-acts")]
        return Planned(
            actor, frozenset([read.subject, of]), bounds, lambda seen: self._acts.made(seen, actor, read), _again,
            Repeat(of, read, KEPT), bulk=True,
        )  # fmt: skip

    def _answered(self, sent: _Sent) -> _Answered:
        """What was answered to a message before. Blocks; raises `_NotTaken`."""
        with self._office.store.engine.connect() as connection:
            keyed = Keyed(counted.current(connection).secret)
            id_ = keyed.of("message", sent.department, sent.id)
            body = keyed.of("body", hashlib.sha256(sent.body).hexdigest())
            row = rows.message_of(connection, id_)
        if row is None or row.at <= micros(self._office.now() - KEPT):
            return _Answered(id_, body, None)
        if row.body != body:
            raise _NotTaken(400, "this `webhook-id` was used for another message; each has its own")
        return _Answered(id_, body, msgspec.json.decode(row.refused, type=dict[int, dict[str, Any]]))

    def _keep(self, answered: _Answered, refused: Mapping[int, dict[str, Any]]) -> None:
        """Remember what is answered; what is older than it has to be goes. Blocks."""
        now = self._office.now()
        row = rows.Message(answered.id, micros(now), answered.body, _encode(refused).decode())
        # Where the same message came twice at once, the other one's outcome is the same.
        with contextlib.suppress(IntegrityError), self._office.store.engine.begin() as connection:
            rows.keep_message(connection, row, micros(now - KEPT))


_UNFIT = {
    "duplicate keys": "an object of the message has a key twice; keep one",
    "not UTF-8": "the message is not UTF-8: it has bytes that are no character, or half of one",
    "not JSON": "the message is not JSON",
    "halves": "a text of the message has half of a character (`\\ud800` to `\\udfff`); write the whole one",
}
"""What a message is refused by that no two readers would read alike."""


def _items(body: bytes) -> Sequence[msgspec.Raw]:
    """The items of a message, each still to be read; raises `_NotTaken`."""
    try:
        told = msgspec.json.decode(body, type=_Message)
        if wrong := duplicate_keys.check(body):
            raise _NotTaken(400, _UNFIT[wrong])
        if told.type == "record.changed":
            return [told.data]
        if told.type == "records.changed":
            items = msgspec.json.decode(told.data, type=list[msgspec.Raw])
            if 0 < len(items) <= MOST_ITEMS:
                return items
    except UnicodeDecodeError:
        raise _NotTaken(400, _UNFIT["not UTF-8"]) from None
    except (msgspec.MsgspecError, RecursionError) as error:
        if not isinstance(error, msgspec.ValidationError | RecursionError):
            raise _NotTaken(400, _UNFIT[duplicate_keys.slow_check(body) or "halves"]) from None
    raise _NotTaken(
        400, 'a message is `{"type": "record.changed", "data": {...}}`, or `"records.changed"` with a list of 1 to'
        f" {MOST_ITEMS:,} items as `data`",
    )  # fmt: skip


def _erased(seen: Seen) -> Made:
    """Of what was done by a message that was answered, only an erasure takes the trace: it is not done again."""
    raise not_found()


def _again(seen: Seen, past: Act) -> dict[str, Any]:
    row = rows.one(seen.connection, past.matter or "")
    if row is None:
        raise not_found()
    return {"id": row.id, "state": STATES[row.state]}


def _done(done: Done) -> dict[str, Any]:
    return {"act": {"id": done.id, "at": done.at}, "change": done.value["id"], "state": done.value["state"]}


def _json(content: Any, status: int, headers: Mapping[str, str]) -> Response:
    return Response(_encode(content), status, {"Cache-Control": "no-store", **headers}, "application/json")
