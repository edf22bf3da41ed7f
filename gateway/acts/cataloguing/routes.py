"""The routes by which stewards act on the catalogue: `POST /catalogue/<dataset>/consult`, and what follows it."""

from __future__ import annotations

from starlette.routing import Route

from gateway.acts.called import Acted
from gateway.acts.cataloguing.supplements import MOST_CONSULTED, Consulted, Moved, Retired, Supplements
from gateway.acts.plain import Asked, Plain


def routes(plain: Plain, acts: Supplements) -> list[Route]:
    """A route for each act."""

    async def consult(asked: Asked) -> Acted:
        return await acts.consult(asked.requester, asked.path["dataset"], asked.of(Consulted))

    async def approve(asked: Asked) -> Acted:
        return await acts.approve(asked.requester, asked.path["dataset"], asked.of(Moved))

    async def publish(asked: Asked) -> Acted:
        return await acts.publish(asked.requester, asked.path["dataset"], asked.of(Moved))

    async def retire(asked: Asked) -> Acted:
        return await acts.retire(asked.requester, asked.path["dataset"], asked.of(Retired))

    return [
        plain.route("POST", "/catalogue/{dataset}/consult", consult, MOST_CONSULTED),
        plain.route("POST", "/catalogue/{dataset}/approve", approve),
        plain.route("POST", "/catalogue/{dataset}/publish", publish),
        plain.route("POST", "/catalogue/{dataset}/retire", retire),
    ]
