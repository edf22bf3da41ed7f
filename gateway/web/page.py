"""What every page here is made with: text that may stand in it, and who wants one instead of JSON."""

from __future__ import annotations

import markupsafe
from starlette.requests import Request


def escape(text: object) -> str:
    """Text as it may stand in an element or a quoted attribute; a text of the pages is so already."""
    return str(markupsafe.escape(text))


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
