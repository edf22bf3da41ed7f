"""Who must have been recalled, by a specification of its own: what each recipient has, and what changed since.

`Model` knows neither rows nor entries. It is told of each answer as its recipient saw it, and of each change in the
order in which they stood. `check` holds to it the recalls that were made, once all of it was selected.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from gateway.catalogue.model import Period
from gateway.storage.recall.recalls import Recall
from tests.recall.room import records_of

DELETING = ("withdrawn", "restored", "revoked", "opted-out")


class Change(NamedTuple):
    """What was done to a record, or to all of a dataset; `version` is the one that came in force."""

    kind: str
    dataset: str
    record: str | None = None
    version: int = 0
    consent: str | None = None


class Got(NamedTuple):
    """A record that came with an answer. `known`: how many changes stood when its facts were read."""

    inquiry: str
    client: str
    dataset: str
    record: str
    version: int
    known: int
    consent: str | None
    until: datetime.date | None
    since: datetime.date | None
    disputed: bool

    @property
    def key(self) -> tuple[str, str, str]:
        return self.inquiry, self.dataset, self.record


class Model:
    """What happened."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.changes: list[Change] = []
        self.over: dict[tuple[str, str, str], set[str]] = {}
        """What was asked of those who have nothing any more, since their day of deletion is behind them."""
        self.longest: dict[str, Period | None] = {}
        """Of the datasets whose period was changed, the one by now."""
        self.ended: set[tuple[str, str, str]] = set()
        """What ended by such a period, when all that was to be told was told."""
        self.ending: set[tuple[str, str, str]] = set()
        """What ended by one when some of it may have been told."""

    def wanted(self, each: Got, today: datetime.date) -> set[str]:
        """What changes ask of whoever has it."""
        if each.key in self.over:
            return self.over[each.key]
        told = each.until is not None and each.until < today
        found = {"delete"} if told or each.key in self.ended else set[str]()
        for number, change in enumerate(self.changes):
            if change.dataset != each.dataset or change.record not in (None, each.record):
                continue
            late = each.known <= number
            if change.kind == "revoked":
                found |= {"delete"} if each.consent == change.consent else set()
            elif change.kind in DELETING:
                found |= {"delete"} if late else set()
            elif change.kind == "corrected":
                stale = late or self._superseded(each, number)
                found |= {"update"} if stale and each.version < change.version else set()
            elif late:
                found.add("mark-disputed" if change.kind == "disputed" else "clear-disputed")
        return found

    def _superseded(self, each: Got, number: int) -> bool:
        """Whether somebody had this version when it was corrected: then it is old wherever it is given again."""
        return any(
            (one.dataset, one.record, one.version) == (each.dataset, each.record, each.version) and one.known <= number
            for one in self.got
        )

    def looked(self, today: datetime.date, *, all_told: bool) -> None:
        """Somebody looks at what ended by the periods of now."""
        over = set()
        for each in self.got:
            longest = self.longest.get(each.dataset)
            if longest is not None and each.since is not None and longest.after(each.since) < today:
                over.add(each.key)
        self.ending |= over
        self.ended |= over if all_told else set()

    def forget(self, today: datetime.date) -> None:
        """The day by which all was to be deleted is over: nothing more is asked of anybody."""
        self.over |= {each.key: self.wanted(each, today) for each in self.got}

    def check(self, rows: Iterable[Recall], today: datetime.date) -> None:
        """Every recipient of an affected version was recalled, nobody else, and once in effect."""
        made: dict[tuple[str, str, str], list[Recall]] = {}
        known = {each.key: each for each in self.got}
        numbers: dict[str, list[int]] = {}
        for row in rows:
            numbers.setdefault(row.client, []).append(row.sequence)
            for item in records_of(row):
                key = (row.inquiry, row.dataset, str(item["record"]))
                assert key in known, f"{key} is recalled, and nobody received it"
                assert (row.client, item["version"]) == (known[key].client, str(known[key].version)), f"not {row}"
                made.setdefault(key, []).append(row)
        for of in numbers.values():
            assert sorted(of) == list(range(1, len(of) + 1))
        for each in self.got:
            self._check(each, sorted(made.get(each.key, ()), key=lambda row: row.sequence), today)

    def _check(self, each: Got, made: list[Recall], today: datetime.date) -> None:
        wanted, asked = self.wanted(each, today), [row.action for row in made]
        may = wanted | {"delete"} if each.key in self.ending else wanted
        assert set(asked) <= may, f"{each} is asked for {asked}, and only {may} is asked for"
        for action in ("delete", "update"):
            refused = sum(row.outcome == "refused" for row in made if row.action == action)
            assert asked.count(action) <= 1 + refused, f"{each} is asked twice: {asked}"
        if "delete" in wanted or "delete" in asked:
            assert "delete" in asked, f"{each} is to be deleted, and is asked for {asked}"
        elif "update" in wanted:
            assert "update" in asked, f"{each} is to be updated, and is asked for {asked}"
        elif wanted and not any(row.outcome == "refused" for row in made):
            told = [each.disputed, *(action == "mark-disputed" for action in asked)]
            about = [one for one in self.changes if (one.dataset, one.record) == (each.dataset, each.record)]
            now = [one.kind for one in about if one.kind in ("disputed", "cleared")]
            assert told[-1] == (now[-1] == "disputed"), f"{each} is told {asked} of {now}"
