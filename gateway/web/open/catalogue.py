"""`/open/catalogue`: what may be shared, and how it came to be, for everyone to read (Arts. 20, 21).

Published datasets; and every definition that was consulted on, with its notice, its term and what became of it, by the
department and never by a person. As JSON, as a page, and as DCAT-AP for data portals (`gateway.web.open.dcat`). Each
form is made once for what it says, and tagged with a digest of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.catalogue.definitions import digest
from gateway.catalogue.graphql.schema import catalogue_rows
from gateway.catalogue.model import Catalogue
from gateway.errors import Refusal
from gateway.texts.words import Words
from gateway.web.open import dcat
from gateway.web.open.catalogue_page import CataloguePage
from gateway.web.open.opened import Open, Told
from gateway.web.page import wants_page

FORMS = ("json", "html", "jsonld")
LINKED = "application/ld+json"


def catalogue_document(shown: Open) -> dict[str, Any]:
    """The published catalogue as plain JSON values; names as in the GraphQL schema's `Dataset`."""
    catalogue = shown.catalogue
    rows = catalogue_rows(catalogue)
    for row, dataset in zip(rows, catalogue.published.values(), strict=True):
        row["definition"] = digest(dataset)
    return {
        "digest": catalogue.digest,
        "departments": dict(catalogue.departments),
        "identifierSchemes": [
            {"name": scheme.name, "title": scheme.title, "subjects": list(scheme.subjects)}
            for scheme in catalogue.schemes.values()
        ],
        "datasets": rows,
        "purposes": [
            {
                "id": each.name,
                "title": each.title,
                "basis": [{"law": basis.law, "article": basis.article} for basis in each.basis],
            }
            for each in shown.purposes.values()
        ],
        "supplements": [_supplement(each) for each in shown.history.supplements],
    }


def _supplement(told: Told) -> dict[str, Any]:
    return {
        "dataset": told.dataset,
        "department": told.department,
        "title": told.proposed.title,
        "state": told.state,
        "definition": told.definition,
        "basis": [{"law": basis.law, "article": basis.article} for basis in told.proposed.basis],
        "proposed": catalogue_rows(Catalogue({told.dataset: told.proposed}, {}, {}, ""))[0],
        "until": told.until,
        "history": [
            {
                "step": step.step,
                "at": step.at,
                **({"days": step.days, "until": step.until} if step.days else {}),
                **({"words": step.words} if step.words else {}),
                **({"outcome": step.outcome} if step.outcome else {}),
            }
            for step in told.steps
        ],
    }


def catalogue_route(
    shown: Callable[[], Awaitable[Open]], public_url: str, words: Words, form: str | None = None
) -> Callable[[Request], Any]:
    """The endpoint for the catalogue in force: in a `form`, or in the one that the request asks for."""
    made: dict[str, tuple[Open, bytes, str]] = {}
    page = CataloguePage(words)

    async def endpoint(request: Request) -> Response:
        wanted = form or request.query_params.get("format") or _liked(request)
        if wanted not in FORMS:
            message = f"`format` is one of {', '.join(FORMS)}"
            return Response(msgspec.json.encode({"error": message}), 400, media_type="application/json")
        try:
            now = await shown()
        except Refusal as refusal:
            content = msgspec.json.encode({"error": refusal.message})
            return Response(
                content, refusal.status, {**refusal.headers, "Cache-Control": "no-store"}, "application/json"
            )
        known = made.get(wanted)
        if known is None or not now.same_as(known[0]):
            body = page.body(now).encode() if wanted == "html" else _bytes(now, wanted, public_url)
            known = made[wanted] = (now, body, f'"{hashlib.sha256(body).hexdigest()}"')
        _, body, tag = known
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public, max-age=60"}
        if tag in (each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        if wanted == "html":
            return page.frame.response(body.decode(), headers=headers)
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(body, 200, headers, LINKED if wanted == "jsonld" else "application/json")

    return endpoint


def _bytes(now: Open, form: str, public_url: str) -> bytes:
    if form == "jsonld":
        return msgspec.json.encode(dcat.document(now, public_url))
    return msgspec.json.encode(catalogue_document(now))


def _liked(request: Request) -> str:
    """By the `Accept` header: linked data where it is named, a page for browsers, else JSON."""
    accepted = ",".join(request.headers.getlist("accept")).lower()
    if LINKED in accepted:
        return "jsonld"
    return "html" if wants_page(request) else "json"
