"""What the pages that need no sign-in have in common: their frame, and their safety headers.

Invariants: a page loads nothing from outside, and runs and wears no more than our own bundles (`gateway.web.static`),
by a Content-Security-Policy without exceptions. Addresses in a page are relative, so that it works below any path that
a proxy puts it at.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import HTMLResponse

from gateway.texts.words import Words
from gateway.web.page import escape
from gateway.web.static import address

_MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h9a7 7 0 0 1 0 14H4z"/><path d="M9 21h11V8"/></svg>'


class Place(NamedTuple):
    """Where somebody can continue: an address below the gateway's, and the name of its texts."""

    at: str
    name: str


PLACES = (
    Place("graphql", "playground"),
    Place("open/catalogue", "catalogue"),
    Place("open/organisations", "record"),
    Place("open/transparency", "transparency"),
)


def _headers(script: bool, form: bool) -> dict[str, str]:
    """What a browser is to hold a page to, with or without a script, and a form that asks."""
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
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Frame:
    """A document frame at the address `at` (as `open/catalogue`), with the pages' style and at most one script."""

    def __init__(
        self,
        words: Words,
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
        """`title` is the name of a text, `room` the place that a page below it belongs to. `script` is the name of a
        bundle, `form` whether the page has a form that asks. `skip` is the id that the first link leads to, `kind` a
        class of the body.

        The page asks nothing of the gateway by itself where it has no script.
        """
        up = "../" * at.count("/")
        self._headers = _headers(bool(script), form)
        here = {each.at: " aria-current=page" if each.at == (room or at) else "" for each in PLACES}
        places = "".join(
            f'<li><a href="{up}{each.at}"{here[each.at]}>{words(f"places.{each.name}")}</a></li>' for each in PLACES
        )
        run = f'<script type="module" src="{up}{address(script)}"></script>\n' if script else ""
        self._title, self._brand = words(title), words("brand")
        self._head = (
            f'<!doctype html>\n<html lang="{words("language")}" dir="{words.direction}">\n<head>\n'
            '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="{robots}">\n'
        )
        self._before = (
            f'<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{up}{address("pages.css")}">\n{run}'
            f'</head>\n<body class="{kind}">\n<a class="skip" href="#{skip}">{words("frame.skip")}</a>\n'
            f'<header class="top"><div class="in"><a class="brand" href="{up or "./"}">{_MARK}{self._brand}</a>'
            "</div></header>\n"
            f'<nav class="rooms" aria-label="{words("frame.public")}"><div class="in"><ul>{places}</ul></div></nav>\n'
            f'<main id="main" class="in">\n'
        )
        self._after = (
            f'\n</main>\n<footer class="foot"><div class="in"><p>{words("frame.open_foot")}</p>'
            f'<a href="{up}{address("licences.txt")}">{words("frame.licences")}</a></div></footer>\n</body>\n</html>\n'
        )

    def response(
        self, body: str, *, title: str = "", status: int = 200, headers: dict[str, str] | None = None
    ) -> HTMLResponse:
        """The page around `body`, which is HTML made with `escape`; `title` is this one's own, where it has one."""
        named = f"<title>{escape(title or self._title)} - {self._brand}</title>\n"
        content = f"{self._head}{named}{self._before}{body}{self._after}"
        return HTMLResponse(content, status, headers={**self._headers, **(headers or {})})
