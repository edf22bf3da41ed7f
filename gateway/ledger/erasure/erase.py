"""Erasing a subject from the ledger: what is held about it becomes unreadable for good, and every proof stays valid.

One person requests it, by which whoever received its records is told to delete them (Art. 47(2)); another approves it,
and the approval carries it out: the subject's keys are destroyed in the transaction of the `Erasure` entry that lists
them. Nothing else is deleted: the general parts of entries stay, and so do facts about the subject that are in force,
such as an opt-out, which keep their effect.

Invariants: nobody approves what they requested; while something is open that needs what is said of the subject
(`blockers`), or somebody received something of it since who was not told to delete it (`answered`), nothing is
destroyed: what opens while it is made is a `Conflict` of its transaction, and it is made again of what stands then.
A key is destroyed if and only if an entry lists it, so whoever verifies finds each part readable or its erasure.

What entries of version 1 say of a subject has no key of its own, and stays.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Made, Seen, recalled
from gateway.ledger.entry import entries
from gateway.ledger.erasure import answered
from gateway.ledger.erasure.blockers import Blocker, found_open
from gateway.ledger.erasure.hold import Entered
from gateway.ledger.export.select import Progress, fits
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, check_line, check_said
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage import destruction
from gateway.storage.port import Store
from gateway.storage.subjects import erasure as kept
from gateway.storage.subjects.erasure import Request
from gateway.storage.tables import micros

_TELL = 1024
_GIVEN_SINCE = (
    "what is about the subject was given to somebody since the request; the recipient is now notified to delete it"
)


class Done(NamedTuple):
    """An erasure that was carried out."""

    request: Request
    keys: list[int]
    backups_until: datetime.date
    receipt: Receipt


async def request(
    ledger: Ledger, subject: tuple[str, str], by: str, reason: str, account: str, old: int = 0
) -> Entered:
    """Ask that a subject be erased; gives the number of the erasure.

    `old` is how many entries of version 1 name it. Raises `ActRefused`, `LedgerUnavailable`.
    """
    check_said(by, reason, subject[1])

    def make(seen: Seen) -> Made:
        if not destruction.keys_of(ledger.store.engine, *subject):
            if old:
                why = f"only entries of version 1 name this subject ({old}), and those cannot be erased alone"
                raise ActRefused(why)
            raise ActRefused("the ledger has nothing about this subject; identifiers are written as in the ledger")
        if (other := kept.waiting_request(seen.connection, *subject)) is not None:
            raise ActRefused(
                f"erasure `{other.id}` of this subject was requested by {other.by} already; approve or withdraw it"
            )
        id_ = secrets.token_hex(4)
        told = _request_entry(seen, "requested", id_, by, reason, subject)
        row = Request(id_, *subject, micros(seen.now), by, account, reason, "requested", None, None)
        return said(told, account, [kept.requesting(row), recalled(seen, "erased", subject)], id_, id_)

    return Entered(*await done(ledger, make))


async def withdraw(ledger: Ledger, id_: str, by: str, reason: str, account: str) -> Entered:
    """Take a request back. Raises `ActRefused` where none of that number is open, `LedgerUnavailable`."""

    def make(seen: Seen) -> Made:
        _, subject = _open(seen, id_)
        check_said(by, reason, subject[1])
        told = _request_entry(seen, "withdrawn", id_, by, reason, subject)
        return said(told, account, [kept.closing(id_, "withdrawn", by, micros(seen.now))], id_, id_)

    return Entered(*await done(ledger, make))


async def approve(
    ledger: Ledger, id_: str, by: str, account: str, blockers: Sequence[Blocker], backups: datetime.timedelta
) -> Done:
    """Carry a request out; `backups` is how long backups are kept.

    Raises `ActRefused` that says why not, with all that is open; `LedgerUnavailable`.
    """
    if not by.strip():
        raise ActRefused("give who approves")
    check_line(by, "the name")
    store = ledger.store

    def make(seen: Seen) -> Made:
        found, subject = _open(seen, id_)
        if same_person(by, found.by):
            raise ActRefused(f"{found.by} requested erasure `{id_}`; another person has to approve it")
        named = destruction.keys_of(store.engine, *subject)
        look = answered.look(store, ledger.shard, subject, named)
        if look.job is not None:
            answered.again(store, look)
        stopping = found_open(store, blockers, subject, named)
        if look.job is not None:
            stopping.insert(0, _GIVEN_SINCE)
        if stopping:
            raise ActRefused(f"erasure `{id_}` is refused: {'; '.join(stopping)}")
        told = erasure_entry(seen, found, named, by, found.reason, (seen.now + backups).date())
        queries = [*(each.open(subject, named) for each in blockers), *look.after]
        decided = destruction.deciding(found, named, queries, by, micros(seen.now))
        changes = destruction.destroying(store.engine, ledger.shard, named, decided)
        return said(told, account, changes, id_, (found, named, told.backups_until))

    (found, named, backups_until), receipt = await done(ledger, make)
    return Done(found, named, backups_until, receipt)


def same_person(one: str, other: str) -> bool:
    """Whether two names are written alike, but for case, width and white space."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def of_version_1(store: Store, subject: tuple[str, str], progress: Progress | None = None) -> int:
    """How many entries of version 1 name a subject. A shard's are its first; reads through them."""
    looked, count = entries.Looked(*subject), 0
    with contextlib.closing(store.reader()) as reader:
        for head in read.heads(reader):
            for entry in read.read_entries(reader, head.id, 0, head.size):
                if entry.told is None:
                    continue
                if entry.told.subjects is not None:
                    break
                if progress and entry.index % _TELL == 0:
                    progress(head.name, entry.index, head.size)
                count += fits(entry.read_told(), looked)
    return count


def _open(seen: Seen, id_: str) -> tuple[Request, tuple[str, str]]:
    found = kept.one_request(seen.connection, id_)
    if found is None:
        raise ActRefused(f"there is no erasure `{id_}`; see `dutybound ledger erase list`")
    if found.subject is None:
        what = "carried out" if found.state == "done" else "withdrawn"
        raise ActRefused(f"erasure `{id_}` was {what} by {found.decided_by} already")
    return found, found.subject


def _request_entry(
    seen: Seen, event: Literal["requested", "withdrawn"], id_: str, by: str, reason: str, subject: tuple[str, str]
) -> entries.ErasureRequest:
    return entries.ErasureRequest(entries.VERSION, seen.id, seen.now, CLIENT, event, id_, by, reason, *subject)


def erasure_entry(
    seen: Seen, of: Request, named: Sequence[int], by: str, reason: str, backups_until: datetime.date
) -> entries.Erasure:
    """The entry that lists the keys it destroys."""
    keys = tuple(f"{key:016x}" for key in named)
    return entries.Erasure(entries.VERSION, seen.id, seen.now, CLIENT, of.id, of.by, by, reason, keys, backups_until)
