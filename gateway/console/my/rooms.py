"""The routes of `/my/`."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.my import consents, copy, keeping, matters
from gateway.console.my.looked import looked
from gateway.console.my.overview import overview
from gateway.console.returning import returned
from gateway.console.visiting import Parts, Room, entered

_ROOMS: tuple[tuple[str, str, Room], ...] = (
    ("GET", "/my/", overview),
    ("GET", "/my/looked", looked),
    ("GET", "/my/consents", consents.consents),
    ("GET", "/my/consents/requests/{id}", consents.request),
    ("POST", "/my/consents/requests/{id}", returned(consents.answer, consents.asked)),
    ("POST", "/my/consents/{id}/revoke", consents.revoke),
    ("GET", "/my/matters", matters.matters),
    ("POST", "/my/matters/{id}/withdraw", matters.withdraw),
    ("GET", "/my/object", matters.objecting),
    ("POST", "/my/object", returned(matters.object_, matters.objection)),
    ("GET", "/my/restore", matters.applying),
    ("POST", "/my/restore", returned(matters.apply, matters.application)),
    ("GET", "/my/keeping", keeping.keeping),
    ("POST", "/my/keeping", keeping.keep),
    ("GET", "/my/copy", copy.copy),
    ("GET", "/my/copy.json", copy.as_json),
    ("GET", "/my/copy/print", copy.as_pages),
)


def routes(parts: Parts) -> list[Route]:
    """Every route of these rooms; all are for subjects."""
    return [Route(path, entered(parts, "self", room), methods=[method]) for method, path, room in _ROOMS]
