"""Every act that is served: those of `gateway.acts`, and those of recalls."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.acts import handlers as acts
from gateway.acts.called import Handlers
from gateway.acts.confirming import Kind
from gateway.acts.office import Office
from gateway.inquiry.journey import Journey
from gateway.recall.answering.answer import Answering
from gateway.recall.answering.inbox import Inbox
from gateway.recall.enforcing.suspending import KIND
from gateway.recall.enforcing.suspensions import Suspensions
from gateway.sources import Changes

_NO_SYSTEMS: Mapping[str, Changes] = {}


def handlers(
    office: Office, journey: Callable[[], Journey] | None = None, reporting: Mapping[str, Changes] = _NO_SYSTEMS
) -> Handlers:
    """Every field of an act, as `gateway.acts.handlers`."""
    answers, suspends = Answering(office), Suspensions(office)
    confirmed = {KIND: Kind(suspends.confirm, suspends.decline, suspends.again, by_oversight=True)}
    return {
        **acts.handlers(office, journey, reporting, confirmed),
        "recalls": Inbox(office).page,
        "acknowledgeRecall": answers.one,
        "acknowledgeRecalls": answers.several,
        "attestDeletion": answers.attest,
        "suspensions": suspends.page,
        "endSuspension": suspends.end,
    }
