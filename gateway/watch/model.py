"""What the watch sees of an inquiry, and what it reports. Pure.

A `Look` is an inquiry from its entry in the ledger; a `Finding` says that some looks together have a pattern that a
person should judge. It judges inquiries, never subjects: a finding names who asked, for what, and the entries. No
subject is in it, and nothing adds up to a measure of anyone.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple, Protocol

import msgspec

ANSWERED = "ANSWERED"
DENIED = "UNAUTHORIZED_FIELD_OR_TYPE"
UNVERIFIED = "CASE_NOT_VERIFIED"
OUT_OF_REACH = "OUT_OF_REACH"

MOST_ENTRIES = 100
"""Entries that one finding names; the earliest of a longer pattern are left out."""


_SHARD = 1 << 40  # as `gateway.storage.tables` lays out an entry's id


def place(entry: int) -> str:
    """Where an entry stands, as people name it: `<shard>-<index>`."""
    return f"{entry // _SHARD}-{entry % _SHARD}"


class Seen(NamedTuple):
    """A subject, without its name: `key` is equal for equal subjects, for as long as this process lives.

    `ordinal` is the identifier's serial number, its check digits aside, where its scheme has one.
    """

    key: bytes
    scheme: str
    ordinal: int | None


class Actor(NamedTuple):
    """Who asked: a requester's official, or the requester itself where no official stood behind the inquiry."""

    issuer: str
    client: str
    official: str | None

    def __str__(self) -> str:
        return f"`{self.official}` of `{self.client}`" if self.official else f"`{self.client}`"


class Look(msgspec.Struct, frozen=True):
    """One inquiry. `entry` is the entry's id in the store.

    `outcome` is `ANSWERED`; `DENIED` where nothing was permitted; `UNVERIFIED` where the case was; `OUT_OF_REACH` where
    that could not be found out; else the code of the refusal.
    """

    entry: int
    at: datetime.datetime
    actor: Actor
    purpose: str
    case: str | None
    subjects: tuple[Seen, ...]
    outcome: str


class Finding(msgspec.Struct, frozen=True):
    """A pattern. `id` names the detector and the entry that completed it; the same id again is the pattern continuing.

    `words` explain it with its numbers; `entries` are ids in the store, in the order they were seen.
    """

    id: str
    detector: str
    article: str
    at: datetime.datetime
    actor: Actor
    purpose: str
    entries: tuple[int, ...]
    words: str


class Detector(Protocol):
    """One small rule over the stream of looks. Its memory is bounded, and rebuilt by showing it past looks again."""

    @property
    def id(self) -> str: ...

    @property
    def article(self) -> str: ...

    def see(self, look: Look) -> Finding | None:
        """Take one more look into account; the finding that it completes or continues, if any."""
