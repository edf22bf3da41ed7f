"""Erasing a subject from the ledger: what is said of it becomes unreadable for good, and every proof stays valid.

One person requests it, another approves it, and the approval carries it out: the subject's keys are destroyed in the
transaction of the `Erasure` entry that lists them. Nothing else is deleted: the general parts of entries stay, and so
do facts about the subject that are in force, such as an opt-out, which go on restraining.

Invariants: nobody approves what they requested; while something is open that needs what is said of the subject
(`blockers`), nothing is destroyed, whatever was open or not a moment before; a key is destroyed if and only if an
entry lists it, so whoever verifies finds each part readable or its erasure.

What entries of version 1 say of a subject has no key of its own, and stays.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import unicodedata
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import LedgerUnavailable
from gateway.ledger.entry import entries
from gateway.ledger.erasure.blockers import Blocker, found_open
from gateway.ledger.erasure.hold import Entered
from gateway.ledger.export.select import Progress, fits
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, check_said, enter, now
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage import destruction
from gateway.storage import erasure as kept
from gateway.storage.erasure import Request
from gateway.storage.port import Store
from gateway.storage.tables import micros

_TRIES = 3
_TELL = 1024


class Done(NamedTuple):
    """An erasure that was carried out. `receipt` is None where only the store says so: the answer to it was lost."""

    request: Request
    keys: list[int]
    backups_until: datetime.date
    receipt: Receipt | None


async def request(
    ledger: Ledger, subject: tuple[str, str], by: str, reason: str, account: str, old: int = 0
) -> Entered:
    """Ask that a subject be erased; gives the number of the erasure.

    `old` is how many entries of version 1 name it. Raises `ActRefused`, `LedgerUnavailable`.
    """
    check_said(by, reason, subject[1])
    engine = ledger.store.engine
    if not destruction.keys_of(engine, *subject):
        if old:
            raise ActRefused(f"only entries of version 1 name this subject ({old}), and those cannot be erased alone")
        raise ActRefused("the ledger says nothing of this subject; identifiers are written as in the ledger")
    for each in kept.requests(engine):
        if each.subject == subject:
            raise ActRefused(
                f"erasure `{each.id}` of this subject was requested by {each.by} already; approve or withdraw it"
            )
    id_, at = secrets.token_hex(4), now(ledger)
    told = entries.ErasureRequest(entries.VERSION, _id(), at, CLIENT, "requested", id_, by, reason, *subject)
    row = Request(id_, *subject, micros(at), by, account, reason, "requested", None, None)
    return Entered(id_, await enter(ledger, told, account, [kept.requesting(row)]))


async def withdraw(ledger: Ledger, id_: str, by: str, reason: str, account: str) -> Entered:
    """Take a request back. Raises `ActRefused` where none of that number is open, `LedgerUnavailable`."""
    _, subject = _open(ledger.store, id_)
    check_said(by, reason, subject[1])
    at = now(ledger)
    told = entries.ErasureRequest(entries.VERSION, _id(), at, CLIENT, "withdrawn", id_, by, reason, *subject)
    return Entered(id_, await enter(ledger, told, account, [kept.withdrawing(id_, by, micros(at))]))


async def approve(
    ledger: Ledger, id_: str, by: str, account: str, blockers: Sequence[Blocker], backups: datetime.timedelta
) -> Done:
    """Carry a request out; `backups` is how long backups are kept.

    Raises `ActRefused` that says why not, with all that is open; `LedgerUnavailable`.
    """
    engine = ledger.store.engine
    found, subject = _open(ledger.store, id_)
    if not by.strip():
        raise ActRefused("say who approves")
    if same_person(by, found.by):
        raise ActRefused(f"{found.by} requested erasure `{id_}`; another person has to approve it")
    for tried in range(1, _TRIES + 1):
        named, at = destruction.keys_of(engine, *subject), now(ledger)
        if stopping := found_open(ledger.store, blockers, subject, named):
            raise ActRefused(f"erasure `{id_}` is refused: {'; '.join(stopping)}")
        told = erasure_entry(found, named, at, by, found.reason, (at + backups).date())
        queries = [each.open(subject, named) for each in blockers]
        decided = destruction.deciding(found, named, queries, by, micros(at))
        try:
            changes = destruction.destroying(engine, ledger.shard, named, decided)
            receipt = await enter(ledger, told, account, changes)
        except LedgerUnavailable:
            after = kept.one_request(engine, id_)
            if after and after.state == "done" and after.decided_at == micros(at):
                return Done(found, named, told.backups_until, None)
            opened = found_open(ledger.store, blockers, subject, named)
            if tried == _TRIES or not (opened or named != destruction.keys_of(engine, *subject)):
                raise
        else:
            return Done(found, named, told.backups_until, receipt)
    raise AssertionError("the last try gives or raises")


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


def _open(store: Store, id_: str) -> tuple[Request, tuple[str, str]]:
    found = kept.one_request(store.engine, id_)
    if found is None:
        raise ActRefused(f"there is no erasure `{id_}`; see `dutybound ledger erase list`")
    if found.subject is None:
        what = "carried out" if found.state == "done" else "withdrawn"
        raise ActRefused(f"erasure `{id_}` was {what} by {found.decided_by} already")
    return found, found.subject


def _id() -> str:
    return str(uuid.uuid4())


def erasure_entry(
    of: Request, named: Sequence[int], at: datetime.datetime, by: str, reason: str, backups_until: datetime.date
) -> entries.Erasure:
    """The entry that lists the keys it destroys."""
    keys = tuple(f"{key:016x}" for key in named)
    return entries.Erasure(entries.VERSION, _id(), at, CLIENT, of.id, of.by, by, reason, keys, backups_until)
