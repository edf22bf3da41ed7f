"""The projections of a store, checked against the entries that they were made of: no row is missing, and none made up.

Each row that an entry gives is looked for by its key (`sought`); at the end the rows are counted. So nothing grows with
the ledger. What was projected since the start is left for the next time; a projection that is being built again counts
for nothing, here as elsewhere. Rows of `counted` that are older than they are kept may be gone, and are not counted.

Left out is `raced`: what it lacks depends on when the facts were read, and more than it needs does no harm. Rows of
`displayed` are looked for and not counted: several entries give the same, and more than it needs does no harm either.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table, and_, case, func, literal_column, select
from sqlalchemy import bindparam as p

from gateway.errors import VerificationFailed
from gateway.ledger.projections import positions
from gateway.ledger.stored import read
from gateway.ledger.verify.rows.sought import MOST_TAKEN_BACK, TABLES, Expected, Found, missing
from gateway.nouns import counted
from gateway.storage.port import Reader
from gateway.storage.projections.counted import COUNTING, Counting
from gateway.storage.projections.tables import DROPPING, NAMES
from gateway.storage.statement import Statement
from gateway.storage.tables import SHARD_BITS


def _counted(table: Table) -> Statement:
    """How many rows are of a shard's entries from `first` up to one place, and up to another."""
    of = [and_(table.c.entry >= p(f"first{place}"), table.c.entry < p(f"last{place}")) for place in (0, 1)]
    return Statement(
        select(*(func.count(case((each, literal_column("1")))) for each in of)).where(table.c.at >= p("oldest")),
        *("first0", "last0", "first1", "last1", "oldest"),
    )


_COUNTED = {name: _counted(table) for name, table in TABLES.items()}
_ALL = {
    name: Statement(select(func.count()).select_from(table).where(table.c.at >= p("oldest")), "oldest")
    for name, table in TABLES.items()
}
_EVER = -(1 << 62)


class Projected:
    """Checks projections while their shards' entries are read. Every call raises `VerificationFailed`."""

    def __init__(self, reader: Reader) -> None:
        heads = read.heads(reader)
        sizes = {head.id: head.size for head in heads}
        self._shards = {head.id: head.name for head in heads}
        counting = Counting._make(reader.rows(COUNTING)[0])
        floor = max((head.floor for head in heads), default=0)
        oldest = dict.fromkeys(NAMES, _EVER) | {"counted": counting.oldest(floor, floor)}
        self.expected = Expected(self._positions(reader, sizes), oldest, counting.secret)
        self._found = dict.fromkeys(self.expected.next_.keys() & TABLES.keys(), 0)
        self._erasures = {head.id: head.erasures for head in heads}
        self._taken_back: set[tuple[int, int]] = set()
        self._excused = 0
        self._again = False

    def _positions(self, reader: Reader, sizes: Mapping[int, int]) -> dict[str, dict[int, int]]:
        """Of each projection that is usable, the index in each shard up to which its rows count."""
        found: dict[str, dict[int, int]] = {name: {} for name in NAMES}
        for (name, shard), next_ in positions.standing(reader).items():
            if next_ > sizes.get(shard, 0):
                where = self._shards.get(shard, shard)
                raise VerificationFailed(
                    f"the projection `{name}` claims to have {counted(next_, 'entry')} of shard `{where}`, which has"
                    f" {sizes.get(shard, 0)}: its position was altered; run `dutybound ledger rebuild`"
                )
            found.get(name, {})[shard] = next_
        return {name: of for name, of in found.items() if DROPPING not in of.values()}

    def add(self, found: Found, *, again: bool = False) -> None:
        """Take in what was found of entries of a shard, after what was found of those before them.

        `again`: it was found before, and rows may be gone since by their own time; so they are not counted.
        """
        self._again = self._again or again
        for name, rows in found.rows.items():
            self._found[name] += rows
        self._taken_back.update(found.taken_back)
        for subject, entry in found.unreleased:
            self.not_released(subject, entry)
        if len(self._taken_back) > MOST_TAKEN_BACK:
            raise missing("received", found.taken_back[-1][1])

    def not_released(self, subject: int, entry: int) -> None:
        """A later entry records that what an entry disclosed of a subject did not leave: its row is rightly gone."""
        if (subject, entry) in self._taken_back:
            self._taken_back.remove((subject, entry))
            if "received" in self._found:
                self._found["received"] -= 1
        else:
            self._excused += 1  # its row may go while we read

    def check(self, reader: Reader) -> None:
        """Nothing stands there that no entry gives, and nothing is gone that no entry took back."""
        for _, entry in self._taken_back:
            raise missing("received", entry)
        heads = read.heads(reader)
        erased = any(self._erasures.get(head.id) != head.erasures for head in heads)
        now = self._positions(reader, {head.id: head.size for head in heads})
        for name, said in self._found.items():
            of = self.expected.next_[name]
            if self._again:
                break
            if name not in now or any(now[name].get(shard, 0) < next_ for shard, next_ in of.items()):
                continue  # it is being built again
            mine, known = 0, 0
            for shard, next_ in now[name].items():
                base = shard << SHARD_BITS
                span = (base, base + of.get(shard, 0), base, base + next_)
                ((here, all_here),) = reader.rows(_COUNTED[name], *span, self.expected.oldest[name])
                mine, known = mine + int(here), known + int(all_here)
            ((total,),) = reader.rows(_ALL[name], self.expected.oldest[name])
            least = said - self._excused if name == "received" else said
            if total != known or mine > said or (mine < least and not erased):
                raise VerificationFailed(
                    f"the projection `{name}` holds {counted(mine + total - known, 'row')}, and its entries give"
                    f" {said}: rows were"
                    " made up or removed; run `dutybound ledger rebuild`"
                )
