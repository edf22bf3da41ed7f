"""What a subject is shown of the ledger, on each store: the same rows in the same order, projected or not."""

from __future__ import annotations

import contextlib
import datetime

import msgspec

from gateway.ledger.entry.parts import split
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.projections import visible
from gateway.ledger.projections.projector import Projector
from gateway.storage.port import Reader, Store
from gateway.storage.projections import projecting
from gateway.storage.tables import micros
from tests.ledger.projecting import SUBJECTS, Asked, told
from tests.ledger.support import AT, opened

SECRET = datetime.timedelta(seconds=25)
MIDDLE = 34
"""Seconds after which some of what was secret is shown."""


async def enter(ledger: Ledger, number: int, each: Asked, *, secret: bool) -> None:
    at = AT + datetime.timedelta(seconds=number)
    said, oversight = told(each, number, at)
    if secret:
        oversight = msgspec.structs.replace(oversight, secret_until=at + SECRET)
    parts = split(said, oversight)
    await ledger.append(parts.told, parts.oversight, at, ("i", "c"), (), parts.subjects)


def turned(store: Store, times: int) -> None:
    projector = Projector(store, batch=7)
    for _ in range(times):
        if not projector.turn():
            break
    projector.close()


def walked(
    reader: Reader, subject: tuple[str, str], now: datetime.datetime, first: int, *, newest: bool = False
) -> list[str]:
    found: list[str] = []
    after: visible.Cursor | None = visible.BEGIN
    while after is not None:
        given = visible.Cursor.read(after.text)
        page = visible.shown_to(reader, *subject, micros(now), given, first, newest=newest)
        assert page.until == micros(now) - (visible.SETTLED if newest else 0)
        found += [look.told.id for look in page.looks]
        after = page.next
    return found


async def test_each_store_shows_the_same_however_far_it_is_projected(store: Store) -> None:
    async with opened(store) as ledger:
        model: list[tuple[datetime.datetime, int, tuple[int, ...]]] = []
        for number in range(24):
            subjects, secret = ((0, 1), (0,), (1, 2))[number % 3], number % 4 == 0
            await enter(ledger, number, Asked(subjects=subjects, refused=number % 5 == 0), secret=secret)
            at = AT + datetime.timedelta(seconds=number)
            model.append((at + SECRET if secret else at, number, subjects))
        for turns in (0, 1, 2, 100):
            turned(store, turns)
            for seconds in (27, MIDDLE, 100):
                now = AT + datetime.timedelta(seconds=seconds)
                with contextlib.closing(store.reader()) as reader:
                    for place, subject in enumerate(SUBJECTS):
                        there = [f"inquiry-{n}" for at, n, named in sorted(model) if at <= now and place in named]
                        sizes = (1, 4, 50) if seconds == MIDDLE else (4,)
                        assert [walked(reader, subject, now, first) for first in sizes] == [there] * len(sizes)
                        back = [walked(reader, subject, now, first, newest=True) for first in sizes]
                        assert back == [there[::-1]] * len(sizes)
                        ends = [at for at, n, named in model if n % 4 == 0 and place in named and at > now]
                        last = visible.secret_until(reader, *subject, micros(now))
                        assert last == (micros(max(ends)) if ends else None)
                        for at, n, named in model if seconds == MIDDLE else ():
                            look = visible.found_by(reader, *subject, f"inquiry-{n}", micros(now))
                            assert (look is not None) is (place in named and at <= now)


async def test_what_is_shown_meanwhile_is_given_to_no_page_behind(store: Store) -> None:
    """Who reads from the newest on meets nothing twice; what comes, or is secret no more, is on a new first page."""
    async with opened(store) as ledger:
        for number in range(6):
            await enter(ledger, number, Asked(), secret=number == 1)
        turned(store, 10)
        now = AT + datetime.timedelta(seconds=10)
        with contextlib.closing(store.reader()) as reader:
            page = visible.shown_to(reader, *SUBJECTS[0], micros(now), first=2, newest=True)
            assert [look.told.id for look in page.looks] == ["inquiry-5", "inquiry-4"]
        await enter(ledger, 20, Asked(), secret=False)
        later = micros(AT + SECRET + datetime.timedelta(seconds=2))
        with contextlib.closing(store.reader()) as reader:
            assert page.next is not None
            behind = visible.shown_to(reader, *SUBJECTS[0], later, page.next, newest=True)
            assert [look.told.id for look in behind.looks] == ["inquiry-3", "inquiry-2", "inquiry-0"]
            first = visible.shown_to(reader, *SUBJECTS[0], later, first=2, newest=True)
            assert [look.told.id for look in first.looks] == ["inquiry-1", "inquiry-20"]


async def test_rows_that_count_for_nothing_are_not_read(store: Store) -> None:
    """While `looked` is dropped to be built again, the entries themselves are read."""
    async with opened(store) as ledger:
        for number in range(9):
            await enter(ledger, number, Asked(), secret=False)
        turned(store, 10)
        now = AT + datetime.timedelta(seconds=60)
        expected = [f"inquiry-{n}" for n in range(9)]
        with contextlib.closing(store.reader()) as reader:
            assert walked(reader, SUBJECTS[0], now, 4) == expected
            for name in ("looked", "acted"):
                projecting.start_over(store.engine, (name,))
                reader.renew()
                assert walked(reader, SUBJECTS[0], now, 4) == expected
                turned(store, 100)
                reader.renew()
                assert walked(reader, SUBJECTS[0], now, 4) == expected
