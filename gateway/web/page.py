"""A page that stands alone, with its style in it: its safety headers, and who wants a page instead of JSON.

Invariants: a page loads nothing and runs no script, by a Content-Security-Policy with the digest of exactly its style;
every text is escaped here, once.
"""

from __future__ import annotations

import base64
import hashlib
import html

from starlette.requests import Request
from starlette.responses import HTMLResponse


def escape(text: object) -> str:
    """Text as it may stand in an element or a quoted attribute."""
    return html.escape(str(text), quote=True)


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


class Page:
    """A document frame with one style, whose digest is worked out once."""

    def __init__(self, title: str, *, style: str = "", robots: str = "noindex", form: bool = False) -> None:
        self._style = style
        policy = [
            "default-src 'none'",
            f"style-src {_digest(self._style)}",
            "script-src 'none'",
            "connect-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'self'" if form else "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
        self._title = title
        self._robots = robots
        self._headers = {
            "Content-Security-Policy": "; ".join(policy),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    def response(
        self, body: str, *, title: str = "", status: int = 200, headers: dict[str, str] | None = None
    ) -> HTMLResponse:
        """The page around `body`, which is HTML made with `escape`; `title` is this one's own, where it has one."""
        content = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="robots" content="{self._robots}">\n'
            f'<title>{escape(title or self._title)}</title>\n<link rel="icon" href="data:,">\n'
            f"<style>{self._style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
        )
        return HTMLResponse(content, status, headers={**self._headers, **(headers or {})})


def wants_page(request: Request) -> bool:
    """Whether the client names `text/html` and likes JSON no better; `*/*` and silence mean JSON."""
    qualities: dict[str, float] = {}
    for part in ",".join(request.headers.getlist("accept")).lower().split(",")[:64]:
        essence, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        qualities[essence] = quality
    page = qualities.get("text/html", 0.0)
    return page > 0 and page >= qualities.get("application/json", 0.0)
