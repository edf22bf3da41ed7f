"""The routes of these rooms."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.drafting import drafts, editing, granting, purposing, simulating, trying
from gateway.console.forms import MOST_FORM
from gateway.console.returning import returned
from gateway.console.visiting import Parts, entered

MOST_TEXT = 3 * 1024 * 1024 + MOST_FORM
"""Bytes of a form with a file, in which a byte can take three."""


def routes(parts: Parts) -> list[Route]:
    """All of them."""
    draft = "/console/drafts/{id}"
    grant = f"{draft}/grants/{{entry}}/{{number}}"
    every = (
        ("GET", "/console/drafts", drafts.listed),
        ("POST", "/console/drafts", drafts.begin),
        ("GET", draft, drafts.shown),
        ("POST", f"{draft}/discard", drafts.discard),
        ("POST", f"{draft}/propose", returned(drafts.propose, drafts.proposing)),
        ("GET", f"{draft}/file", editing.edit),
        ("POST", f"{draft}/file/remove", editing.remove),
        ("GET", f"{draft}/check", trying.check),
        ("GET", f"{draft}/tests", trying.tests),
        ("GET", f"{draft}/changes", trying.changes),
        ("GET", f"{draft}/grants", granting.listed),
        ("GET", grant, granting.edit),
        ("POST", grant, returned(granting.save, granting.form)),
        ("GET", f"{draft}/purposes", purposing.listed),
        ("GET", f"{draft}/purposes/{{name}}", purposing.edit),
        ("POST", f"{draft}/purposes/{{name}}", returned(purposing.save, purposing.form)),
        ("GET", f"{draft}/matrix", trying.matrix),
        ("GET", "/console/matrix", trying.active_matrix),
        ("GET", "/console/rules/{name:path}", trying.active_file),
        ("GET", f"{draft}/simulation", simulating.simulation),
        ("POST", f"{draft}/simulation", returned(simulating.begin, simulating.form)),
        ("POST", f"{draft}/simulation/stop", simulating.stop),
    )
    save = returned(editing.save, editing.written)
    texts = ((f"{draft}/file", save), (f"{draft}/file/check", editing.checked))
    return [
        *(Route(path, entered(parts, "officer", room), methods=[method]) for method, path, room in every),
        *(Route(path, entered(parts, "officer", room, MOST_TEXT), methods=["POST"]) for path, room in texts),
    ]
