"""A review: a person looks at the inquiries behind a finding and enters what they were (Arts. 27, 28).

Invariants: a verdict and its entry are one act, so that there is neither without the other, and of the entries that are
behind the finding then; a finding has one verdict, and every verdict its reason. Who may, and what is shown before, is
oversight's (`gateway.acts.oversight`).
A verdict is about inquiries. It has no effect of its own here, on the official or on any subject.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from gateway.ledger.acting.planned import Made, Seen
from gateway.ledger.entry import entries
from gateway.ledger.stored import read
from gateway.storage.port import Reader, Store
from gateway.storage.tables import SHARD_BITS, micros
from gateway.storage.watch import findings as kept
from gateway.storage.watch.findings import Kept
from gateway.watch.model import place as name_of

_VERIFY, _FOLLOW = "dutybound ledger verify", "dutybound watch follow --once"


def made(store: Store, seen: Seen, finding: str, by: str, verdict: str, reason: str, client: entries.Who) -> Made:
    """The act that ends a review, by a person who uses `client`.

    Raises `LookupError` for an unknown finding, `ValueError` where it has a verdict already, or its row is not what its
    entries say: who made the inquiries is read from these.
    """
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
    """A finding that this person may decide, and the entries behind it; raises as `made`."""
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
