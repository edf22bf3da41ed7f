"""Every detector, in one ordered tuple; findings come in this order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.rules.files.calendar import Calendar
from gateway.rules.files.thresholds import Thresholds
from gateway.watch.model import Detector, Finding, Look
from gateway.watch.series import FarAboveOwnHistory, OutOfHoursInquiries, SequentialIdentifiers
from gateway.watch.subjects import (
    AfterCaseClosed,
    Closed,
    RetriedUnderAnotherPurpose,
    SameSubjectByManyOfficials,
    SameSubjectUnderChangingPurposes,
    SubjectIsTheOfficial,
)

Blind = Callable[[str, str], bytes]
"""From an identifier's scheme and value to its opaque key."""


def detectors(
    wanted: Thresholds, calendar: Calendar, blind: Blind, closed: Closed = lambda actor, case: None
) -> tuple[Detector, ...]:
    """The detectors with these thresholds, without memory; those that are off are left out."""
    own = {
        who: frozenset(blind(*identifier) for identifier in identifiers)
        for who, identifiers in (wanted.own_identifier.officials if wanted.own_identifier else {}).items()
    }
    made: tuple[Detector | None, ...] = (
        SequentialIdentifiers(wanted.sequence) if wanted.sequence else None,
        SameSubjectByManyOfficials(wanted.many_officials) if wanted.many_officials else None,
        SameSubjectUnderChangingPurposes(wanted.changing_purposes) if wanted.changing_purposes else None,
        OutOfHoursInquiries(wanted.out_of_hours, calendar) if wanted.out_of_hours else None,
        FarAboveOwnHistory(wanted.far_above, calendar) if wanted.far_above else None,
        SubjectIsTheOfficial(own) if wanted.own_identifier else None,
        RetriedUnderAnotherPurpose(wanted.retried) if wanted.retried else None,
        AfterCaseClosed(wanted.after_close, closed) if wanted.after_close else None,
    )
    return tuple(detector for detector in made if detector is not None)


class Watch:
    """All detectors over one stream of looks, in the order of the ledger."""

    def __init__(self, detectors: tuple[Detector, ...]) -> None:
        self.detectors = detectors

    def see(self, look: Look) -> Iterator[Finding]:
        """What this look completes or continues."""
        for detector in self.detectors:
            found = detector.see(look)
            if found is not None:
                yield found
