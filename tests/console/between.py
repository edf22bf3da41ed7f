"""Pages between a form and its act: what is wrong with it, and what is to be checked; and pages that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tests.console.visitor import Visitor

OBJECT = "/my/object?dataset=income-statements&record=IS-P00000-1"
RESTORE = "/my/restore?dataset=enforcement-cases&record=EC-P00000-1"


REPORTED = {
    "event": "CORRECTED", "scheme": "LEI", "value": "5299001DHMNQ00000007", "dataset": "tax-arrears",
    "record": "TA-00000-1", "version": "1", "new_version": "2",
}  # fmt: skip
"""A change that is reported, before it is checked."""


def pages(
    roles: Mapping[str, Visitor], proposal: str, finding: str, suspension: str, reason: str
) -> Iterator[tuple[str, httpx.Response]]:
    """Whose page it is, and the page. Nothing is decided; `reason` is what is given where a form wants one."""
    (matter,) = set(re.findall(r"(/console/matters/[0-9a-f]{32})\?", roles["steward"].get("/console/matters").text))
    end = f"/console/suspensions/{suspension}/end"
    decided = {"outcome": "REFUSED", "reason": reason, "kind": "OBJECTION"}
    forms: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
        ("subject", OBJECT, "/my/object", {"dataset": "income-statements", "record": "IS-P00000-1"}),
        ("subject", RESTORE, "/my/restore", {"dataset": "enforcement-cases", "record": "EC-P00000-1"}),
        ("steward", f"{matter}?state=OPEN", matter, {"outcome": "", "reason": ""}),
        ("steward", f"{matter}?state=OPEN", matter, decided),
        ("steward", "/console/report", "/console/report", {}),
        ("steward", "/console/report", "/console/report", {"event": "CORRECTED", "scheme": "X", "dataset": "none"}),
        ("steward", "/console/report", "/console/report", REPORTED | {"reason": reason}),
        ("oversight", end, end, {"reason": " "}),
        ("oversight", end, end, {"reason": reason}),
        ("oversight", f"/console/findings/{finding}?state=OPEN", f"/console/findings/{finding}", {"reason": ""}),
        ("oversight", f"/console/findings/{finding}/review", f"/console/findings/{finding}/review", {}),
        ("oversight", "/console/inquiries", "/console/inquiries", {}),
        ("oversight", "/console/inquiries", "/console/inquiries", {"receipt": "none", "reason": reason}),
        ("requester", "/console/receipt", "/console/receipt", {"receipt": "none"}),
        ("officer", f"{proposal}/approve", f"{proposal}/approve", {}),
        ("officer", f"{proposal}/refuse", f"{proposal}/refuse", {}),
    )
    for role, page, at, given in forms:
        yield role, roles[role].post(at, given, roles[role].get(page))
    for role in roles:
        for missing in ("/my/no-such", "/console/no-such", "/no-such"):
            yield role, roles[role].get(missing)
