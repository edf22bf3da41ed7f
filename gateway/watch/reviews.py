"""A review: a person looks at the inquiries behind a finding and says what they were (Arts. 27, 28).

Invariants: that entries are opened is entered in the ledger before any is (invariant 17); a verdict and its entry are
one transaction, so that there is neither without the other; a finding has one verdict, and every verdict its reason.
A verdict is about inquiries. It has no effect of its own here, on the official or on any subject.
"""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import AsyncIterator, Iterator

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.entry import entries
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage import watch as kept
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros
from gateway.watch.model import place

VERDICTS = ("proper", "improper", "unclear")
"""What a person can find: a duty behind every inquiry, none behind some, or that it can no longer be told."""

MOST_REASON = 4_000


async def look(
    store: Store, private: Ed25519PrivateKey, origin: str, finding: str, by: str, reason: str
) -> tuple[Receipt, list[str]]:
    """Open the entries behind a finding, a line of JSON each; gives the receipt of the view, entered before.

    Raises `LookupError` for an unknown finding, `ValueError` where nobody or no reason is named.
    """
    _check(by, reason)
    _, behind = kept.one_finding(store.engine, finding)
    async with _ledger(store, private, origin) as (ledger, now):
        view = entries.View(
            v=entries.VERSION,
            id=str(uuid.uuid4()),
            at=now,
            requester=CLIENT,
            by=by,
            reason=reason,
            looked=entries.Looked(finding=finding),
            parts=("told", "oversight"),
            format="json",
        )
        nothing = entries.encode(entries.NOTHING)
        receipt = await ledger.append(entries.encode(view), nothing, now, (CLIENT.issuer, CLIENT.client))
    with contextlib.closing(store.reader()) as reader:
        return receipt, [line for entry in behind for line in _opened(reader, entry)]


async def decide(
    store: Store, private: Ed25519PrivateKey, origin: str, finding: str, by: str, verdict: str, reason: str
) -> Receipt:
    """End a finding's review; gives the receipt of the verdict's entry.

    Raises `LookupError` for an unknown finding, `ValueError` where it has a verdict already or something is missing.
    """
    _check(by, reason)
    if verdict not in VERDICTS:
        raise ValueError(f"`{verdict}` is no verdict; one of {', '.join(VERDICTS)}")
    found, behind = kept.one_finding(store.engine, finding)
    if found.verdict is not None:
        raise ValueError(f"`{finding}` was found {found.verdict} by {found.by} already; a verdict is not changed")
    if found.official is not None and by.strip().casefold() == found.official.casefold():
        raise ValueError(f"`{by}` made these inquiries; somebody else has to review them")
    async with _ledger(store, private, origin) as (ledger, now):
        told = entries.Reviewed(
            v=entries.VERSION,
            id=str(uuid.uuid4()),
            at=now,
            requester=CLIENT,
            by=by,
            finding=finding,
            detector=found.detector,
            verdict=verdict,
            reason=reason,
            entries=tuple(map(place, behind)),
        )
        oversight = entries.encode(entries.Oversight(entries.VERSION, found.official))
        change = kept.deciding(finding, by, verdict, reason, micros(now))
        return await ledger.append(
            entries.encode(told), oversight, now, (CLIENT.issuer, CLIENT.client), changes=(change,)
        )


def _check(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise ValueError("say who, and give a reason")
    if len(reason) > MOST_REASON:
        raise ValueError(f"the reason is over {MOST_REASON} characters; say it shorter, and where the rest is filed")


@contextlib.asynccontextmanager
async def _ledger(
    store: Store, private: Ed25519PrivateKey, origin: str
) -> AsyncIterator[tuple[Ledger, datetime.datetime]]:
    """A ledger in a shard that no running process holds, and the time there."""
    ledger = Ledger(store, private, origin)
    await ledger.start()
    try:
        yield ledger, max(datetime.datetime.now(datetime.UTC), ledger.floor)
    finally:
        await ledger.close()


def _opened(reader: Reader, id_: int) -> Iterator[str]:
    for entry in read.read_entries(reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1):
        said = {
            "entry": place(id_),
            "told": None if entry.told is None else entry.read_told(),
            "oversight": None if entry.oversight is None else entry.read_oversight(),
        }
        yield msgspec.json.encode(said).decode()
