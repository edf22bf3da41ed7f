"""All rooms of oversight."""

from __future__ import annotations

from starlette.routing import Route

from gateway.console.visiting import Parts
from gateway.console.watching import findings, inquiries, overdue, standing


def routes(parts: Parts) -> list[Route]:
    """Their routes."""
    return [*findings.routes(parts), *inquiries.routes(parts), *overdue.routes(parts), *standing.routes(parts)]
