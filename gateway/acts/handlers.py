"""Which act is done by whom: the handlers, by the root field."""

from __future__ import annotations

from gateway.acts.consents import Consents
from gateway.acts.graphql import Handlers
from gateway.acts.office import Office


def handlers(office: Office) -> Handlers:
    """Every field of an act that is served."""
    consents = Consents(office)
    return {
        "grantConsent": consents.grant,
        "revokeConsent": consents.revoke,
        "requestConsent": consents.request,
        "declineConsentRequest": consents.decline,
        "consentRequests": consents.requests,
        "setOptOut": consents.opt_out,
    }
