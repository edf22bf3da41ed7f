"""Inquiries as admission counts them, in the fewest words."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from connectors.base import Subject
from gateway.inquiry.admit import Admission, asking
from gateway.inquiry.counting.counts import Asked, Counted
from gateway.inquiry.types import Declaration, Requester
from gateway.rules.model import Purpose


def counted(
    who: Requester,
    purpose: Purpose,
    subjects: Sequence[Subject],
    at: datetime.datetime,
    case: str | None = None,
    reference: str | None = None,
    id: str = "",
    request: bytes = b"",
) -> Counted:
    """What `who` asks at `at`, as the journey hands it to an admission; the same request names the same subjects."""
    request = repr((sorted(set(subjects)), request)).encode()
    declared = Declaration(purpose.name, case, reference=reference, request=request)
    return asking(who, purpose.name, subjects, declared, at, id or next(_ids))


_ids = map(str, itertools.count())


def restarted(
    entered: Iterable[Counted], purposes: Mapping[str, Purpose], make: Callable[[], Admission] = Admission
) -> Admission:
    """An admission that counts again what was entered."""
    admission = make()
    for each in sorted(entered, key=lambda each: each.time):
        if each.purpose in purposes:
            admission.known.again(purposes[each.purpose], Asked.of(each, admission.known.digests))
    return admission
