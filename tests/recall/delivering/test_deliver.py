"""Recipients are told by an id and nothing else, again until they take it; one that fails keeps no other waiting."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import ipaddress
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from gateway.acts.notices import Receiver
from gateway.config.outgoing import WebhookSettings
from gateway.recall.delivering import deliver
from gateway.recall.delivering.deliver import AGAIN, EACH, GIVEN_UP, Delivering
from gateway.recall.delivering.giving_up import GivingUp
from gateway.storage.recall import work as queue
from gateway.storage.recall.recalls import recall
from gateway.storage.recall.work import delivery_stop, lane_of
from gateway.storage.tables import micros
from gateway.web.hooks import verify
from gateway.web.messages.sending import Sender
from tests.acts.conftest import bare, desk, place, server, store
from tests.acts.desk import Desk, days
from tests.recall.receiving import ISSUER, Recipient, recall_of, recalled, recipients, works
from tests.waiting import until_async

__all__ = ["bare", "desk", "place", "server", "store"]

SECRETS = [b"0" * 32, b"1" * 32]
LOOPBACK = WebhookSettings(networks=(ipaddress.ip_network("127.0.0.0/8"),))
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]


class Post:
    """What delivers, on a desk; `counted` are its tries, `heard` why a client takes nothing."""

    def __init__(self, desk: Desk, told: Sequence[Recipient], settings: WebhookSettings = LOOPBACK) -> None:
        self.desk = desk
        self.counted: collections.Counter[str] = collections.Counter()
        self.heard: dict[str, str | None] = {}
        receivers = {(ISSUER, each.client): Receiver(each.url, SECRETS) for each in told}
        count = lambda outcome: self.counted.update([outcome])  # noqa: E731
        self.delivering = Delivering(desk.office, receivers, KEYS, Sender(settings), self.heard.__setitem__, count)

    async def turns(self) -> None:
        """Turn until there is nothing to begin now."""
        while await self.delivering.turn():
            await self.delivering.settled()

    async def later(self, seconds: float) -> None:
        """Let time pass, and turn."""
        self.desk.now += datetime.timedelta(seconds=seconds)
        for lane in self.delivering._lanes.values():
            lane.until -= seconds
        await self.turns()

    def acts(self, what: str) -> list[str]:
        return [each.recall for each in self.desk.acts() if each.what == what]


@contextlib.asynccontextmanager
async def post(desk: Desk, told: Sequence[Recipient], settings: WebhookSettings = LOOPBACK) -> AsyncIterator[Post]:
    made = Post(desk, told, settings)
    try:
        yield made
    finally:
        await made.delivering.close()


def at(desk: Desk, client: str = "tender-office", **more: int) -> str:
    return recalled(desk.store.engine, client, at=micros(desk.now), **more)


async def test_a_recipient_is_told_an_id_alone_signed_by_every_secret_and_key(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        async with post(desk, [one]) as sent:
            id_ = at(desk)
            await sent.turns()
    ((headers, body),) = one.taken
    said = msgspec.json.decode(body)
    assert (said["type"], said["data"], sorted(said)) == (
        "recall.available", {"recall": id_}, ["data", "timestamp", "type"],
    )  # fmt: skip
    for secret in SECRETS:
        assert verify([secret], headers, body, desk.now.timestamp()) == id_
    signatures = headers["webhook-signature"].split()
    assert [each.partition(",")[0] for each in signatures] == ["v1", "v1", "v1a", "v1a"]
    row = recall_of(desk.store.engine, id_)
    assert (row.delivered, row.state, works(desk.store.engine)) == (micros(desk.now), "open", [])
    (entry,) = desk.acts()
    assert (entry.what, entry.recall, entry.to and entry.to.client, entry.action, entry.sequence, entry.value) == (
        "delivered", id_, "tender-office", "delete", 1, None,
    )  # fmt: skip


async def test_what_is_not_taken_is_tried_again_under_its_id_over_75_hours_and_then_told_to_oversight(
    desk: Desk,
) -> None:
    with recipients("tender-office") as [one]:
        one.usual = 400
        async with post(desk, [one]) as sent:
            id_ = at(desk)
            begun = desk.now
            await sent.turns()
            for wait in AGAIN:
                assert not await GivingUp(desk.office).turn()
                before = len(one.taken)
                await sent.later(wait * 0.89)
                assert len(one.taken) == before, "too soon"
                await sent.later(wait * 0.22)
                assert len(one.taken) == before + 1
            desk.now = begun + datetime.timedelta(seconds=GIVEN_UP + 1)
            assert await GivingUp(desk.office).turn()
            assert not await GivingUp(desk.office).turn()
            await sent.later(days(9).total_seconds())
    assert 75 * 3600 < GIVEN_UP < 76 * 3600
    assert set(one.ids) == {id_}
    assert len({body for _, body in one.taken}) == 1
    assert len(one.taken) == 1 + len(AGAIN)
    assert (sent.acts("delivery-given-up"), sent.acts("delivered")) == ([id_], [])
    assert (works(desk.store.engine), recall_of(desk.store.engine, id_).state) == ([], "open")


@pytest.mark.parametrize("answer", [301, 302, 307, 404, 500, 503, 304])
async def test_whatever_else_it_answers_it_has_not_taken_it(desk: Desk, answer: int) -> None:
    with recipients("tender-office", "elsewhere") as [one, other]:
        one.answers = [(answer, {"location": other.url})]
        async with post(desk, [one]) as sent:
            at(desk)
            await sent.turns()
            assert (len(one.taken), other.taken, len(works(desk.store.engine))) == (1, [], 1)
            assert sent.heard["tender-office"] is not None
            await sent.later(3)
            assert (len(one.taken), other.taken, works(desk.store.engine)) == (2, [], [])
            assert sent.heard["tender-office"] is None


async def test_one_that_is_back_is_told_all_that_waited_at_once(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        one.usual = 503
        async with post(desk, [one]) as sent:
            ids = [at(desk) for _ in range(10)]
            for wait in (0, 30, 400, 400):
                await sent.later(wait)
            assert len(works(desk.store.engine)) == 10
            one.usual, before = 204, len(one.taken)
            await sent.later(300)
            await sent.turns()
            assert sorted(one.ids[before:]) == sorted(ids)
    assert works(desk.store.engine) == []


async def test_one_that_says_when_to_come_again_is_left_alone_until_then(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        one.answers = [(429, {"retry-after": "3000"}), (503, {"retry-after": "9" * 9})]
        async with post(desk, [one]) as sent:
            at(desk)
            await sent.turns()
            await sent.later(2900)
            assert len(one.taken) == 1
            await sent.later(101)
            assert len(one.taken) == 2
            await sent.later(86_390)
            assert len(one.taken) == 2
            await sent.later(11)
            assert len(one.taken) == 3, "a day is the most"


async def test_410_stops_a_recipient_until_somebody_resumes_it(desk: Desk) -> None:
    with recipients("tender-office", "market-regulator") as [one, other]:
        one.usual = 410
        async with post(desk, [one, other]) as sent:
            first = at(desk)
            await sent.turns()
            second, beside = at(desk), at(desk, "market-regulator")
            await sent.later(60)
            await sent.later(days(4).total_seconds())
            assert one.ids == [first], "nothing more is sent"
            assert other.ids == [beside]
            assert sent.acts("delivery-stopped") == [first]
            assert not await GivingUp(desk.office).turn(), "oversight knows of it"
            one.usual = 204
            with desk.store.engine.begin() as connection:
                connection.execute(delivery_stop.delete())
            await sent.turns()
            assert sorted(one.ids[1:]) == sorted([first, second])
    assert works(desk.store.engine) == []


async def test_two_issuers_clients_of_one_id_are_told_apart(desk: Desk) -> None:
    with recipients("tender-office", "other") as [one, other]:
        one.usual = 410
        async with post(desk, [one]) as sent:
            elsewhere = "https://elsewhere.example", "tender-office"
            sent.delivering._receivers = {**sent.delivering._receivers, elsewhere: Receiver(other.url, SECRETS)}
            at(desk)
            recalled(desk.store.engine, "tender-office", at=micros(desk.now), issuer=elsewhere[0])
            await sent.turns()
            stopped, taken = (sent.heard[f"tender-office of {each}"] for each in (ISSUER, elsewhere[0]))
            assert ("410" in (stopped or ""), taken, len(sent.heard)) == (True, None, 2)


async def test_a_dead_recipient_keeps_no_other_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.messages.sending.TIMEOUT", 30.0)
    with recipients("dead", "tender-office") as [dead, one]:
        dead.usual = None
        async with post(desk, [dead, one]) as sent:
            for _ in range(20):
                at(desk, "dead")
            ids = [at(desk) for _ in range(20)]

            async def all_told() -> bool:
                await sent.delivering.turn()
                return len(set(one.ids)) == len(ids)

            await until_async("the other to be told all", all_told)
            assert len(dead.taken) <= EACH
            assert one.most_at_once <= EACH


async def test_one_that_fails_has_one_try_at_a_time(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        one.usual = 500
        async with post(desk, [one]) as sent:
            for _ in range(12):
                at(desk)
            await sent.turns()
            tried = len(one.taken)
            assert 1 <= tried <= EACH
            await sent.later(90)
            assert len(one.taken) == tried + 1


async def test_a_recall_that_was_answered_meanwhile_is_not_told(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        async with post(desk, [one]) as sent:
            id_ = at(desk)
            with desk.store.engine.begin() as connection:
                connection.execute(update(recall).values(state="acknowledged"))
            await sent.turns()
            other = at(desk)
            with desk.store.engine.begin() as connection:
                connection.execute(queue.not_to_deliver(other))
            await sent.turns()
    assert (one.taken, works(desk.store.engine), sent.acts("delivered")) == ([], [], [])
    assert recall_of(desk.store.engine, id_).delivered is None


async def test_one_without_an_address_has_its_inbox_alone(desk: Desk) -> None:
    async with post(desk, []) as sent:
        id_ = at(desk)
        await sent.turns()
    assert (works(desk.store.engine), recall_of(desk.store.engine, id_).state, desk.acts()) == ([], "open", [])


async def test_two_processes_and_a_killed_one_tell_the_ledger_once(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        async with post(desk, [one]) as sent, post(desk, [one]) as other:
            ids = [at(desk) for _ in range(30)]
            killed = queue.take(
                desk.store.engine, lane_of(ISSUER, "tender-office"), micros(desk.now), micros(desk.now) + 60 * 10**6, 5
            )
            while await sent.delivering.turn() | await other.delivering.turn():
                await asyncio.gather(sent.delivering.settled(), other.delivering.settled())
            assert len(one.taken) == 25
            await sent.later(61)
            await other.later(0)
    assert sorted(sent.acts("delivered")) == sorted(ids)
    assert sorted(one.ids) == sorted(ids)
    assert not any(queue.finish(desk.store.engine, each) for each in killed)


async def test_work_that_was_lost_while_it_was_sent_is_told_by_whoever_has_it(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        async with post(desk, [one]) as sent:
            id_ = at(desk)
            lane = lane_of(ISSUER, "tender-office")
            real = sent.delivering._trying.send

            async def slowly(*given: object) -> object:
                tried = await real(*given)  # type: ignore[arg-type]
                desk.now += datetime.timedelta(seconds=61)
                assert queue.take(desk.store.engine, lane, micros(desk.now), micros(desk.now) + 10**8, 1)
                return tried

            sent.delivering._trying.send = slowly  # type: ignore[method-assign, assignment]
            await sent.turns()
    assert (sent.acts("delivered"), recall_of(desk.store.engine, id_).delivered) == ([], None)
    assert len(works(desk.store.engine)) == 1


async def test_a_name_that_leads_into_this_machine_is_refused_unless_configured(desk: Desk) -> None:
    with recipients("tender-office") as [one]:
        async with post(desk, [one], WebhookSettings()) as sent:
            at(desk)
            await sent.turns()
        assert one.taken == []
        assert "webhooks.networks" in (sent.heard["tender-office"] or "")
        assert sent.counted == {"away": 1}


async def test_what_a_minute_allows_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "RATE", 0.02)
    monkeypatch.setattr(deliver, "BURST", 2.0)
    with recipients("tender-office") as [one]:
        async with post(desk, [one]) as sent:
            sent.delivering._allowed, sent.delivering._at = 0.0, time.monotonic()
            for _ in range(9):
                at(desk)
            assert not await sent.delivering.turn()
            sent.delivering._at -= 100.0
            assert await sent.delivering.turn()
            await sent.delivering.settled()
    assert len(one.taken) == 2, "no more than so many are saved"
