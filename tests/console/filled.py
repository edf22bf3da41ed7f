"""What stands in a region's rooms so that they are not empty, for whoever looks at all pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.console.proposing import proposed, wages
from tests.console.visitor import Visitor

OBJECTION = "There are two statements for 2024. Mine is the other one: I worked for six weeks that year."
PROPOSAL = "Subsidies depend on wages since the Act of 2026."


def objected(told: Mapping[str, Any]) -> None:
    """Have a subject file an objection."""
    subject = Visitor(dict(told))
    subject.sign_in("subject")
    about = {"dataset": "income-statements", "record": "IS-P00000-1"}
    form = subject.get("/my/object?dataset=income-statements&record=IS-P00000-1")
    given = {**about, "reason": OBJECTION, "issuer": "Labour Office", "number": "CE 2024-118"}
    assert subject.post("/my/object", given, form).status_code == 303


def proposal(told: Mapping[str, Any], policies: Path) -> list[str]:
    """The pages of a proposal that opens data of people, for an officer who did not make it."""
    one = f"/console/proposals/{proposed(told, policies, wages, PROPOSAL, 'p.costa')}"
    return [one, f"{one}/changes", f"{one}/approve", f"{one}/refuse"]


def draft(officer: Visitor) -> list[str]:
    """The pages of a new draft, with one grant and one purpose as forms."""
    at = officer.post("/console/drafts", {}, officer.get("/console/drafts")).headers["location"].split("?")[0]
    found = ["/console/drafts", f"{at}/file?checked=yes&name=purposes.yaml"]
    for way in ("", "/check", "/tests", "/changes", "/matrix", "/simulation", "/grants", "/purposes"):
        found.append(f"{at}{way}")
        if way in ("/grants", "/purposes"):
            form = re.search(rf'href="[^"]*({at}{way}/[^"]+)"', officer.get(f"{at}{way}").text)
            assert form is not None, way
            found.append(form[1])
    return found
