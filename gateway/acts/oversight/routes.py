"""What oversight reads by JSON routes, beside its root fields.

GET  /ledger/health     how the ledger stands
"""

from __future__ import annotations

import asyncio

from starlette.routing import Route

from gateway.acts.graphql import Acted
from gateway.acts.office import Office
from gateway.acts.oversight.findings import overseer
from gateway.acts.oversight.health import Health
from gateway.acts.plain import Asked, Plain
from gateway.settings import Settings


def routes(plain: Plain, office: Office, settings: Settings) -> list[Route]:
    """The routes; all are for officials with a token of oversight."""
    health = Health(office, settings.ledger)

    async def standing(asked: Asked) -> Acted:
        overseer(office, asked.requester)
        return Acted(await asyncio.to_thread(health.now))

    return [plain.route("GET", "/ledger/health", standing)]
