"""What a job touches of an answer, and what of it is still to be recalled: no store, no clock.

A job says what changed; an answer is what a recipient keeps, with its receipt. `touched` needs nothing but what the
projection has; `affected` needs the answer's entry; `left` leaves out what a recall in effect asks for already.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.ledger.projections.extract import Share, is_of
from gateway.storage.recall.recalls import Action, Job, Recalled

_terms: msgspec.json.Decoder[dict[str, list[str] | None]] = msgspec.json.Decoder(dict[str, list[str] | None])


class Answer(NamedTuple):
    """What the entry of an answer has beside what it disclosed, as far as one subject goes.

    `delete_by` is the last day on which its recipient may keep it, None where it may for good. `own`: its subject asked
    itself, or everybody may see it, so that there is nobody to tell. `consents` are those that it rests on. `disputed`
    are the records (dataset, record) of which it says so. `displays` has, of a dataset's records, the last days of
    display and those that they count from, in days since 1970-01-01. `secret_until`: until when its subject is not told
    of it.
    """

    inquiry: str
    purpose: str
    delete_by: datetime.date | None
    own: bool
    consents: frozenset[str]
    disputed: frozenset[tuple[str, str]]
    displays: Mapping[str, Sequence[tuple[int | None, int | None]]]
    secret_until: datetime.datetime | None


class Told(NamedTuple):
    """A recall of the same answer and dataset that stands, and was not refused."""

    action: str
    items: Sequence[Recalled]


def touched(job: Job, share: Share, facts: int | None, newer: Collection[str] = ()) -> tuple[Recalled, ...]:
    """The records of a share that a job is about; none where the facts of its answer knew of the change already.

    `newer` are the versions of the record that came after the job's own. An erasure that was requested is no fact that
    an answer could know of: the subject can be asked about until it is approved.
    """
    known = job.change is not None and facts is not None and facts >= job.change
    if known and job.cause != "erased":
        return ()
    fields: Sequence[str] = share.fields
    if job.fields is not None:
        consented = _terms.decode(job.fields)
        if share.dataset not in consented:
            return ()
        within = consented[share.dataset]
        fields = share.fields if within is None else [name for name in share.fields if name in within]
        if share.fields and not fields:  # what it gave was not asked for
            return ()
    elif job.dataset not in (None, share.dataset):
        return ()
    if job.day is not None and not any(_ended(job, *days) for days in share.displays):
        return ()
    records = share.records
    if job.record is not None:
        records = tuple([each for each in records if is_of(each, job.record, job.version)])
    items = tuple([_item(job.record, each, tuple(fields)) for each in records])
    return tuple([each for each in items if each.version != job.new_version and each.version not in newer])


def affected(
    job: Job, dataset: str, items: Sequence[Recalled], answer: Answer, today: datetime.date
) -> tuple[Recalled, ...]:
    """Those of them that its recipient is to be notified of, as the answer's entry and the day have it."""
    if answer.own or (answer.delete_by is not None and today > answer.delete_by):
        return ()
    if job.purpose not in (None, answer.purpose):
        return ()
    if job.consent is not None and job.consent not in answer.consents:
        return ()
    if job.day is not None:
        told = answer.displays.get(dataset, ())
        items = [each for each, (day, since) in zip(items, told, strict=False) if _ended(job, day, since)]
    return tuple(items)


def _ended(job: Job, day: int | None, since: int | None) -> bool:
    """Whether a record is one whose display ended, by what was told of it."""
    if job.since is None:
        return day == job.day
    return since == job.since and (day is None or job.day is None or day > job.day)


def left(
    action: Action, items: Sequence[Recalled], told: Sequence[Told], disputed: Collection[str]
) -> tuple[Recalled, ...]:
    """What no recall in effect asks for as yet; `told` are those of the answer and dataset, oldest first.

    A deletion asks for everything: what it named is in no recall any more, and of its record the other fields are. An
    update asks for an update and for marks. What was never disputed is not cleared: `disputed` are the records that the
    answer itself says so of.
    """
    found = [_left(action, each, told, disputed) for each in items]
    return tuple([each for each in found if each is not None])


def _left(action: Action, item: Recalled, told: Sequence[Told], disputed: Collection[str]) -> Recalled | None:
    """What is left of one record; None where that is nothing."""
    deleted: set[str] = set()
    updated, mark = False, ""
    for each in told:
        for one in each.items:
            if one.named != item.named:
                continue
            if each.action == "delete":
                if not one.fields:  # all of it
                    return None
                deleted.update(one.fields)
            elif each.action == "update":
                updated = True
            else:
                mark = each.action
    fields = tuple([name for name in item.fields if name not in deleted])
    if item.fields and not fields:
        return None
    if action != "delete":
        if updated or mark == action:
            return None
        if action == "clear-disputed" and not mark and item.record not in disputed:
            return None
    return Recalled(item.record, item.version, fields)


def _item(record: str | None, named: str, fields: tuple[str, ...]) -> Recalled:
    """`<record id>@<version>` taken apart; an id may have an `@` of its own, and then it is known, or is the longer."""
    if record is not None:
        return Recalled(record, named[len(record) + 1 :], fields)
    id_, _, version = named.rpartition("@")
    return Recalled(id_, version, fields)
