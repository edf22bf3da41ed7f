"""The rooms of each role, for whoever looks at all of them: beside its first page, by path."""

from __future__ import annotations

from collections.abc import Mapping

FIRST = ("subject", "organisation", "steward", "officer", "oversight", "requester")
"""The roles whose first page is looked at."""

ROOMS: Mapping[str, tuple[str, ...]] = {
    "subject": (
        "/my/looked", "/my/consents", "/my/matters", "/my/object?dataset=income-statements&record=IS-P00000-1",
        "/my/restore?dataset=enforcement-cases&record=EC-P00000-1", "/my/keeping", "/my/copy", "/my/copy/print",
        "/my/consents/requests/none",
    ),
    "steward": (
        "/console/matters", "/console/matters?state=DECIDED", "/console/changes",
        "/console/report?dataset=tax-arrears", "/console/matters/none",
        "/console/recalls", "/console/recalls?side=received", "/console/sources",
    ),
    "oversight": (
        "/console/findings", "/console/findings?state=ALL", "/console/emergencies", "/console/findings/none",
        "/console/inquiries", "/console/overdue", "/console/overdue?side=recalls", "/console/suspensions",
        "/console/suspensions/none/end", "/console/sources?over=yes", "/console/activations", "/console/ledger",
        "/console/proposals", "/console/history",
    ),
    "officer": (
        "/console/proposals", "/console/history", "/console/proposals/none", "/console/drafts", "/console/drafts/none",
        "/console/refusals", "/console/refusals?purpose=LICENCE_RENEWAL", "/console/matrix",
        "/console/matrix?requester=market-regulator&purpose=LICENCE_RENEWAL",
        "/console/rules/rules/outside-purpose.cedar",
    ),
    "requester": ("/console/receipt",),
}  # fmt: skip

OPEN = (
    "/", "/login", "/graphql", "/open/catalogue", "/open/organisations", "/open/organisations/LEI/1",
    "/open/transparency", "/open/transparency?month=1999-01",
)  # fmt: skip
"""The pages that everybody may see, by path; beside them is one for each organisation's record."""
