"""Calls and entries, each to the other, in one pass over both in order of time.

A call counts as entered where an entry of its inquiry's id, or where the log has none of its subject, was made at that
time and names the subject, and the dataset where the path says it. An entry accounts for so many calls as a department
may be asked for it: pages and retries. Of the entries that would do, the one whose time is over first takes a call: so
no call is left without where there is a way to give each its own. Whether an entry had a call at all is found apart
from that, in the same way: the first that had none yet.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gateway.connecting.reconciling.entered import Expected
from gateway.connecting.reconciling.lines import Call
from gateway.nouns import counted

_Key = tuple[tuple[str, str], str]


class Window(NamedTuple):
    """From how long before an entry's time to how long after it a call of it may be in the log."""

    before: datetime.timedelta
    after: datetime.timedelta


class Found(NamedTuple):
    """A call without an entry, an entry without a call, or a call for which it can no longer be determined.

    `where` is the number of the line, or the entry's place; `why` is for whoever looks into it, without a value.
    """

    kind: Literal["call", "entry", "erased"]
    where: str
    at: datetime.datetime
    why: str


class Counted:
    """How many calls and entries were looked at."""

    def __init__(self) -> None:
        self.calls = self.nobody = self.entered = self.entries = 0


class Matching:
    """`digest` is what the log has in place of an identifier's value.

    `most` are the calls that an entry accounts for, of a subject and a dataset, by dataset; `same` how many of these
    may have the same path, once it shows that the log has what follows a `?`: pages differ by that. Where the log has
    inquiries' ids (`ids`), a call about somebody has to have one.
    """

    def __init__(
        self,
        window: Window,
        most: Mapping[str, int],
        same: int,
        digest: Callable[[str], str],
        counted: Counted,
        *,
        ids: bool,
    ) -> None:
        self._ids, self._same, self._queried = ids, same, False
        self._window, self._most, self._digest, self.counted = window, most, digest, counted
        self._open: deque[Expected] = deque()
        self._by_id: dict[str, Expected] = {}
        self._by_value: dict[str, list[tuple[Expected, _Key]]] = {}
        self._erased = 0

    def run(
        self, calls: Iterable[Call], entries: Iterable[Expected], since: datetime.datetime, until: datetime.datetime
    ) -> Iterator[Found]:
        """What is on one side only. The log has all of the time from `since` to before `until`."""
        coming = iter(entries)
        following = next(coming, None)
        for call in calls:
            while following is not None and following.at - self._window.before <= call.at:
                self._add(following)
                following = next(coming, None)
            yield from self._ended(call.at, since, until)
            if (found := self._call(call)) is not None:
                yield found
        while following is not None:
            self._add(following)
            following = next(coming, None)
        yield from self._ended(None, since, until)

    def _add(self, entry: Expected) -> None:
        self.counted.entries += 1
        self._open.append(entry)
        self._by_id[entry.id] = entry
        self._erased += entry.erased
        for key in entry.asked:
            self._by_value.setdefault(self._digest(key[0][1]), []).append((entry, key))

    def _ended(
        self, now: datetime.datetime | None, since: datetime.datetime, until: datetime.datetime
    ) -> Iterator[Found]:
        """Drop entries whose time is over, and give those without a call."""
        while self._open and (now is None or self._open[0].at + self._window.after < now):
            entry = self._open.popleft()
            self._erased -= entry.erased
            if self._by_id.get(entry.id) is entry:
                del self._by_id[entry.id]
            for value in {self._digest(key[0][1]) for key in entry.asked}:
                left = [each for each in self._by_value[value] if each[0] is not entry]
                if left:
                    self._by_value[value] = left
                else:
                    self._by_value.pop(value)
            covered = since <= entry.at - self._window.before and entry.at + self._window.after < until
            lacking = [key for key, must in entry.asked.items() if must and key not in entry.met]
            if covered and lacking:
                names = ", ".join(sorted({f"`{dataset}`" for _, dataset in lacking}))
                of = len({subject for subject, _ in lacking})
                why = f"no call for {names} of {counted(of, 'subject')}"
                yield Found("entry", entry.place, entry.at, why)

    def _call(self, call: Call) -> Found | None:
        self.counted.calls += 1
        self._queried = self._queried or call.queried
        if not call.subjects and not call.inquiries:
            self.counted.nobody += 1
            return None
        erased = self._erased > 0
        if call.inquiries:
            found = [self._by_id[id_] for id_ in call.inquiries if id_ in self._by_id]
            erased = any(entry.erased for entry in found)
            whys = [self._of_inquiry(call, entry) for entry in found] or ["no entry has its inquiry's id at that time"]
            why = None if None in whys else whys[0]  # a line may have other ids beside, such as a trace's
        else:
            why = "it has no inquiry's id" if self._ids else self._of_subjects(call)
        if why is None:
            self.counted.entered += 1
            return None
        if erased:
            return Found("erased", str(call.line), call.at, "an entry of that time named somebody who was erased since")
        return Found("call", str(call.line), call.at, why)

    def _of_inquiry(self, call: Call, entry: Expected) -> str | None:
        for subject in call.subjects or ((None, None),):
            keys = [key for key in entry.asked if self._is(key, subject, call.dataset)]
            if not keys:
                return "the entry with its inquiry's id is about another subject or dataset"
            if not self._roomy(entry, keys, call.place):
                return "its inquiry's entry had as many calls as it accounts for"
            self._take(entry, keys, call.place)
            entry.met.update(keys)
        return None

    def _of_subjects(self, call: Call) -> str | None:
        fitting: dict[int, tuple[Expected, list[list[_Key]]]] = {}
        for number, subject in enumerate(call.subjects):
            own: dict[int, tuple[Expected, list[_Key]]] = {}
            for entry, key in self._by_value.get(subject[1], ()):
                if self._is(key, subject, call.dataset):
                    own.setdefault(id(entry), (entry, []))[1].append(key)
            if not own:
                return "no entry of that time is about its subject" + (" and dataset" if call.dataset else "")
            # One call is of one entry, which is about all that it names.
            before = fitting if number else {at: (entry, []) for at, (entry, _) in own.items()}
            fitting = {at: (entry, [*before[at][1], keys]) for at, (entry, keys) in own.items() if at in before}
        if not fitting:
            return "no entry of that time is about all of its subjects"
        for entry, of_each in fitting.values():
            if all(self._roomy(entry, keys, call.place) for keys in of_each):
                break
        else:
            return "the entries of that time about its subject had as many calls as they account for"
        for keys in of_each:
            self._take(entry, keys, call.place)
        for entry, of_each in fitting.values():
            keys_of_all = [key for keys in of_each for key in keys]
            if not entry.met.issuperset(keys_of_all):
                entry.met.update(keys_of_all)
                break
        return None

    def _roomy(self, entry: Expected, keys: list[_Key], place: int) -> list[_Key]:
        """Of which of them the entry accounts for one more call of that path."""
        return [
            key
            for key in keys
            if entry.calls.get((key, 0), 0) < self._most[key[1]]
            and (not place or not self._queried or entry.calls.get((key, place), 0) < self._same)
        ]

    def _take(self, entry: Expected, keys: list[_Key], place: int) -> None:
        key = self._roomy(entry, keys, place)[0]
        for at in {(key, 0), (key, place)}:
            entry.calls[at] = entry.calls.get(at, 0) + 1

    def _is(self, key: _Key, subject: tuple[str | None, str | None], dataset: str) -> bool:
        (scheme, value), name = key
        named = subject[1] is None or (self._digest(value) == subject[1] and subject[0] in ("", scheme))
        return named and dataset in ("", name)
