"""Who changed facts: every number of a change is an act's, and nobody's else.

Acts happen one after the other, and each says behind which change it happened (`Oversight.facts`). So what happened
behind one change made all the numbers up to the next one that an act names, and the last of them is the head's. A fact
that was made up, or ended, takes a number that no act made, however well it was counted.

What an act changed is in its subject's part. Where that was erased, it is still known how many changes such an act can
make, and when: no fact of another time has its number. Facts up to the first act are from before there were acts, and
so are acts that say nothing of this: those facts are only counted (`acts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import bindparam as p
from sqlalchemy import or_, select

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.verify.rows.acted import Standing
from gateway.ledger.verify.rows.moved import begins, ends
from gateway.storage.port import Reader
from gateway.storage.statement import Statement
from gateway.storage.subjects.facts import fact, fact_head
from gateway.storage.tables import micros

_MANY = 1 << 40
_CAN: Mapping[str, tuple[int, int]] = {
    "consent-granted": (1, 1),
    "consent-revoked": (1, 1),
    "opt-out-set": (1, 1),
    "opt-out-lifted": (1, 1),
    "objection-filed": (0, 1),
    "objection-decided": (0, 1),
    "matter-withdrawn": (0, 1),
    "restoration-confirmed": (0, 1),
    "deadline-counted": (0, 2),
    "change-reported": (0, _MANY),
    "change-confirmed": (0, _MANY),
}
"""How many changes of facts an act about a subject makes, at least and at most, by what it did."""
_NONE = frozenset(
    [
        "consent-requested", "consent-declined", "restoration-filed", "restoration-decided",
        "restoration-confirmation-declined", "change-declined", "reminded", "objection-overdue", "restoration-overdue",
        "correction-overdue", "recalled", "acknowledged", "recall-overdue", "onward-disclosure-found",
    ]
)  # fmt: skip
"""What makes none; of acts that stand in neither nothing is said."""
_HEAD = Statement(select(fact_head.c.change))
_WITHIN = Statement(
    select(fact.c.id, fact.c.kind, fact.c.change, fact.c.at, fact.c.ended, fact.c.ended_at).where(
        or_(fact.c.change.between(p("first"), p("last")), fact.c.ended.between(p("from_"), p("to_")))
    ),
    *("first", "last", "from_", "to_"),
)


class _Behind:
    """What happened behind one change: the numbers that are known of it, and which others there can be."""

    def __init__(self, number: int) -> None:
        self.first = self.last = number
        self.made: list[int] = []
        self.least = self.most = 0
        self.erased: list[entries.Told] = []


class Numbers:
    """Takes acts in as they stand, in any order. Every call raises `VerificationFailed`."""

    def __init__(self) -> None:
        self._behind: dict[int, _Behind] = {}

    def take(self, standing: Sequence[Standing]) -> None:
        """Take in what these acts changed."""
        for each in standing:
            if each.facts is None:
                continue
            behind = self._behind.get(each.facts)
            if behind is None:
                behind = self._behind[each.facts] = _Behind(each.number)
            behind.first, behind.last = min(behind.first, each.number), max(behind.last, each.number)
            least, most = _others(each)
            if most:
                behind.least, behind.most = behind.least + least, behind.most + most
                behind.erased.append(each.told)
            if isinstance(each.told, entries.Acted):
                behind.made += each.told.changes

    def check(self, reader: Reader) -> None:
        """Check that the acts made every change behind the first of them, in a snapshot whose acts were all taken."""
        ((head,),) = reader.rows(_HEAD)
        order = sorted(self._behind)
        before = 0
        for facts, following in zip(order, [*order[1:], head], strict=False):
            behind = self._behind[facts]
            if behind.first <= before:
                raise VerificationFailed(f"acts: number {behind.first} did not happen behind change {facts}: altered")
            before = behind.last
            self._check(reader, behind, facts, following)

    def _check(self, reader: Reader, behind: _Behind, facts: int, following: int) -> None:
        """Check that just what happened behind a change made all the numbers up to the following one."""
        made, there = set(behind.made), range(facts + 1, following + 1)
        others = len(there) - len(made)
        if len(made) != len(behind.made) or not all(number in there for number in made):
            raise VerificationFailed(
                f"facts: acts made change {max(made)}, and {following} were counted by then: the count was set back"
            )
        if others > behind.most:
            number = next(number for number in there if number not in made)
            raise VerificationFailed(f"facts: change {number}: no act made it: a fact was made up, or ended by nobody")
        if others < behind.least:
            raise VerificationFailed(
                f"facts: an act that was erased since made a change behind {facts}, and {following} were counted by"
                " then: a fact was removed"
            )
        if others:
            self._check_erased(reader, behind, made, there)

    def _check_erased(self, reader: Reader, behind: _Behind, made: set[int], there: range) -> None:
        """What erased acts changed has the time of one of them, and is of a kind that it changes."""
        span = (there[0], there[-1])
        for id_, kind, change, at, ended, ended_at in reader.rows(_WITHIN, *span, *span):
            for number, when, can in ((change, at, begins), (ended, ended_at, ends)):
                if number not in there or number in made:
                    continue
                if not any(_did(told, when, can, kind) for told in behind.erased):
                    raise VerificationFailed(f"fact `{id_}`: no act made change {number}: it was made up, or altered")


def _did(told: entries.Told, at: int, can: Callable[[entries.Acted, str], bool], kind: str) -> bool:
    return micros(told.at) == at and (not isinstance(told, entries.Acted) or can(told, kind))


def _others(each: Standing) -> tuple[int, int]:
    """How many changes an act made that its entry does not tell any more, at least and at most."""
    told = each.told
    if isinstance(told, entries.Unknown):
        return 0, _MANY
    if not isinstance(told, entries.Acted) or not each.erased or told.what in _NONE:
        return 0, 0
    return _CAN.get(told.what, (0, _MANY))
