"""Pages made from templates: Jinja2, everything escaped, a name that is missing is a defect.

A template says which room it stands in; the frame around it (header, rooms, footer) is the same everywhere. Styles and
scripts are files of ours under `/assets/`, whose addresses change with their content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.console.clock import Term
from gateway.console.guarding import HEADERS
from gateway.console.names import Names
from gateway.console.said import Said, own_look, unreleased
from gateway.texts.words import Words

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript"}
PLACES = (
    ("catalogue", "/open/catalogue"), ("record", "/open/organisations"), ("transparency", "/open/transparency"),
    ("playground", "/graphql"),
)  # fmt: skip
"""The pages that everybody may see: the name of the place's text, and its path."""
_YEAR = "public, max-age=31536000, immutable"


class Pages:
    """Makes pages. `base` is the path of the gateway's public address, before each path that a page names."""

    def __init__(
        self,
        words: Words,
        names: Names,
        base: str,
        term: Callable[[str, str], Term | None] = lambda *_: None,
        bundle: Callable[[str], str] = str,
    ) -> None:
        """`term` gives the working days from when a matter was filed to its last day, as they are drawn.

        `bundle` gives the address of a script that is bundled for several kinds of page.
        """
        self.words, self.names, self.base = words, names, base
        self._assets = {
            file.name: (file.read_bytes(), _TYPES[file.suffix])
            for file in sorted((_HERE / "assets").iterdir())
            if file.suffix in _TYPES
        }
        self._digests = {name: hashlib.sha256(content).hexdigest()[:16] for name, (content, _) in self._assets.items()}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        said = Said(words, names)
        self._environment.filters |= {"said": said, "said_first": said.first, "record": said.record}
        self._environment.filters["officer"] = names.officer
        self._environment.tests |= {"own_look": own_look, "unreleased": unreleased}
        self._environment.globals |= {
            "w": words,
            "names": names,
            "url": self.url,
            "asset": self.asset,
            "bundle": lambda name: self.url(f"/{bundle(name)}"),
            "term": term,
            "places": PLACES,
        }

    def url(self, path: str) -> str:
        """The address of a path of this gateway."""
        return f"{self.base}{path}"

    def asset(self, name: str) -> str:
        """The address of a file of ours, as it is now."""
        return self.url(f"/assets/{name}?v={self._digests[name]}")

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A page."""
        return HTMLResponse(self.part(template, values), status, headers=dict(HEADERS))

    def part(self, template: str, values: Mapping[str, Any]) -> str:
        """A part of a page."""
        return self._environment.get_template(template).render(values)

    async def file(self, request: Request) -> Response:
        """`GET /assets/{name}`."""
        found = self._assets.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404, headers=dict(HEADERS))
        content, media = found
        same = request.query_params.get("v") == self._digests[request.path_params["name"]]
        headers = {**HEADERS, "Cache-Control": _YEAR if same else "no-cache"}
        return Response(content, headers=headers, media_type=media)
