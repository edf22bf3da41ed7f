"""`/open/catalogue`: what may be shared, for everyone to read (Arts. 20, 21). Published datasets and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.catalogue.model import Basis, Catalogue, Dataset
from gateway.catalogue.schema import catalogue_rows
from gateway.web.page import Page, escape, wants_page

_PAGE = Page("The catalogue", robots="index")


def catalogue_document(catalogue: Catalogue) -> dict[str, Any]:
    """The published catalogue as plain JSON values; names as in the GraphQL schema's `Dataset`."""
    return {
        "digest": catalogue.digest,
        "departments": dict(catalogue.departments),
        "identifierSchemes": [
            {"name": scheme.name, "title": scheme.title, "subjects": list(scheme.subjects)}
            for scheme in catalogue.schemes.values()
        ],
        "datasets": catalogue_rows(catalogue),
    }


def catalogue_route(catalogue: Callable[[], Catalogue]) -> Callable[[Request], Any]:
    """The endpoint for the catalogue in force, JSON or a page by content negotiation, tagged with its digest."""

    async def endpoint(request: Request) -> Response:
        current = catalogue()
        page = wants_page(request)
        tag = f'"{current.digest}-{"page" if page else "json"}"'
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public, max-age=60"}
        if tag in (known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        if page:
            return _PAGE.response(_body(current), headers=headers)
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(msgspec.json.encode(catalogue_document(current)), 200, headers, "application/json")

    return endpoint


def _body(catalogue: Catalogue) -> str:
    parts = [
        "<header><h1>What authorities may share here</h1>"
        "<p>Nothing that is not in this catalogue can be asked for.</p></header>\n<main>"
    ]
    for department, title in catalogue.departments.items():
        datasets = [d for d in catalogue.published.values() if d.department == department]
        if datasets:
            parts.append(f'<section aria-label="{escape(title)}"><h2>{escape(title)}</h2>')
            parts.extend(map(_section, datasets))
            parts.append("</section>")
    parts.append(f"<p>Version <code>{escape(catalogue.digest)}</code></p></main>")
    return "\n".join(parts)


def _section(dataset: Dataset) -> str:
    display = dataset.display
    shown = ""
    if display:
        least, most = display.min and display.min.text, display.max and display.max.text
        shown = f", displayed at least {escape(least or '-')} and at most {escape(most or '-')}"
    fields = "".join(
        f"<tr><td><code>{escape(f.name)}</code></td><td>{escape(f.title)}</td><td>{escape(f.type.value)}</td></tr>"
        for f in dataset.fields.values()
    )
    facts = f"{dataset.information.replace('_', '-')}, {dataset.disclosure}, {dataset.nature}"
    return (
        f'<h3 id="{escape(dataset.id)}">{escape(dataset.title)} <code>{escape(dataset.id)}</code></h3>\n'
        f"<p>About: {escape(', '.join(dataset.subjects))}; {escape(facts)}{shown}. "
        f"Legal basis: {escape('; '.join(map(_law, dataset.basis)))}.</p>\n"
        '<table><thead><tr><th scope="col">Field</th><th scope="col">Meaning</th><th scope="col">Type</th></tr>'
        f"</thead><tbody>{fields}</tbody></table>"
    )


def _law(basis: Basis) -> str:
    return f"{basis.law}, article {basis.article}" if basis.article else basis.law
