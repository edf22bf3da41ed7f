"""What the pages of this folder have in common: their frame, and their safety headers.

Invariants: a page loads nothing from outside, and runs and wears no more than our own bundles (`gateway.web.static`),
by a Content-Security-Policy without exceptions. Addresses in a page are relative, so that it works below any path that
a proxy puts it at.
"""

from __future__ import annotations

from starlette.responses import HTMLResponse

from gateway.web.page import escape
from gateway.web.static import address

_MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h9a7 7 0 0 1 0 14H4z"/><path d="M9 21h11V8"/></svg>'
_PLACES = (
    ("graphql", "Playground"),
    ("open/catalogue", "Catalogue"),
    ("open/organisations", "Open record"),
    ("open/transparency", "Transparency"),
)
_FOOT = (
    "Each inquiry is decided by published rules and entered in a ledger. Nothing here scores, ranks or lists people."
)


class Frame:
    """A document frame at the address `at` (as `open/catalogue`), with the pages' style and at most one script."""

    def __init__(
        self, title: str, at: str, *, script: str = "", robots: str = "noindex", skip: str = "main", kind: str = ""
    ) -> None:
        """`script` is the name of a bundle, `skip` the id that the first link leads to, `kind` a class of the body.

        The page asks nothing of the gateway where it has no script.
        """
        up = "../" * at.count("/")
        policy = [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'" if script else "script-src 'none'",
            "connect-src 'self'" if script else "connect-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
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
            f'<li><a href="{up}{place}"{" aria-current=page" if place == at else ""}>{name}</a></li>'
            for place, name in _PLACES
        )
        run = f'<script type="module" src="{up}{address(script)}"></script>\n' if script else ""
        self._before = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="{robots}">\n<title>{escape(title)} - Dutybound</title>\n'
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

    def response(self, body: str, *, headers: dict[str, str] | None = None) -> HTMLResponse:
        """The page around `body`, which is HTML made with `escape`."""
        return HTMLResponse(f"{self._before}{body}{self._after}", headers={**self._headers, **(headers or {})})
