"""All rooms of oversight."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.visiting import Parts
from gateway.console.watching import findings, inquiries, overdue, sources, standing, suspensions


def routes(parts: Parts) -> list[Route]:
    """Their routes."""
    every = (findings, inquiries, overdue, suspensions, sources, standing)
    return [route for room in every for route in room.routes(parts)]
