"""The road of whatever is not answered: a refusal's own step 9, which is one entry, then the error."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable

from gateway.errors import Code, Refusal
from gateway.inquiry.disclose import Entry, extension, refuse
from gateway.inquiry.http.request import Media, refused
from gateway.inquiry.journey import Journey
from gateway.inquiry.types import Answer, Decision
from gateway.telemetry.metrics import UNTIMED, Steps

log = logging.getLogger("dutybound.inquiry")


async def answer_refusal(
    journey: Journey, entry: Entry | None, problem: Exception, media: Media, steps: Steps = UNTIMED
) -> Answer:
    """Enter and answer a refusal; without an `entry`, where no subject was asked about, only answer it.

    Any other exception is a defect of ours: it is told by its inquiry's number and entered like any refusal. Without
    an `entry` it is raised again.
    """
    if not isinstance(problem, Refusal):
        if entry is None:
            raise problem
        log.error("inquiry %s failed: %s", entry.id, type(problem).__name__, exc_info=problem)
        problem = Refusal(Code.INTERNAL, f"the gateway failed; nothing was disclosed; quote `{entry.id}`", id=entry.id)
    journey.metrics.answered(problem.code.value, steps)
    if entry is None or entry.tried:  # what could not be entered, or perhaps was, is not entered as something else
        return refused(problem, media, None)
    try:
        receipt = await refuse(journey.ledger, entry, problem, journey.stamp())
    except Refusal as unavailable:
        return refused(unavailable, media, None)
    entry.cautions, entry.obligations = (), ()
    return refused(problem, media, extension(entry, receipt))


def decided(
    journey: Journey, entry: Entry, deciding: Callable[[datetime.datetime], Decision], now: datetime.datetime
) -> Decision:
    """The decision, which its entry has from then on, and a dry run is left to compare.

    What could not be decided, since rules failed, is not permitted, and raises `Refusal`.
    """
    try:
        decision = entry.decision = deciding(now)
    except Exception as error:
        log.error("inquiry %s could not be decided: %s", entry.id, type(error).__name__)
        message = "the rules cannot be evaluated now; nothing was disclosed"
        raise Refusal(Code.DECISION_UNAVAILABLE, message) from error
    if journey.seen is not None:
        journey.seen(entry.requester, entry.declared, decision, entry.rule_set, now)
    return decision
