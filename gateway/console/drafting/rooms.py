"""The routes of these rooms."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.drafting import drafts, editing, granting, purposing, simulating, trying
from gateway.console.visiting import MOST_FORM, Parts, entered

MOST_TEXT = 3 * 1024 * 1024 + MOST_FORM
"""Bytes of a form with a file, in which a byte can take three."""


def routes(parts: Parts) -> list[Route]:
    """All of them."""
    draft = "/console/drafts/{id}"
    grant = f"{draft}/grants/{{entry}}/{{number}}"
    every = (
        ("GET", "/console/drafts", drafts.listed, MOST_FORM),
        ("POST", "/console/drafts", drafts.begin, MOST_FORM),
        ("GET", draft, drafts.shown, MOST_FORM),
        ("POST", f"{draft}/discard", drafts.discard, MOST_FORM),
        ("POST", f"{draft}/propose", drafts.propose, MOST_FORM),
        ("GET", f"{draft}/file", editing.edit, MOST_FORM),
        ("POST", f"{draft}/file", editing.save, MOST_TEXT),
        ("POST", f"{draft}/file/check", editing.checked, MOST_TEXT),
        ("POST", f"{draft}/file/remove", editing.remove, MOST_FORM),
        ("GET", f"{draft}/check", trying.check, MOST_FORM),
        ("GET", f"{draft}/tests", trying.tests, MOST_FORM),
        ("GET", f"{draft}/changes", trying.changes, MOST_FORM),
        ("GET", f"{draft}/grants", granting.listed, MOST_FORM),
        ("GET", grant, granting.edit, MOST_FORM),
        ("POST", grant, granting.save, MOST_FORM),
        ("GET", f"{draft}/purposes", purposing.listed, MOST_FORM),
        ("GET", f"{draft}/purposes/{{name}}", purposing.edit, MOST_FORM),
        ("POST", f"{draft}/purposes/{{name}}", purposing.save, MOST_FORM),
        ("GET", f"{draft}/matrix", trying.matrix, MOST_FORM),
        ("GET", f"{draft}/simulation", simulating.simulation, MOST_FORM),
        ("POST", f"{draft}/simulation", simulating.begin, MOST_FORM),
        ("POST", f"{draft}/simulation/stop", simulating.stop, MOST_FORM),
    )
    return [Route(path, entered(parts, "officer", room, most), methods=[method]) for method, path, room, most in every]
