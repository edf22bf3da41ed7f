"""What a shard's process knows of keys and requesters, so that a group is sealed without asking the store.

Invariant: what is here was read under the head's present `erasures`; whoever finds that number changed calls `forget`
(`gateway.ledger.log.shard`). A key that was made for a group is kept once the group is durable, and not before.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Table

from gateway.errors import LedgerUnavailable
from gateway.ledger.entry.parts import SubjectParts
from gateway.ledger.stored.encryption import KEY_SIZE
from gateway.storage.port import Change, Held, SubjectKey
from gateway.storage.tables import moment

DAY = 86_400_000_000
_DAYS = 64  # a group may hold entries of several days
_SUBJECTS = 4096

KeysBySubject = dict[tuple[str, str], tuple[int, AESGCM]]
"""By a subject's scheme and value: its key, and the key's id."""


class Unlearned(Exception):
    """A key or a requester's id has to be fetched first, or again: `Shard.enter` does."""


class AtEntry(NamedTuple):
    """A change that names the entry that it commits with: `change` gives it, from the id of the `entry` row."""

    change: Callable[[int], Change]


class Row(NamedTuple):
    """A row to insert; `places` are its columns that are the id of the `entry` row. Those of a group go together."""

    table: Table
    values: Mapping[str, object]
    places: tuple[str, ...] = ()


Changes = Change | AtEntry | Row


class Pending(NamedTuple):
    """What waits to become an entry: its parts (`gateway.ledger.entry.parts`), when, and by whom.

    `at` is in microseconds; `by` is the requester (issuer, client). `changes` commit with the entry, or not at all.
    What has the same `together` is one group, and nothing else is in it.
    """

    told: bytes
    oversight: bytes
    at: int
    by: tuple[str, str]
    changes: tuple[Changes, ...] = ()
    subjects: tuple[SubjectParts, ...] = ()
    together: object = None


class KeysOf(NamedTuple):
    """The keys of the subjects that a group names; of these, those that are made for it, and their rows."""

    all: KeysBySubject
    made: KeysBySubject
    rows: list[tuple[int, int, str, str, bytes]]


class Keyring:
    """The keys of one shard, by its id."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._days: dict[int, tuple[int, AESGCM]] = {}
        self._requesters: dict[tuple[str, str], int] = {}
        # Not a dict: to find the oldest, that walks past all that were removed since it grew.
        self._subjects = OrderedDict[tuple[str, str], tuple[int, AESGCM]]()
        self._keyless: set[tuple[str, str]] = set()  # asked for, and without a key so far

    def forget(self) -> None:
        """Know nothing any more."""
        self._days.clear()
        self._requesters.clear()
        self._subjects.clear()
        self._keyless.clear()

    def day(self, day: int) -> tuple[int, AESGCM]:
        """The key, and its id, of a day (counted from the epoch); raises `Unlearned`."""
        found = self._days.get(day)
        if found is None:
            raise Unlearned
        return found

    def requester(self, by: tuple[str, str]) -> int:
        """The id of a requester (issuer, client); raises `Unlearned`."""
        found = self._requesters.get(by)
        if found is None:
            raise Unlearned
        return found

    def subjects(self, group: Sequence[Pending]) -> KeysOf:
        """The keys for a group, new ones made for subjects that have none; raises `Unlearned`."""
        found = KeysOf({}, {}, [])
        for pending in group:
            for scheme, value, _, _ in pending.subjects:
                subject = (scheme, value)
                key = self._subjects.get(subject) or found.made.get(subject)
                if key is None:
                    if subject not in self._keyless:
                        raise Unlearned
                    id_, secret = int.from_bytes(os.urandom(8), "big") >> 1, os.urandom(KEY_SIZE)
                    key = found.made[subject] = (id_, AESGCM(secret))
                    found.rows.append((id_, self._shard, scheme, value, secret))
                found.all[subject] = key
        return found

    def keep(self, made: KeysBySubject) -> None:
        """Keep the keys of a group that is durable; of what was known before, only so much as there is room for."""
        self._subjects |= made
        self._keyless.clear()
        while len(self._subjects) > _SUBJECTS:
            self._subjects.popitem(last=False)

    async def learn(self, held: Held, group: Sequence[Pending], floor: int) -> None:
        """Fetch or make what a group needs; `floor` is the shard's. Raises `LedgerUnavailable`, `StoreUnavailable`."""
        for pending in group:
            floor = max(floor, pending.at)
            if floor // DAY not in self._days:
                await self._learn_day(held, floor // DAY)
            if pending.by not in self._requesters:
                self._requesters[pending.by] = await held.requester(*pending.by)
        if missing := self._missing(group):
            self._learned(missing, await held.subject_keys(self._shard, missing))

    def learn_at_once(self, held: Held, group: Sequence[Pending]) -> bool:
        """Fetch the keys of a group's subjects, where the store has them at once; whether there were any to fetch.

        Raises `StoreUnavailable`.
        """
        missing = self._missing(group)
        stored = held.subject_keys_at_once(self._shard, missing) if missing else None
        if stored is None:
            return False
        self._learned(missing, stored)
        return True

    async def _learn_day(self, held: Held, day: int) -> None:
        period = moment(day * DAY).date().isoformat()
        id_, secret = await held.key(self._shard, period, os.urandom(KEY_SIZE))
        if secret is None:
            raise LedgerUnavailable(f"the key of {period} was destroyed; nothing more can be entered for that day")
        while len(self._days) >= _DAYS:
            del self._days[next(iter(self._days))]
        self._days[day] = (id_, AESGCM(secret))

    def _missing(self, group: Sequence[Pending]) -> list[tuple[str, str]]:
        # One by one: a difference with the keys of a dict would walk all of them.
        named = {(each.scheme, each.value) for pending in group for each in pending.subjects}
        return [subject for subject in named if subject not in self._subjects]

    def _learned(self, asked: list[tuple[str, str]], stored: Sequence[SubjectKey]) -> None:
        for id_, scheme, value, secret in stored:
            self._subjects[scheme, value] = (id_, AESGCM(secret))
        self._keyless.update(subject for subject in asked if subject not in self._subjects)
