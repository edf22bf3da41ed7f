"""What a public page shows its figures and records in: a table that a phone can read too."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.web.page import escape


def table(caption: str, heads: Sequence[str], rows: list[list[str]], numbers: frozenset[int] = frozenset()) -> str:
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
