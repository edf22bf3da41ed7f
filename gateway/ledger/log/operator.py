"""The ledger opened for one command of a person: in the shard that commands append to, one after the other.

What a person has done is entered in the ledger with the name that was given (`--by`) and, for oversight, with the
account of the operating system, which is more than a claim.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import getpass
import os
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import Clock, Now
from gateway.config import settings
from gateway.config.settings import Settings
from gateway.errors import (
    CommandRefused,
    ConfigurationError,
    LedgerUnavailable,
    Problem,
    StoreUnavailable,
    VerificationFailed,
)
from gateway.ledger.entry import entries
from gateway.ledger.entry.parts import split
from gateway.ledger.entry.registry import COMMANDS
from gateway.ledger.log.build import ledger_of
from gateway.ledger.log.keyring import Changes
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.proof import key_files
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage import store as stores
from gateway.storage.port import Store
from gateway.storage.tables import moment
from gateway.writing import unseen

CLIENT = entries.Who("", "command line")
MOST_REASON = 4_000
_DAY = datetime.timedelta(days=1)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
"""The end of the last day that there is; no moment comes after it."""

_T = TypeVar("_T")


class ActRefused(CommandRefused):
    """What a person asked of the ledger cannot be done; the message has the reason and what to do."""


class Workplace(NamedTuple):
    """Where a command works: its configuration, the store and the key that signs."""

    settings: Settings
    store: Store
    private: Ed25519PrivateKey

    def run(self, work: Callable[[Ledger], Coroutine[Any, Any, _T]]) -> _T:
        """Do something with the ledger; its shard is given up afterwards."""

        async def whole() -> _T:
            async with operated(self) as ledger:
                return await work(ledger)

        return asyncio.run(whole())


@contextlib.contextmanager
def opened(configuration: Path, *, make: bool = False) -> Iterator[Workplace]:
    """The configured store, writable, and the key that signs what is entered; `make` as in `store.opened`."""
    found = settings.load(configuration, os.environ)
    private = key_files.load(found.ledger.key_file)
    with stores.opened(found, make=make) as store:
        yield Workplace(found, store, private)


@contextlib.asynccontextmanager
async def operated(place: Workplace) -> AsyncIterator[Ledger]:
    """The place's ledger, started, and closed at the end; raises `LedgerUnavailable` where the time is in doubt."""
    ledger = ledger_of(place.store, place.settings.ledger, place.private, await certain(place.store), COMMANDS)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()


def kept_backups(place: Workplace) -> datetime.timedelta:
    """How long backups of the store are kept; raises `ConfigurationError` where that is not set."""
    if place.settings.ledger.backups is None:
        fix = (
            "set how long backups of the store are kept, as `backups: P35D`; whoever is erased is informed when they"
            " expire"
        )
        raise ConfigurationError([Problem(str(place.settings.file), 0, 0, "ledger.backups", fix)])
    return place.settings.ledger.backups


def place_of(place: Workplace, receipt: Receipt) -> str:
    """Where an entry stands, in words."""
    return f"entry {receipt.index} of {place.settings.ledger.origin}/{receipt.shard}"


async def certain(store: Store) -> Now:
    """The clock of a command. It refuses (`LedgerUnavailable`) while the time is in doubt, and does here at once.

    It is checked against the newest entry of the whole store, and against the store's clock.
    """
    newest = await asyncio.to_thread(_newest, store)
    clock = Clock(lambda: newest)

    def sure() -> datetime.datetime:
        if (why := clock.doubt) is not None:
            raise LedgerUnavailable(
                f"the time is in doubt, so nothing is entered: {why}. Set the clock right, then run the command again;"
                ' where entries were made ahead, see "The clock" in `deploy/README.md`'
            )
        return clock()

    await clock.compare(store.time)
    sure()
    return sure


def _newest(store: Store) -> datetime.datetime:
    """The time of the newest entry in the store, whichever process made it."""
    try:
        with contextlib.closing(store.reader()) as reader:
            return max((moment(head.floor) for head in read.heads(reader)), default=moment(0))
    except (StoreUnavailable, VerificationFailed) as error:
        raise LedgerUnavailable(f"the store's shards cannot be read: {error}") from error


def now(ledger: Ledger) -> datetime.datetime:
    """The time of the ledger's clock, never less than that of its newest entry."""
    return max(ledger.now(), ledger.floor)


async def enter(
    ledger: Ledger,
    told: entries.Done,
    account: str,
    changes: Sequence[Changes],
    *,
    secret_until: datetime.datetime | None = None,
) -> Receipt:
    """Enter what a person did, and what it changes, in one transaction; raises `LedgerUnavailable`.

    `secret_until`: its subject is told of it from then on.
    """
    parts = split(told, entries.Oversight(entries.VERSION, official=account, secret_until=secret_until))
    by = (told.requester.issuer, told.requester.client)
    return await ledger.append(parts.told, parts.oversight, told.at, by, tuple(changes), parts.subjects)


def enter_list(place: Workplace, subjects: Sequence[tuple[str, str]], what: str) -> None:
    """Enter a view of each subject that a list is about to name (invariant 17); raises `LedgerUnavailable`."""

    async def views(ledger: Ledger) -> None:
        for scheme, value in dict.fromkeys(subjects):
            looked = entries.Looked(scheme=scheme, value=value)
            said = (account(), what, looked, (), "list")
            await enter(
                ledger, entries.View(entries.VERSION, str(uuid.uuid4()), now(ledger), CLIENT, *said), account(), ()
            )

    if subjects:
        place.run(views)


def account() -> str:
    """The operating system's account that runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())


def subject_of(text: str) -> tuple[str, str]:
    """Scheme and value of `SCHEME:VALUE`, for argparse."""
    scheme, _, value = text.partition(":")
    if not scheme or not value:
        raise argparse.ArgumentTypeError(
            f"`{text}` names no subject; write `SCHEME:VALUE`, as `LEI:5493001KJTIIGC8Y1R12`"
        )
    return scheme, value


def moment_of(text: str, *, last: bool) -> datetime.datetime:
    """A day (its first moment, or the one after its last), or a time with its offset; in UTC. Raises `ValueError`."""
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.datetime.combine(datetime.date.fromisoformat(text), datetime.time(), datetime.UTC)
            return min(day, _LAST - _DAY) + _DAY if last else day
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError(f"`{text}` is outside the years 1 to 9999 in UTC; name a time within them") from error
    except ValueError as error:
        raise ValueError(f"`{text}` is no day and no time; write `2026-01-31` or `2026-01-31T09:00:00Z`") from error
    raise ValueError(f"`{text}` has no offset; write `{text}Z` for UTC")


def period_of(since: str | None, until: str | None) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """A period's first moment and the one after its last, None where it has none; raises `ValueError`."""
    begins = moment_of(since, last=False) if since is not None else None
    ends = moment_of(until, last=True) if until is not None else None
    if begins is not None and ends is not None and begins >= ends:
        raise ValueError(f"`{since}` is not before the end of `{until}`: there is no such period")
    return begins, ends


def check_said(by: str, reason: str, value: str = "") -> None:
    """Raises `ActRefused` where nobody is named, no reason is given, it names the subject, or more than a line is
    given.

    Names and reasons stand in the part of the entry that stays when its subject is erased.
    """
    if not by.strip() or not reason.strip():
        raise ActRefused("give a name and a reason")
    check_line(by, "the name")
    check_line(reason, "the reason")
    if len(reason) > MOST_REASON:
        raise ActRefused(f"the reason is over {MOST_REASON} characters; shorten it, and name where the rest is filed")
    if value and value.casefold() in f"{by} {reason}".casefold():
        raise ActRefused("the reason stays in the ledger when the subject is erased: leave the identifier out of it")


def check_line(text: str, what: str) -> None:
    """Raises `ActRefused` where a text, called `what`, is not one line of characters that are seen."""
    if has := unseen(text):
        raise ActRefused(f"{what} has {has}; write it in one line, without control characters")
