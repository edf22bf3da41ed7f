"""What keeps a subject from being erased, by the ledger's own entries: a row can be removed, an entry cannot.

Read are all entries of the shards that commands append to, and of the other shards those that are sealed by a key of
the subject's; and the entries that end reviews, which name no subject, wherever they are. That is enough: holds are
placed and lifted by commands alone, or were so by commands of a version that had no shard for them, in an entry that
names the subject. Whoever erases holds the shard of commands, and its head is swapped in the transaction that erases:
so none of these comes between what is read here and that. The end of a review that does keeps the subject.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import describe, entries
from gateway.ledger.entry.registry import COMMANDS
from gateway.ledger.log.operator import CLIENT
from gateway.ledger.stored import read
from gateway.storage.destruction import names_any
from gateway.storage.port import Reader, Store
from gateway.storage.subjects.acts import act
from gateway.storage.tables import SHARD_BITS, entry
from gateway.storage.watch.findings import verdict

_PAGE = 256
_OPENS = ("objection-filed", "restoration-filed")
_CLOSES = ("objection-decided", "restoration-confirmed", "matter-withdrawn")

_ENDED = select(act.c.entry).where(act.c.matter.in_(select(verdict.c.finding)))
"""Where reviews were ended; of one whose row is gone, the review keeps the subject."""


class Said:
    """What entries record of a subject: which holds, matters and recalls are open; and which findings were
    reviewed."""

    def __init__(self, subject: tuple[str, str]) -> None:
        self._subject = subject
        self._holds: dict[str, bool] = {}
        self._matters: dict[str, bool] = {}
        self._recalls: dict[str, bool] = {}
        self.reviewed: set[str] = set()

    def note(self, told: entries.Told) -> None:
        """Take an entry in."""
        if isinstance(told, entries.Reviewed):
            self.reviewed.add(told.finding)
        elif isinstance(told, entries.Operation) or self._subject not in describe.subjects(told):
            return
        elif isinstance(told, entries.Hold):
            self._holds[told.hold] = told.event == "placed" and self._holds.get(told.hold, True)
        elif isinstance(told, entries.Acted) and told.what == "recalled":
            self._recalls.setdefault(told.recall, True)
        elif isinstance(told, entries.Acted) and told.what == "acknowledged" and told.outcome != "refused":
            self._recalls[told.recall] = False
        elif isinstance(told, entries.Acted) and told.what in _OPENS:
            self._matters.setdefault(told.matter, True)
        elif isinstance(told, entries.Acted) and _closes(told):
            self._matters[told.matter] = False  # whichever of the two stands in the shard that is read first

    @property
    def holds(self) -> list[str]:
        return [id_ for id_, open_ in self._holds.items() if open_]

    @property
    def recalls(self) -> list[str]:
        return [id_ for id_, open_ in self._recalls.items() if open_]

    @property
    def matters(self) -> list[str]:
        return [id_ for id_, open_ in self._matters.items() if open_]


def _closes(told: entries.Acted) -> bool:
    """Whether an act closes the matter that it is of; an application that was upheld waits for a second person."""
    return told.what in _CLOSES or (told.what == "restoration-decided" and told.outcome == "refused")


def read_said(store: Store, subject: tuple[str, str], keys: Sequence[int]) -> Said:
    """Read through the entries that can record it; raises `VerificationFailed` where one does not open."""
    said = Said(subject)
    with store.engine.connect() as connection:
        places = connection.execute(select(entry.c.id).where(names_any(keys)).order_by(entry.c.id)).scalars().all()
        ended = connection.execute(_ENDED).scalars().all()
    with contextlib.closing(store.reader()) as reader:
        commanded = {head.id: head.size for head in read.heads(reader) if head.name in COMMANDS}
        for id_ in places:
            if id_ >> SHARD_BITS not in commanded:
                _note(said, reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1, keys)
        for id_ in (*_commanded_before(reader), *ended):
            _note(said, reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1, keys)
        for shard, size in commanded.items():
            _note(said, reader, shard, 0, size, keys)
    return said


def _note(said: Said, reader: Reader, shard: int, first: int, count: int, keys: Sequence[int]) -> None:
    read_count = 0
    for found in read.read_entries(reader, shard, first, count):
        read_count += 1
        if found.told is None:
            continue  # its day's key was destroyed
        try:
            told = found.read_told()
        except ValueError as error:
            raise VerificationFailed(f"entry {found.index}: {error}") from error
        if isinstance(told, entries.Unknown) and set(keys) & set(found.keys):
            raise VerificationFailed(
                f"entry {found.index} is about the subject, and of a kind that this version does not know"
                f" (`{told.name}`): it may open something. Erase with the version that wrote it"
            )
        said.note(told)
    if read_count != count:
        raise VerificationFailed(f"entry {first + read_count} of a shard that commands append to is missing")


def _commanded_before(reader: Reader) -> Iterator[int]:
    """What commands entered before they had a shard. It is for reviews alone, and one that lacks keeps the subject."""
    after = (0, 0)
    while places := read.own_entries(reader, CLIENT.issuer, CLIENT.client, after, _PAGE):
        after = places[-1]
        yield from (id_ for _, id_ in places)
