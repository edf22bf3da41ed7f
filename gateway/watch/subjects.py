"""Detectors of who is asked about, without knowing who it is: one subject by many, under many purposes, or oneself,
after a refusal, or after the case. Pure.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.rules.files.thresholds import AfterClose, ChangingPurposes, ManyOfficials, Retried
from gateway.watch.finding import counted, finding
from gateway.watch.model import ANSWERED, DENIED, OUT_OF_REACH, UNVERIFIED, Actor, Finding, Look
from gateway.watch.recent import Recent

Closed = Callable[[Actor, str], datetime.datetime | None]
"""When a requester's case closed, where its registry tells; `None` where it does not, or the case is open."""


class _Asked(NamedTuple):
    actor: Actor
    purpose: str
    entry: int


class SameSubjectByManyOfficials:
    """One subject that many officials ask about."""

    id, article = "many-officials", "28(1)"

    def __init__(self, wanted: ManyOfficials) -> None:
        self._wanted = wanted
        self._recent: Recent[bytes, _Asked] = Recent(wanted.within)

    def see(self, look: Look) -> Finding | None:
        if look.actor.official is None:
            return None
        found = None
        for seen in look.subjects:
            slot = self._recent.add(seen.key, look.at, _Asked(look.actor, look.purpose, look.entry))
            officials = {asked.actor for asked in slot}
            if len(officials) < self._wanted.officials:
                slot.found = None
                continue
            requesters = {asked.actor.client for asked in slot}
            words = (
                f"{len(officials)} officials of {len(requesters)} requester{'s' if len(requesters) > 1 else ''} asked "
                f"{len(slot)} times about the same subject in {counted(slot.span)}, the last of them {look.actor}; "
                f"from {self._wanted.officials} officials on it is looked at"
            )
            found = finding(self, look, slot, [asked.entry for asked in slot], words)
        return found


class SameSubjectUnderChangingPurposes:
    """One subject that one official gets answers about for one purpose and another; refusals are not counted here."""

    id, article = "changing-purposes", "22(3)"

    def __init__(self, wanted: ChangingPurposes) -> None:
        self._wanted = wanted
        self._recent: Recent[tuple[Actor, bytes], _Asked] = Recent(wanted.within)

    def see(self, look: Look) -> Finding | None:
        if look.outcome != ANSWERED:
            return None
        found = None
        for seen in look.subjects:
            asked = _Asked(look.actor, look.purpose, look.entry)
            slot = self._recent.add((look.actor, seen.key), look.at, asked)
            purposes = [each.purpose for each in slot]
            changes = sum(one != other for one, other in itertools.pairwise(purposes))
            if changes < self._wanted.changes:
                slot.found = None
                continue
            words = (
                f"{look.actor} asked {len(slot)} times about the same subject in {counted(slot.span)} and changed the "
                f"purpose {changes} times ({', '.join(dict.fromkeys(purposes))}); from {self._wanted.changes} changes "
                "on it is looked at"
            )
            found = finding(self, look, slot, [each.entry for each in slot], words)
        return found


class SubjectIsTheOfficial:
    """An official who asks about themselves."""

    id, article = "own-identifier", "22(3)"

    def __init__(self, own: Mapping[tuple[str, str], frozenset[bytes]]) -> None:
        self._own = own
        self._recent: Recent[Actor, int] = Recent(datetime.timedelta(days=1))

    def see(self, look: Look) -> Finding | None:
        own = self._own.get((look.actor.client, look.actor.official or ""))
        if own is None or not any(seen.key in own for seen in look.subjects):
            return None
        slot = self._recent.add(look.actor, look.at, look.entry)
        times = f"{len(slot)} times within 24 hours" if len(slot) > 1 else "once"
        words = f"{look.actor} asked about the official's own identifier, {times}; every such inquiry is looked at"
        return finding(self, look, slot, list(slot), words)


class RetriedUnderAnotherPurpose:
    """Refused for one purpose, then asked for another: the purpose that works is being looked for."""

    id, article = "retried-under-another-purpose", "22(3)"

    _REFUSALS = frozenset({DENIED, UNVERIFIED, "FORBIDDEN", "QUOTA_EXCEEDED"})

    def __init__(self, wanted: Retried) -> None:
        self._wanted = wanted
        self._refused: Recent[tuple[Actor, bytes], _Asked] = Recent(wanted.soon)
        self._retried: Recent[Actor, tuple[int, int]] = Recent(wanted.within)

    def see(self, look: Look) -> Finding | None:
        found = None
        for seen in look.subjects:
            key = look.actor, seen.key
            before = self._refused.get(key, look.at)
            others = [asked for asked in before or () if asked.purpose != look.purpose]
            if look.outcome in self._REFUSALS:
                self._refused.add(key, look.at, _Asked(look.actor, look.purpose, look.entry))
            elif look.outcome == ANSWERED:
                self._refused.drop(key)
            if not others:
                continue
            slot = self._retried.add(look.actor, look.at, (others[-1].entry, look.entry))
            if len(slot) < self._wanted.retries:
                slot.found = None
                continue
            words = (
                f"{look.actor} was refused for one purpose and asked about the same subject for another within "
                f"{counted(self._wanted.soon)}, {len(slot)} times in {counted(slot.span)}; from "
                f"{self._wanted.retries} times on it is looked at"
            )
            entries = list(dict.fromkeys(entry for pair in slot for entry in pair))
            found = finding(self, look, slot, entries, words)
        return found


class AfterCaseClosed:
    """Inquiries for a case that is over: learned from its registry, or from refusals after it had been verified.

    A registry that could not be reached says nothing, and a case that verifies again was not closed.
    """

    id, article = "after-case-closed", "28(1)"

    def __init__(self, wanted: AfterClose, closed: Closed = lambda actor, case: None) -> None:
        self._wanted, self._closed = wanted, closed
        self._verified: Recent[tuple[Actor, str, bytes], int] = Recent(wanted.within)
        self._after: Recent[tuple[Actor, str], int] = Recent(wanted.within)

    def see(self, look: Look) -> Finding | None:
        if look.case is None or look.outcome == OUT_OF_REACH:
            return None
        closed = self._closed(look.actor, look.case)
        over = closed is not None and look.at > closed
        if look.outcome == UNVERIFIED:
            keys = [(look.actor, look.case, seen.key) for seen in look.subjects]
            over = over or any(self._verified.get(key, look.at) for key in keys)
        elif look.outcome == ANSWERED and not over:
            for seen in look.subjects:
                self._verified.add((look.actor, look.case, seen.key), look.at, look.entry)
            self._after.drop((look.actor, look.case))
        if not over:
            return None
        slot = self._after.add((look.actor, look.case), look.at, look.entry)
        if len(slot) < self._wanted.inquiries:
            slot.found = None
            return None
        words = (
            f"{look.actor} asked {len(slot)} times in {counted(slot.span)} for case `{look.case}`, which had been "
            f"verified and is closed or another's since; from {self._wanted.inquiries} times on it is looked at"
        )
        return finding(self, look, slot, list(slot), words)
