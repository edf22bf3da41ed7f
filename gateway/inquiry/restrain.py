"""Step 7, restrain: withhold record by record, at the moment of release. Pure.

Arts. 33, 37, 41(2), 44-47. Permission is about fields and was settled before; a restraint is about one record. Each is
a small named rule in `RESTRAINTS`, in order; the first that holds withholds the record and is what oversight reads.

A record with a value that cannot be used (`Faulty`) is judged like any other, by what it shows of itself. Its fault
counts only where nothing withholds it: then its dataset is invalid. What it does not show withholds nothing.

Invariants: a fact only ever takes away (10); withheld records leave no trace in what is released, so that "all
withheld" and "no records" are one answer (5); every released record that is disputed or has mitigation is in the
cautions, selected or not (19). `today` is the day in the policies' time zone at release, and every end of display is
computed again from it: a permit or an answer of a source from before midnight counts for nothing after it.

Leaves to others: which records there are (`fetch`), what is known of the subject (`facts`), the entry (`disclose`).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec

from connectors.base import Failure, Fault, Faulty, Flaw, Record, Subject
from connectors.base import Outcome as Fetched
from gateway.catalogue.model import Dataset, Period
from gateway.inquiry.types import Caution, Decision, Facts, Outcome, Released, Withheld
from gateway.rules.model import Policies, Purpose
from gateway.storage.subjects.kinds import NOTHING, SubjectFacts

_KEPT_DATES = 4096  # effective dates remembered per display period: over eleven years of days


class _Ends(dict[datetime.date | None, datetime.date | None]):
    """Last day of display by effective date, for one maximum; remembered, since nothing in it is about anybody."""

    def __init__(self, longest: Period | None) -> None:
        self._longest = longest

    def __missing__(self, effective: datetime.date | None) -> datetime.date | None:
        if len(self) >= _KEPT_DATES:
            self.clear()
        end = self[effective] = self._longest.after(effective) if self._longest and effective else None
        return end


_OVER = datetime.date.min
"""In the place of a last day of display: a record is not displayed."""


class _Shown(dict[datetime.date | None, datetime.date | None]):
    """The same of what is displayed on one day; `_OVER` of what is not."""

    def __init__(self, longest: Period | None, today: datetime.date) -> None:
        self._ends, self._today = _ends(longest), today

    def __missing__(self, effective: datetime.date | None) -> datetime.date | None:
        if len(self) >= _KEPT_DATES:
            self.clear()
        end = self._ends[effective]
        # Without an effective date, or with one to come, no period of display runs today.
        if effective is None or effective > self._today or (end is not None and end < self._today):
            end = _OVER
        self[effective] = end
        return end


_ends = lru_cache(maxsize=256)(_Ends)
_shown = lru_cache(maxsize=256)(_Shown)


def _look(records: Sequence[Record], last: _Ends | _Shown) -> tuple[list[datetime.date | None], bool]:
    """The last day of display of each, and whether they are plain: each has a document, and none mitigation."""
    until: list[datetime.date | None] = []
    plain = True
    for record in records:
        until.append(last[record.m_effective])
        if record.m_mitigation or not record.m_document:
            plain = False
    return until, plain


class Release(msgspec.Struct, frozen=True, gc=False):
    """What the restraints look at: one subject's records of one dataset, on the day of release.

    `until` has the last day of display of each record, `_OVER` where it is not displayed. `plain`: each of them has a
    document, and none has mitigation.
    """

    dataset: Dataset
    purpose: Purpose
    facts: SubjectFacts
    today: datetime.date
    records: Sequence[Record]
    until: Sequence[datetime.date | None]
    plain: bool


class Restraint(msgspec.Struct, frozen=True):
    """One reason to withhold a record: `withholds` gives the positions of the records that it holds back.

    `usual`: whether it may withhold a record that has a document, no mitigation, and is displayed, of a subject of whom
    nothing is known. Most records are so, and those that may not are not asked about them.
    """

    name: str
    article: str
    withholds: Callable[[Release], Sequence[int]]
    usual: bool = True


def _named(dataset: Dataset, records: Sequence[Record], keys: frozenset[str]) -> Sequence[int]:
    # Positions of the records whose key in facts, `dataset/record-id`, is among `keys`.
    return [at for at, record in enumerate(records) if f"{dataset.id}/{record.m_id}" in keys]


def _shows(record: Record, attribute: str) -> bool:
    # Whether the attribute is as the record has it, and not only as by default.
    return not isinstance(record, Faulty) or attribute not in record.unread


def _display_ended(release: Release) -> Sequence[int]:
    until = release.until
    if _OVER not in until:
        return ()
    return [at for at, record in enumerate(release.records) if until[at] is _OVER and _shows(record, "m_effective")]


def _no_source_document(release: Release) -> Sequence[int]:
    if release.plain or release.dataset.nature != "adverse":
        return ()
    return [at for at, record in enumerate(release.records) if not record.m_document and _shows(record, "m_document")]


def _withdrawn(release: Release) -> Sequence[int]:
    keys = release.facts.withdrawn
    return _named(release.dataset, release.records, keys) if keys else ()


def _restored(release: Release) -> Sequence[int]:
    keys = release.facts.restored
    return _named(release.dataset, release.records, keys) if keys else ()


def _opted_out(release: Release) -> Sequence[int]:
    if release.dataset.nature == "favourable" and release.dataset.id in release.facts.opted_out:
        return range(len(release.records))
    return ()


def _objection_overdue(release: Release) -> Sequence[int]:
    keys = release.facts.overdue
    withhold = keys and release.purpose.overdue_objection == "withhold"
    return _named(release.dataset, release.records, keys) if withhold else ()


RESTRAINTS: tuple[Restraint, ...] = (
    Restraint("display-ended", "44", _display_ended, usual=False),
    Restraint("no-source-document", "37", _no_source_document, usual=False),
    Restraint("withdrawn", "47(2)", _withdrawn, usual=False),
    Restraint("restored", "46", _restored, usual=False),
    Restraint("opted-out", "41(2)", _opted_out, usual=False),
    Restraint("objection-overdue", "45", _objection_overdue, usual=False),
)
_USUAL = tuple(restraint for restraint in RESTRAINTS if restraint.usual)


def restrain(
    dataset: Dataset,
    purpose: Purpose,
    subject: Subject,
    records: Sequence[Record],
    facts: SubjectFacts,
    today: datetime.date,
    restraints: tuple[Restraint, ...] = RESTRAINTS,
) -> tuple[Outcome, list[Withheld], list[Caution]]:
    """Sort one subject's records of one dataset into released and withheld, in their order.

    `today` is the day of release in the policies' time zone. `display_until` is the last day on which a record is
    shown, `None` where the dataset has no maximum. `Withheld.record` and `Caution.record` are the record's id.
    Where a record that is not withheld is faulty, nothing of the dataset is released.
    """
    display = dataset.display
    until, plain = _look(records, _ends(None) if display is None else _shown(display.max, today))
    if restraints is RESTRAINTS and plain and facts is NOTHING and _OVER not in until:
        restraints = _USUAL
    reasons: dict[int, str] = {}
    if restraints:
        release = Release(dataset, purpose, facts, today, records, until, plain)
        for restraint in restraints:
            for at in restraint.withholds(release):
                reasons.setdefault(at, restraint.name)
    withheld: list[Withheld] = []
    if reasons:
        for at in sorted(reasons):
            record, faulty = records[at], isinstance(records[at], Faulty)
            withheld.append(Withheld(subject, dataset.id, record.m_id, record.m_version, reasons[at], faulty))
        records = [record for at, record in enumerate(records) if at not in reasons]
        until = [day for at, day in enumerate(until) if at not in reasons]
    if (wrong := _faulty(records)) is not None:
        return Failure(Fault.INVALID, False, wrong.m_reason, Flaw.RECORD), withheld, []
    released, cautions = _released(dataset, facts, records, until, plain)
    return released, withheld, cautions


def tell_oneself(
    dataset: Dataset,
    purpose: Purpose,
    subject: Subject,
    records: Sequence[Record],
    facts: SubjectFacts,
    today: datetime.date,
    restraints: tuple[Restraint, ...] = RESTRAINTS,
) -> tuple[Outcome, list[Withheld], list[Caution]]:
    """As `restrain`, for the subject itself (Art. 42): nothing is withheld, and each record has from whom it would be.

    An overdue objection withholds from others, whatever this purpose says. A faulty record cannot be told, and a
    dataset without it would not be all that is held: then nothing of the dataset is told.
    """
    if (wrong := _faulty(records)) is not None:
        return Failure(Fault.INVALID, False, wrong.m_reason, Flaw.RECORD), [], []
    others = msgspec.structs.replace(purpose, overdue_objection="withhold")
    display = dataset.display
    until, plain = _look(records, _ends(None) if display is None else _shown(display.max, today))
    release = Release(dataset, others, facts, today, records, until, plain)
    by_others: list[tuple[str, ...]] = [()] * len(records)
    for restraint in restraints:
        for at in restraint.withholds(release):
            by_others[at] += (restraint.name,)
    until, _ = _look(records, _ends(None if display is None else display.max))
    released, cautions = _released(dataset, facts, records, until, plain)
    released.from_others = by_others
    withheld = [
        Withheld(subject, dataset.id, record.m_id, record.m_version, name)
        for record, names in zip(records, by_others, strict=True)
        for name in names
    ]
    return released, withheld, cautions


def _faulty(records: Sequence[Record]) -> Faulty | None:
    """The first that is faulty. Their types are looked at before, since there is mostly one."""
    for kind in set(map(type, records)):
        if issubclass(kind, Faulty):
            return next(record for record in records if isinstance(record, Faulty))
    return None


def _released(
    dataset: Dataset, facts: SubjectFacts, shown: Sequence[Record], until: list[datetime.date | None], plain: bool
) -> tuple[Released, list[Caution]]:
    disputed = [False] * len(shown)
    # An overdue objection is an open one, whichever of the two sets the facts name it in.
    if facts.disputed or facts.overdue:
        for at in _named(dataset, shown, facts.disputed | facts.overdue):
            disputed[at] = True
    cautions: list[Caution] = []
    if not plain or True in disputed:
        cautions = [
            Caution(dataset.id, record.m_id, disputed[at], record.m_mitigation)
            for at, record in enumerate(shown)
            if record.m_mitigation or disputed[at]
        ]
    return Released(shown, until, disputed), cautions


def restrain_all(
    policies: Policies,
    purpose: Purpose,
    decision: Decision,
    fetched: Mapping[tuple[Subject, str], Fetched],
    facts: Facts,
    oneself: bool,
    today: datetime.date,
) -> tuple[dict[tuple[Subject, str], Outcome], list[Withheld], list[Caution], list[tuple[str, str, Failure]]]:
    """Restrain what was fetched for each permit; a failure stays one. `oneself`: a subject looks at itself.

    Gives the outcomes, what was withheld, the cautions, and each failure with its department and dataset.
    """
    datasets = policies.catalogue.datasets
    # With a purpose of this scope every permit is about the token's own identifier.
    one = tell_oneself if oneself and purpose.scope == "self" else restrain
    got: dict[tuple[Subject, str], Outcome] = {}
    withheld: list[Withheld] = []
    cautions: list[Caution] = []
    failures: list[tuple[str, str, Failure]] = []
    for subject, dataset, _ in decision.permits:
        records = fetched[subject, dataset]
        if isinstance(records, Failure):
            outcome: Outcome = records
        else:
            known = facts.subjects[subject]
            outcome, held, told = one(datasets[dataset], purpose, subject, records, known, today)
            withheld += held
            cautions += told
        if isinstance(outcome, Failure):
            failures.append((datasets[dataset].department, dataset, outcome))
        got[subject, dataset] = outcome
    return got, withheld, cautions, failures
