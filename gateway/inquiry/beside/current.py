"""Step 3's cut: facts and rule set are of one epoch, on every replica, without a barrier.

The epoch comes with the facts, in the statement that reads them. Invariant: nothing is decided by a rule set that is
older than its facts, nor by one that was activated after they were read.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from connectors.base import Subject
from gateway.errors import Code, Refusal
from gateway.inquiry.journey import Journey, Outdated, Serving
from gateway.inquiry.types import Facts, Requester

_READ_AGAIN = 3
"""Times: whoever asks after a newer rule set is there is not given a read that began before it."""


async def known(
    journey: Journey,
    serving: Serving,
    subjects: Sequence[Subject],
    now: datetime.datetime,
    requester: Requester,
    began: float,
) -> Facts:
    """The facts that the inquiry is decided from, of the epoch of its rule set.

    Raises `Outdated` where a newer one is active; `Refusal` where facts or the newer rule set are out of reach.
    """
    facts = await journey.facts.read(subjects, now, requester.who, serving.zone)
    if facts.epoch == serving.epoch or journey.newer is None:
        return facts
    for _ in range(_READ_AGAIN):
        if facts.epoch >= serving.epoch:
            break
        facts = await journey.facts.read(subjects, now, requester.who, serving.zone)
    if facts.epoch < serving.epoch:  # a store that lost its last activation: asking again and again would not mend it
        raise unavailable()
    if facts.epoch > serving.epoch:
        raise Outdated(await journey.newer(facts.epoch, began))
    return facts


def unavailable() -> Refusal:
    """The rule set that is active is not here yet."""
    message = "other rules were activated just now and are not loaded here yet, so nothing was disclosed; ask again"
    return Refusal(Code.DECISION_UNAVAILABLE, message, headers={"Retry-After": "1"}, retryable=True)
