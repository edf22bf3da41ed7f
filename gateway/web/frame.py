"""What the pages that need no sign-in have in common: their frame, and their safety headers.

Invariants: a page loads nothing from outside, and runs and wears no more than our own bundles (`gateway.web.static`),
by a Content-Security-Policy without exceptions. Addresses in a page are relative, so that it works below any path that
a proxy puts it at.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import HTMLResponse

from gateway.web.page import escape
from gateway.web.static import address

_MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h9a7 7 0 0 1 0 14H4z"/><path d="M9 21h11V8"/></svg>'
_FOOT = (
    "Each inquiry is decided by published rules and entered in a ledger. Nothing here scores, ranks or lists people."
)


class Place(NamedTuple):
    """Where somebody can go on: an address below the gateway's, what it is called, and what it is for."""

    at: str
    name: str
    about: str


PLACES = (
    Place("graphql", "Playground", "For requesters: write an inquiry, see what the schema has, and read the receipt."),
    Place("open/catalogue", "Catalogue", "For everybody: what authorities may share here, and by which law."),
    Place("open/organisations", "Open record", "For everybody: what the law opens about one organisation."),
    Place("open/transparency", "Transparency", "For everybody: how much was shared, refused and recalled each month."),
)


class Frame:
    """A document frame at the address `at` (as `open/catalogue`), with the pages' style and at most one script."""

    def __init__(
        self,
        title: str,
        at: str,
        *,
        room: str = "",
        script: str = "",
        form: bool = False,
        robots: str = "noindex",
        skip: str = "main",
        kind: str = "",
    ) -> None:
        """`room` is the place that a page below it belongs to, `script` the name of a bundle, `form` whether the page
        has one that asks, `skip` the id that the first link leads to, `kind` a class of the body.

        The page asks nothing of the gateway by itself where it has no script.
        """
        up = "../" * at.count("/")
        policy = [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'" if script else "script-src 'none'",
            "connect-src 'self'" if script else "connect-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'self'" if form else "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
        self._headers = {
            "Content-Security-Policy": "; ".join(policy),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        places = "".join(
            f'<li><a href="{up}{each.at}"{" aria-current=page" if each.at == (room or at) else ""}>{each.name}</a></li>'
            for each in PLACES
        )
        run = f'<script type="module" src="{up}{address(script)}"></script>\n' if script else ""
        self._title = title
        self._head = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="{robots}">\n'
        )
        self._before = (
            f'<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{up}{address("pages.css")}">\n{run}'
            f'</head>\n<body class="{kind}">\n<a class="skip" href="#{skip}">Skip to the content</a>\n'
            f'<header class="top"><div class="in"><a class="brand" href="{up or "./"}">{_MARK}Dutybound</a>'
            "</div></header>\n"
            f'<nav class="rooms" aria-label="Open pages"><div class="in"><ul>{places}</ul></div></nav>\n'
            f'<main id="main" class="in">\n'
        )
        self._after = (
            f'\n</main>\n<footer class="foot"><div class="in"><p>{_FOOT}</p>'
            f'<a href="{up}{address("licences.txt")}">Licences of the scripts</a></div></footer>\n</body>\n</html>\n'
        )

    def response(
        self, body: str, *, title: str = "", status: int = 200, headers: dict[str, str] | None = None
    ) -> HTMLResponse:
        """The page around `body`, which is HTML made with `escape`; `title` is this one's own, where it has one."""
        named = f"<title>{escape(title or self._title)} - Dutybound</title>\n"
        content = f"{self._head}{named}{self._before}{body}{self._after}"
        return HTMLResponse(content, status, headers={**self._headers, **(headers or {})})
