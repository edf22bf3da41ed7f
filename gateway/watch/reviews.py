"""A review: a person looks at the inquiries behind a finding and says what they were (Arts. 27, 28).

Invariants: that entries are opened is entered in the ledger before any is (invariant 17); a verdict and its entry are
one act, so that there is neither without the other, and of the entries that are behind the finding then; a finding has
one verdict, and every verdict its reason.
A verdict is about inquiries. It has no effect of its own here, on the official or on any subject.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence

import msgspec

from gateway.ledger.acting.commanded import done
from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.log.ledger import Ledger
from gateway.ledger.log.operator import CLIENT, Workplace
from gateway.ledger.proof.tlog_proof import Receipt
from gateway.ledger.stored import read
from gateway.storage import watch as kept
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch import Kept
from gateway.watch.model import place as name_of

VERDICTS = ("proper", "improper", "unclear")
"""What a person can find: a duty behind every inquiry, none behind some, or that it can no longer be told."""

MOST_REASON = 4_000
_VERIFY, _FOLLOW = "dutybound ledger verify", "dutybound watch follow --once"


def look(place: Workplace, finding: str, by: str, reason: str) -> tuple[Receipt, list[str]]:
    """Open the entries behind a finding, a line of JSON each; gives the receipt of the view, entered before.

    Raises `LookupError` for an unknown finding, `ValueError` where nobody or no reason is named.
    """
    _check(by, reason)
    _, behind = kept.one_finding(place.store.engine, finding)

    async def enter(ledger: Ledger) -> Receipt:
        view = entries.View(
            v=entries.VERSION,
            id=str(uuid.uuid4()),
            at=operator.now(ledger),
            requester=CLIENT,
            by=by,
            reason=reason,
            looked=entries.Looked(finding=finding),
            parts=("told", "oversight"),
            format="json",
        )
        return await operator.enter(ledger, view, operator.account(), ())

    receipt = place.run(enter)
    with contextlib.closing(place.store.reader()) as reader:
        return receipt, [line for entry in behind for line in _opened(reader, entry)]


def decide(place: Workplace, finding: str, by: str, verdict: str, reason: str) -> Receipt:
    """End a finding's review; gives the receipt of the verdict's entry.

    Raises `LookupError` for an unknown finding, `ValueError` where it has a verdict already, something is missing, or
    its row is not what its entries say: who made the inquiries is read from these.
    """
    _check(by, reason)
    if verdict not in VERDICTS:
        raise ValueError(f"`{verdict}` is no verdict; one of {', '.join(VERDICTS)}")
    _to_decide(place.store, finding, by)  # nothing is entered, not even a shard, for what cannot be

    def make(seen: Seen) -> Made:
        return made(place.store, seen, finding, by, verdict, reason, CLIENT)

    return place.run(lambda ledger: done(ledger, make)).receipt


def made(store: Store, seen: Seen, finding: str, by: str, verdict: str, reason: str, client: entries.Who) -> Made:
    """The act that ends a review, by a person who uses `client`; raises as `decide` does."""
    undecided = kept.undecided(seen.connection, finding)
    found, behind = _to_decide(store, finding, by)
    told = entries.Reviewed(
        v=entries.VERSION,
        id=seen.id,
        at=seen.now,
        requester=client,
        by=by,
        finding=finding,
        detector=found.detector,
        verdict=verdict,
        reason=reason,
        entries=tuple(map(name_of, behind)),
    )
    change = kept.deciding(finding, by, verdict, reason, micros(seen.now))
    return Made(told, entries.Oversight(entries.VERSION, found.official), [undecided, change], finding, None)


def _to_decide(store: Store, finding: str, by: str) -> tuple[Kept, list[int]]:
    """A finding that this person may decide, and the entries behind it; raises as `decide` does."""
    found, behind = kept.one_finding(store.engine, finding)
    if found.verdict is not None:
        raise ValueError(f"`{finding}` was found {found.verdict} by {found.by} already; a verdict is not changed")
    with contextlib.closing(store.reader()) as reader:
        officials = _officials(reader, found, behind)
    if by.strip().casefold() in {official.casefold() for official in officials if official is not None}:
        raise ValueError(f"`{by}` made these inquiries; somebody else has to review them")
    if found.official not in officials:
        raise ValueError(f"`{finding}` does not name who made its inquiries: it was altered; run `{_VERIFY}`")
    return found, behind


def _officials(reader: Reader, found: Kept, behind: Sequence[int]) -> set[str | None]:
    """Who made the inquiries behind a finding, by their entries; raises `ValueError` where that cannot be known."""
    officials: set[str | None] = set()
    own, erased = found.detector != kept.BREAK_GLASS, False
    for id_ in behind:
        for entry in read.read_entries(reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1):
            if entry.told is None or entry.oversight is None:
                erased = True
                continue
            officials.add(entry.read_oversight().official)
            own = own or f"{kept.BREAK_GLASS}-{entry.read_told().id}" == found.id
    if erased and not officials:
        return {found.official}  # nobody can tell any more
    if not officials or not own:
        raise ValueError(f"the entry behind `{found.id}` is not there: run `{_FOLLOW}`, which brings it back")
    return officials


def _check(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise ValueError("say who, and give a reason")
    if len(reason) > MOST_REASON:
        raise ValueError(f"the reason is over {MOST_REASON} characters; say it shorter, and where the rest is filed")


def _opened(reader: Reader, id_: int) -> Iterator[str]:
    for entry in read.read_entries(reader, id_ >> SHARD_BITS, id_ & (1 << SHARD_BITS) - 1, 1):
        said = {
            "entry": name_of(id_),
            "told": None if entry.told is None else entry.read_told(),
            "oversight": None if entry.oversight is None else entry.read_oversight(),
        }
        yield msgspec.json.encode(said).decode()
