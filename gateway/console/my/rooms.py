"""The routes of `/my/`."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.my.overview import overview
from gateway.console.visiting import Parts, Room, entered

_ROOMS: tuple[tuple[str, str, Room], ...] = (("GET", "/my/", overview),)


def routes(parts: Parts) -> list[Route]:
    """Every route of these rooms; all are for subjects."""
    return [Route(path, entered(parts, "self", room), methods=[method]) for method, path, room in _ROOMS]
