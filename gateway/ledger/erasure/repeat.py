"""An erasure carried out again, in a store that has the keys back from a backup.

Two people decided it, and their entry lists the keys; so that entry, or its receipt where the store lost it, is enough,
and nothing that is open forbids it. What was entered under these keys since the restore goes with them.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator

from sqlalchemy import Engine

from gateway.errors import VerificationFailed
from gateway.ledger.acting.commanded import done, said
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.registry import EVERY, ROOT, read_document
from gateway.ledger.erasure.erase import Done, erasure_entry
from gateway.ledger.log import registrar
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, ActRefused, Workplace, check_line
from gateway.ledger.proof import key_files
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored import read
from gateway.storage import destruction
from gateway.storage.port import Reader, Store
from gateway.storage.subjects import erasure as kept
from gateway.storage.subjects.erasure import Request
from gateway.storage.tables import SHARD_BITS, micros

_PAGE = 256


async def again(ledger: Ledger, erased: entries.Erasure, by: str, account: str, backups: datetime.timedelta) -> Done:
    """Destroy the keys of an erasure again, in a store that has them back from a backup.

    Two people decided it, so it is not decided again. Raises `ActRefused` where none of the keys is there.
    """
    if not by.strip():
        raise ActRefused("give who does it")
    check_line(by, "the name")
    engine, named = ledger.store.engine, [int(key, 16) for key in erased.keys]

    def make(seen: Seen) -> Made:
        there = destruction.still_there(engine, named)
        if not there:
            raise ActRefused(f"nothing to do: no key that erasure `{erased.erasure}` destroyed is in this store")
        known = kept.one_request(seen.connection, erased.erasure)
        when, whose = (known.at, known.account) if known else (micros(erased.at), "")
        who, why, at = erased.requested_by, erased.reason, micros(seen.now)
        row = Request(erased.erasure, None, None, when, who, whose, why, "done", at, erased.by)
        why = f"again, by {by}: {erased.reason}"
        told = erasure_entry(seen, row, there, erased.by, why, (seen.now + backups).date())
        noted = destruction.noting(row, known)
        changes = destruction.destroying(engine, ledger.shard, there, noted)
        return said(told, account, changes, row.id, (row, there, told.backups_until))

    (row, there, backups_until), receipt = await done(ledger, make)
    return Done(row, there, backups_until, receipt)


def needed(engine: Engine, erased: entries.Erasure) -> bool:
    """Whether a store has keys that an erasure destroyed."""
    return bool(destruction.still_there(engine, [int(key, 16) for key in erased.keys]))


def stored(store: Store, id_: str) -> entries.Erasure:
    """The last entry of an erasure that the ledger holds; raises `ActRefused` where there is none."""
    found = None
    with contextlib.closing(store.reader()) as reader:
        for told in _commanded(reader):
            if isinstance(told, entries.Erasure) and told.erasure == id_:
                found = told
    if found is None:
        raise ActRefused(
            f"the ledger holds no entry of an erasure `{id_}`; where the store lost it, name its receipt: `--receipt`"
        )
    return found


def _commanded(reader: Reader) -> Iterator[entries.Told]:
    """What was entered by commands, oldest first: they are a requester of their own."""
    after = (0, 0)
    while places := read.own_entries(reader, CLIENT.issuer, CLIENT.client, after, _PAGE):
        for after in places:
            shard, index = after[1] >> SHARD_BITS, after[1] & (1 << SHARD_BITS) - 1
            for entry in read.read_entries(reader, shard, index, 1):
                if entry.told is not None:
                    yield entry.read_told()


def proved(place: Workplace, receipt: str) -> entries.Erasure:
    """The contents of an erasure's receipt, if this ledger gave it; raises `VerificationFailed`."""
    origin = place.settings.ledger.origin
    trusted: list[Verifier] = key_files.verifiers(place.private, origin, [ROOT, *EVERY])
    with contextlib.closing(place.store.reader()) as reader:
        content = registrar.stored_document(reader)
    registry = None if content is None else read_document(content, trusted)
    told = verify_receipt(receipt, trusted, registry).told
    if not isinstance(told, entries.Erasure):
        raise VerificationFailed("this receipt is genuine, but not that of an erasure")
    return told
