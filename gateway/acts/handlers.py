"""Which act is done by whom: the handlers, by the root field."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.acts.called import Handlers
from gateway.acts.changes import KIND, ChangeActs
from gateway.acts.confirming import Confirming, Kind
from gateway.acts.consents import Consents
from gateway.acts.matters.deciding import Deciding
from gateway.acts.matters.filing import FILED, Filing
from gateway.acts.matters.listing import Listing
from gateway.acts.office import Office
from gateway.acts.oversight.findings import Overseeing
from gateway.acts.subject.history import department_of
from gateway.acts.subject.me import Me
from gateway.inquiry.journey import Journey
from gateway.sources import Changes

_NO_SYSTEMS: Mapping[str, Changes] = {}
_NO_MORE: Mapping[str, Kind] = {}


def handlers(
    office: Office,
    journey: Callable[[], Journey] | None = None,
    reporting: Mapping[str, Changes] = _NO_SYSTEMS,
    confirmed: Mapping[str, Kind] = _NO_MORE,
) -> Handlers:
    """Every field of an act that is served, but for those of recalls; `me` only with the journey that it takes.

    `reporting` is what `sources.yaml` says of departments' systems, `confirmed` what else a second person confirms.
    """
    consents, files, decides = Consents(office), Filing(office, department_of), Deciding(office)
    reports = ChangeActs(office, reporting)
    filed = dict.fromkeys(FILED, Kind(decides.confirm, decides.decline, decides.confirmed))
    confirms = Confirming(office, {**filed, KIND: Kind(reports.confirm, reports.decline, reports.again), **confirmed})
    oversees = Overseeing(office)
    me: Handlers = {} if journey is None else {"me": Me(office, journey).look}
    return {
        **me,
        "grantConsent": consents.grant,
        "revokeConsent": consents.revoke,
        "requestConsent": consents.request,
        "declineConsentRequest": consents.decline,
        "consentRequests": consents.requests,
        "setOptOut": consents.opt_out,
        "reportChange": reports.report,
        "changes": reports.page,
        "fileObjection": files.object,
        "applyForRestoration": files.apply,
        "withdrawMatter": files.withdraw,
        "matters": Listing(office).matters,
        "decideObjection": decides.objection,
        "decideRestoration": decides.restoration,
        "findings": oversees.page,
        "openFinding": oversees.open,
        "endReview": oversees.end,
        "confirm": confirms.confirm,
        "decline": confirms.decline,
    }
