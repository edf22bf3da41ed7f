"""What oversight reads by JSON routes, beside its root fields; and one inquiry, for whoever asked it.

GET  /ledger/health     how the ledger stands
POST /inquiries/open    {"reason", "inquiry"?, "day"?, "finding"?, "receipt"?}: all of one, for oversight
POST /inquiries/read    {"receipt"}: what its requester was told of one
"""

from __future__ import annotations

import asyncio

from starlette.routing import Route

from gateway.activation.loading import for_inquiries
from gateway.acts.called import Acted
from gateway.acts.office import Office
from gateway.acts.oversight.findings import overseer
from gateway.acts.oversight.health import Health
from gateway.acts.oversight.inquiries import Inquiries
from gateway.acts.oversight.then import Make, Then
from gateway.acts.plain import Asked, Plain
from gateway.config.settings import Settings

MOST_RECEIPT = 1 << 20
"""Bytes of a body with a receipt, or the answer that it stands in."""


def routes(plain: Plain, office: Office, settings: Settings, make: Make) -> list[Route]:
    """The routes. `make` makes a rule set of an archive, in another process."""
    health = Health(office, settings.ledger)
    inquiries = Inquiries(office, Then(office.store, lambda: office.rules, make, for_inquiries(settings)))

    async def standing(asked: Asked) -> Acted:
        overseer(office, asked.requester)
        return Acted(await asyncio.to_thread(health.now))

    return [
        plain.route("GET", "/ledger/health", standing),
        plain.route("POST", "/inquiries/open", inquiries.open, MOST_RECEIPT),
        plain.route("POST", "/inquiries/read", inquiries.read, MOST_RECEIPT),
    ]
