"""Inquiries as admission counts them, in the fewest words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from connectors.base import Subject
from gateway.inquiry.admit import Counted
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
    """What `who` asks at `at`, as the journey hands it to an admission."""
    declared = Declaration(purpose.name, case, reference=reference, request=request)
    return Counted.of(who, purpose.name, subjects, declared, at, id)
