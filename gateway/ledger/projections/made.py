"""The rows that entries give, but for `displayed` (`displays`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gateway.ledger.projections import extract
from gateway.ledger.projections.seen import Seen
from gateway.storage.projections.counted import Digests, Row
from gateway.storage.projections.projecting import Changed, Rows
from gateway.storage.projections.tables import NAMES, WITHOUT_KEY
from gateway.storage.tables import SHARD_BITS

Changes = Mapping[tuple[str, str], Sequence[Changed]]
"""What changed about subjects, by scheme and value."""


def rows_of(
    taken: Sequence[Seen],
    requester: Callable[[tuple[str, str]], int],
    shard: str,
    digests: Digests,
    names: Collection[str] = NAMES,
) -> Rows:
    """What entries of a shard give these projections, by themselves: all but `displayed`, and `raced`, which depends on
    the facts at the time. `requester` gives the id of an issuer and a client."""
    made: dict[str, Any] = {}
    back = [
        (seen, answer)
        for seen in taken
        if seen.taken_back is not None and (answer := _not_released(seen, shard)) is not None
    ]
    if "looked" in names:
        made["looked"] = [
            (subject, seen.at, seen.id, seen.visible, seen.named) for seen in taken for subject in seen.looked
        ]
    if "received" in names:
        made["received"] = [
            (seen.keys[each.place], seen.at, seen.id, requester(seen.by), seen.facts, each.shares)
            for seen in taken
            if seen.keys and seen.by is not None
            for each in seen.given
        ]
        made["unreleased"] = [(seen.keys[0], answer) for seen, answer in back if seen.keys]
    if "asked" in names:
        made["asked"] = [
            (requester(seen.by), seen.purpose, seen.at, seen.id)
            for seen in taken
            if seen.by is not None and seen.purpose is not None
        ]
    if "acted" in names:
        made["acted"] = [
            (requester(seen.by), seen.official, seen.at, seen.id)
            for seen in taken
            if seen.by is not None and seen.official is not None
        ]
        made["not_released"] = [(answer, seen.id) for seen, answer in back]
    if "counted" in names:
        made["counted"], made["counted_under"] = _counted(taken, digests)
    return Rows(**made)


def raced_of(taken: Sequence[Seen], changes: Changes) -> list[tuple[int, int, int, str]]:
    """The rows of `raced` that entries give, by the facts about their subjects that changed after theirs."""
    raced: set[tuple[int, int, int, str]] = set()
    for seen in taken:
        for each in seen.given:
            late = changes.get((each.scheme, each.value))
            if late and seen.facts is not None:
                subject = seen.keys[each.place] if seen.keys else WITHOUT_KEY
                for share in extract.decode(each.shares):
                    found = extract.raced(share, seen.facts, late)
                    raced |= {(change, seen.id, subject, share.dataset) for change in found}
    return sorted(raced)


def _not_released(seen: Seen, shard: str) -> int | None:
    """The id of the entry whose answer did not leave, where this one says so."""
    index = None if seen.taken_back is None else extract.not_released(seen.taken_back, shard)
    return None if index is None else (seen.id >> SHARD_BITS << SHARD_BITS) + index


def _counted(taken: Sequence[Seen], digests: Digests) -> tuple[list[Row], list[int]]:
    """The rows of `counted`, and of each the key of its subject."""
    rows: list[Row] = []
    under: list[int] = []
    of_subject = functools.cache(digests.subject)
    for seen in taken:
        count, by, keys = seen.counts, seen.by, seen.keys
        if count is None or by is None:
            continue
        requester, inquiry = digests.requester(count.purpose, *by), digests.inquiry(count.id)
        official, case = digests.official(count.purpose, *by, count.official), digests.about_case(count.case)
        retry = digests.retry(count.official, count.reference, count.request)
        for place, scheme, value in count.subjects:
            subject = of_subject(scheme, value)
            rows.append(Row(subject, requester, count.at, seen.id, inquiry, official, case, retry))
            under.append(keys[place] if keys else WITHOUT_KEY)
    return rows, under
