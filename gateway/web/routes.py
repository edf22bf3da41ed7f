"""The plain routes, for the router behind `POST /graphql`.

RFC 9728 metadata, health for orchestrators, the playground, the open catalogue, the pages' files. None of them knows of
a subject; what each one tells comes from a port that `app` fills.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.catalogue.model import Catalogue
from gateway.config.oauth import SCOPES
from gateway.identity.issuers import ALGORITHMS
from gateway.texts.words import Words
from gateway.web.health import Readiness
from gateway.web.open.catalogue import catalogue_route
from gateway.web.open.opened import Open
from gateway.web.playground import Refuse, playground_route
from gateway.web.static import static_route

WELL_KNOWN = "/.well-known/oauth-protected-resource"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def metadata_url(public_url: str) -> str:
    """Where the metadata of this resource is (RFC 9728, 3.1): the well-known part stands before the resource's path."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def routes(
    *,
    public_url: str,
    issuers: Sequence[str],
    catalogue: Callable[[], Catalogue],
    opened: Callable[[], Awaitable[Open]],
    readiness: Readiness,
    refuse: Refuse,
    words: Words,
    client_certificates: bool = False,
) -> list[Route]:
    """All routes of this module.

    `opened` gives what the open catalogue shows. `refuse` tells a refusal as the operations of `/graphql` do.
    `words` are the texts of the pages. `client_certificates` says whether tokens bound to one can be used.
    """

    async def metadata(request: Request) -> Response:
        del request
        published = catalogue().published
        return _json(
            {
                "resource": public_url,
                "resource_name": "Dutybound",
                "authorization_servers": list(issuers),
                "scopes_supported": [*SCOPES, *(f"inquire:{dataset}" for dataset in published)],
                "bearer_methods_supported": ["header"],
                "authorization_details_types_supported": ["subject-inquiry"],
                "dpop_signing_alg_values_supported": list(ALGORITHMS),
                "dpop_bound_access_tokens_required": False,
                "tls_client_certificate_bound_access_tokens": client_certificates,
            },
            cache="public, max-age=300",
        )

    async def live(request: Request) -> Response:
        del request
        return _json({"status": "live"})

    async def ready(request: Request) -> Response:
        del request
        fine = all((await readiness.results()).values())  # which it is, is told at the management address
        return _json({"status": "ready" if fine else "not ready"}, 200 if fine else 503)

    path = urlsplit(public_url).path.rstrip("/")
    return [
        *(Route(place, metadata, methods=["GET"]) for place in dict.fromkeys((WELL_KNOWN, WELL_KNOWN + path))),
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
        Route("/graphql", playground_route(refuse, words), methods=list(METHODS)),
        static_route(),
        Route("/open/catalogue", catalogue_route(opened, public_url, words), methods=["GET"]),
        Route("/open/catalogue.jsonld", catalogue_route(opened, public_url, words, "jsonld"), methods=["GET"]),
    ]


def _json(content: Any, status: int = 200, cache: str = "no-store") -> Response:
    headers = {"Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(content), status, headers, "application/json")
