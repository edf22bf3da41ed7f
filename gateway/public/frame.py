"""The frame of public pages: the look of people's pages, with the style in the page, so that it needs nothing else."""

from __future__ import annotations

from importlib.resources import files

from gateway.web.page import Page, escape

_STYLE = (files("gateway") / "console" / "assets" / "style.css").read_text(encoding="utf-8")
_MARK = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 3h9a7 7 0 0 1 0 14H4z"/><path d="M9 21h11V8"/></svg>'
_ROOMS = (
    ("/open/catalogue", "Catalogue"),
    ("/open/organisations", "Open record"),
    ("/open/transparency", "Transparency"),
)


def page(title: str) -> Page:
    """A page of this look; it has a form at most that asks."""
    return Page(f"{title} - Dutybound", style=_STYLE, form=True)


def framed(room: str, heading: str, content: str) -> str:
    """What stands in a page of the room `room`; `content` is HTML made with `escape`."""
    links = "".join(
        f'<li><a href="{path}"{" aria-current=" + chr(34) + "page" + chr(34) if path == room else ""}>{name}</a></li>'
        for path, name in _ROOMS
    )
    return (
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f'<header class="top"><div class="in"><a class="brand" href="/">{_MARK}Dutybound</a></div></header>\n'
        f'<nav class="rooms" aria-label="Public pages"><div class="in"><ul>{links}</ul></div></nav>\n'
        f'<main id="main" class="in">\n<h1>{escape(heading)}</h1>\n{content}\n</main>\n'
        '<footer class="foot"><div class="in"><p>Open to everybody, without signing in. Nothing here scores, ranks or'
        " lists people.</p></div></footer>"
    )


def table(caption: str, heads: list[str], rows: list[list[str]], numbers: frozenset[int] = frozenset()) -> str:
    """A table that is cards on a phone; the first cell of a row names it, and the columns `numbers` are figures."""

    def cls(place: int) -> str:
        return ' class="num"' if place in numbers else ""

    head = "".join(
        f'<th scope="col" role="columnheader"{cls(place)}>{escape(name)}</th>' for place, name in enumerate(heads)
    )
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{escape(first)}</th>'
        + "".join(
            f'<td role="cell"{cls(place)} data-label="{escape(heads[place])}"><span>{escape(cell)}</span></td>'
            for place, cell in enumerate(others, 1)
        )
        + "</tr>"
        for first, *others in rows
    )
    return (
        f'<table class="stack framed" role="table"><caption class="hide">{escape(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody></table>'
    )
