"""The entries of answers that are to be recalled, opened: what was asked for, on which consents, and for how long."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.ledger.entry import entries
from gateway.ledger.projections.lookups import oversight_of, told_of
from gateway.ledger.stored import read
from gateway.recall.selecting.touched import Answer
from gateway.rules.files.requesters import PUBLIC
from gateway.storage.port import Reader
from gateway.storage.recall.recalls import Job


class Opened(NamedTuple):
    """An entry's two sides."""

    told: entries.Inquiry
    oversight: entries.Oversight

    def of(self, subject: tuple[str, str]) -> Answer | None:
        """Its part about a subject; None where that was erased."""
        told, oversight = self.told, self.oversight
        places = [at for at, each in enumerate(told.disclosed) if (each.scheme, each.value) == subject]
        if not places:
            return None
        consents = zip(oversight.consents, oversight.consents_of, strict=False)
        return Answer(
            told.id,
            told.declaration.purpose,
            _delete_by(told.obligations),
            oversight.by_subject or told.requester.issuer == PUBLIC[0],
            frozenset(id_ for id_, place in consents if place in places),
            frozenset((each.dataset, each.record) for each in told.cautions if each.disputed),
            {of.dataset: of.displays for at in places for of in told.disclosed[at].datasets if of.records},
            oversight.secret_until,
        )


def opened_at(reader: Reader, ids: Sequence[int]) -> Mapping[int, Opened]:
    """The answers among entries, by their id; nothing for one whose period's key was destroyed.

    Raises `VerificationFailed` where one is damaged.
    """
    found = {}
    for id_, entry in read.read_at(reader, sorted(set(ids))).items():
        told, oversight = told_of(entry), oversight_of(entry)
        if isinstance(told, entries.Inquiry) and oversight is not None:
            found[id_] = Opened(told, oversight)
    return found


def secrecy(reader: Reader, jobs: Sequence[Job]) -> Mapping[int, datetime.datetime]:
    """Until when the acts of these jobs are kept from their subjects, by where they are entered, of those that are."""
    found = {}
    for id_, entry in read.read_at(reader, sorted({job.filed_in for job in jobs})).items():
        oversight = oversight_of(entry)
        if oversight is not None and oversight.secret_until is not None:
            found[id_] = oversight.secret_until
    return found


def _delete_by(duties: Sequence[entries.Duty]) -> datetime.date | None:
    days = [datetime.date.fromisoformat(each.properties["date"]) for each in duties if each.type == "delete-by"]
    return min(days, default=None)
