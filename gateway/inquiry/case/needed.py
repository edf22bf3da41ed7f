"""Step 3's case: whether the purpose needs one, and which registry verifies it."""

from __future__ import annotations

import datetime

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.case.registries import CaseRegistries
from gateway.inquiry.types import Declaration, Requester
from gateway.rules.decide import guards
from gateway.rules.model import Purpose


async def verify_case(
    cases: CaseRegistries,
    requester: Requester,
    purpose: Purpose,
    declaration: Declaration,
    subjects: tuple[Subject, ...],
    today: datetime.date,
) -> bool:
    """Whether the case was verified that the purpose needs; without a grant that holds, no registry is asked.

    Nothing will be permitted to a requester without one. A correction that it was told of needs none: the answer that
    it corrects had it (`beside.recalled` comes first). Raises `Refusal`: `INQUIRY_REQUIRED` where no case was declared,
    `CASE_NOT_VERIFIED`.
    """
    if not guards.holds(requester.grants, purpose.name, today):
        return False
    if declaration.recall is not None:
        return True
    if declaration.case is None:
        raise Refusal(Code.INQUIRY_REQUIRED, f"`{purpose.name}` needs a case: add `case` to the declaration")
    registry = purpose.case_registry or requester.registry
    if registry is None:
        raise Refusal(Code.CASE_NOT_VERIFIED, "no case registry is registered for this requester", retryable=False)
    who = (requester.issuer, requester.client)
    await cases.verify(registry, declaration.case, requester.official, subjects, who)
    return True
