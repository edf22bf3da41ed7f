"""What stands beside a store's entries, checked against them: keys that are gone, projections, rows of people's acts.

What does not open any more has to be explained: each subject's key that is gone by the entry of its erasure, and each
entry says which keys it was sealed by. A key that such an entry destroyed and that is there all the same came back with
a backup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.projections import extract
from gateway.ledger.stored import read
from gateway.ledger.stored import statements as sql
from gateway.ledger.stored.read import Head, StoredEntry
from gateway.ledger.verify.rows.acted import ActRows, Entry
from gateway.ledger.verify.rows.acts import Acts
from gateway.ledger.verify.rows.effects import Effects
from gateway.ledger.verify.rows.findings import Findings
from gateway.ledger.verify.rows.jobs import Jobs
from gateway.ledger.verify.rows.numbers import Numbers
from gateway.ledger.verify.rows.projected import Projected
from gateway.ledger.verify.rows.recalls import Recalls
from gateway.ledger.verify.rows.rule_sets import RuleSets
from gateway.ledger.verify.rows.sought import Expected
from gateway.ledger.verify.rows.source_findings import SourceFindings
from gateway.ledger.verify.rows.supplements import Supplements
from gateway.ledger.verify.stretch import KEPT, UNFINISHED, Checked
from gateway.storage.port import Reader
from gateway.storage.tables import SHARD_BITS

_AT_ONCE = 1024


class Beside:
    """All of it, collected while the entries are read. Every call raises `VerificationFailed`."""

    def __init__(self, reader: Reader, unknown: Tally | None = None, *, rows: bool = True) -> None:
        self._unknown, self._rows = unknown if unknown is not None else Tally(), rows
        self._keys, self._acts, self._projected = DestroyedKeys(), Acts(), Projected(reader)
        self._findings, self._act_rows, self._effects, self._numbers = Findings(), ActRows(), Effects(), Numbers()
        self._recalls, self._jobs, self._supplements = Recalls(), Jobs(), Supplements()
        self._rule_sets, self._source_findings = RuleSets(), SourceFindings()
        self._batch: list[Entry] = []
        self._pruned = PrunedDays()

    @property
    def expected(self) -> Expected:
        """Which rows of projections have to stand there, for whoever looks for them."""
        return self._projected.expected

    def take(self, reader: Reader, head: Head, checked: Checked) -> None:
        """Take in what was found of a stretch of a shard's entries, after that of those before it.

        What people did is read again, in one snapshot with the rows of it.
        """
        self._keys.gone(checked.gone)
        self._acts.behind(checked.facts)
        self._projected.add(checked.found, again=checked.same)
        self._pruned.take(head, checked.unopened)
        base = head.id << SHARD_BITS
        first = checked.first
        for start in range(0, len(checked.noted), _AT_ONCE):
            some = [base + index for index in checked.noted[start : start + _AT_ONCE]]
            reader.renew()
            there = read.read_at(reader, some)
            for place in some:
                entry = there.get(place)
                if entry is None:
                    raise VerificationFailed(f"entry {place - base} is missing")
                if entry.told is not None and entry.oversight is not None:
                    told = entry.read_told()
                    self._unknown.note(told)
                    self._keys.note_erasure(told)
                    self._pruned.note(told)
                    self._note_rows(entry, told, entry.read_oversight())
            last = checked.last if some[-1] - base == checked.noted[-1] else some[-1] - base + 1
            self._take_acts(reader, base + first, base + last)
            first = last
        if first < checked.last:
            self._take_acts(reader, base + first, base + checked.last)

    def _note_rows(self, entry: StoredEntry, told: entries.Told, oversight: entries.Oversight) -> None:
        self._acts.note(told, oversight)
        self._findings.note(entry, told, oversight)
        place = (entry.shard << SHARD_BITS) + entry.index
        erased = bool(entry.keys) and isinstance(told, entries.Acted) and told.value is None
        self._rule_sets.note(place, told, oversight)
        self._batch.append(Entry(place, told, oversight.facts, erased))

    def _take_acts(self, reader: Reader, first: int, last: int) -> None:
        batch, self._batch = self._batch, []
        if self._rows:
            standing = self._act_rows.take(reader, first, last, batch)
            self._effects.take(reader, standing)
            self._numbers.take(standing)
            self._recalls.take(reader, standing)
            self._supplements.take(reader, standing)
            self._source_findings.take(reader, standing)
            self._jobs.take(standing)

    def check(self, reader: Reader, checked: Mapping[int, int]) -> None:
        """Check the rest in one snapshot, with what was entered since; `checked` is each shard's size as it was read.

        An erasure, or its end, may have been entered meanwhile.
        """
        reader.renew()
        for head in read.heads(reader):
            size = checked.get(head.id, 0)
            for entry in read.read_entries(reader, head.id, size, head.size - size):
                if entry.told is not None and entry.oversight is not None:
                    told = entry.read_told()
                    self._keys.note_erasure(told)
                    self._pruned.note(told)
                    self._note_rows(entry, told, entry.read_oversight())
                    index = extract.not_released(told, head.name)
                    if index is not None and entry.keys:
                        self._projected.not_released(entry.keys[0], (head.id << SHARD_BITS) + index)
            if size < head.size:
                self._take_acts(reader, (head.id << SHARD_BITS) + size, (head.id << SHARD_BITS) + head.size)
        self._keys.check(reader)
        self._pruned.check(reader)
        if self._rows:
            self._acts.check(reader)
            self._act_rows.check(reader)
            self._effects.check(reader)
            self._numbers.check(reader)
            self._recalls.check(reader, erased=self._keys.destroyed)
            self._rule_sets.check(reader)
            self._supplements.check(reader)
            self._source_findings.check(reader)
            self._jobs.check(reader, erased=self._keys.destroyed)
            self._findings.check(reader)
            self._projected.check(reader)


class PrunedDays:
    """Days whose keys are gone, and the prunings that explain it."""

    def __init__(self) -> None:
        self._unopened: dict[str, tuple[int, int]] = {}
        self._said: dict[str, tuple[int, entries.Pruned]] = {}

    def take(self, head: Head, unopened: Sequence[int]) -> None:
        """Take in the indices of entries of a shard that do not open."""
        if unopened:
            first, _ = self._unopened.get(head.name, (unopened[0], 0))
            self._unopened[head.name] = first, unopened[-1]

    def note(self, told: entries.Told) -> None:
        """Take in which entries a pruning was of."""
        if isinstance(told, entries.Pruned):
            for shard, index in told.below.items():
                if index > self._said.get(shard, (0, told))[0]:
                    self._said[shard] = index, told

    def check(self, reader: Reader) -> None:
        """Raises `VerificationFailed` where a day's key is gone without a pruning, or there in spite of one."""
        for shard, (first, last) in self._unopened.items():
            if shard not in self._said or last >= self._said[shard][0]:
                index = last if shard in self._said else first
                raise VerificationFailed(
                    f"shard `{shard}`: entry {index}: the key that opens it is gone, and no entry explains why"
                )
        for shard, (_, told) in self._said.items():
            for (period,) in reader.rows(sql.PERIODS_BEFORE, shard, told.before.isoformat()):
                if period == UNFINISHED:
                    raise VerificationFailed(
                        f"shard `{shard}`: the pruning of what is before {told.before} was not finished: its archive"
                        " may still have the contents. Run `dutybound ledger prune` again"
                    )
                if not period.endswith(KEPT):
                    raise VerificationFailed(
                        f"shard `{shard}`: the key of {period} is there, but what is before {told.before} was pruned."
                        " The pruning was not finished, or a backup brought the key back. Run `dutybound ledger prune`"
                        " again"
                    )


class DestroyedKeys:
    """Subjects' keys that are gone, and the erasures that explain it, over all shards."""

    def __init__(self) -> None:
        self._gone: dict[int, int] = {}
        self._destroyed: dict[int, entries.Erasure] = {}

    def gone(self, keys: Mapping[int, int]) -> None:
        """Take in keys that are gone, each with an entry (its id) that it leaves unreadable; the first is named."""
        for key, place in keys.items():
            self._gone.setdefault(key, place)

    @property
    def destroyed(self) -> bool:
        """Whether an entry destroyed any."""
        return bool(self._destroyed)

    def note_erasure(self, told: entries.Told) -> None:
        """Take in which keys an entry destroyed."""
        if isinstance(told, entries.Erasure):
            self._destroyed |= {int(key, 16): told for key in told.keys}

    def check(self, reader: Reader) -> None:
        """Raises `VerificationFailed` where a key is gone without an erasure, or there in spite of one."""
        for key, place in self._gone.items():
            if key not in self._destroyed:
                name = next(head.name for head in read.heads(reader) if head.id == place >> SHARD_BITS)
                index = place & (1 << SHARD_BITS) - 1
                raise VerificationFailed(
                    f"shard `{name}`: entry {index}: the key of its part about a subject is gone, and no erasure"
                    " explains why"
                )
        for key, secret, _, *names in read.key_rows(reader, set(self._destroyed)):
            erasure = self._destroyed[key].erasure
            if secret is not None:
                raise VerificationFailed(
                    f"a key that erasure `{erasure}` destroyed is there again, as after the restore of a backup;"
                    f" run `dutybound ledger erase again {erasure}`"
                )
            if names != [None, None]:
                raise VerificationFailed(
                    f"a key that erasure `{erasure}` destroyed still names its subject: its row in `subject_key` was"
                    " altered; empty `scheme` and `value` of it"
                )
