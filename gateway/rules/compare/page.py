"""A comparison as one page of HTML: it loads and runs nothing, and its sentences come before its matrix.

Whatever comes from policies is escaped; what stands in backticks is shown as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from gateway.catalogue.diff import Effect
from gateway.rules.compare.forms import lead, marks, why
from gateway.rules.compare.report import Comparison
from gateway.rules.compare.sentences import Told
from gateway.rules.compare.table import table
from gateway.texts import sheet

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_CODE = re.compile(r"`([^`]+)`")
_SIGNS = {Effect.WIDENS: ("opens", "+ Opens", "+ Wider"), Effect.NARROWS: ("closes", "− Closes", "− Narrower")}
_PARTS = {
    "purpose": "Purposes",
    "grant": "Grants",
    "requester": "Requesters",
    "rule": "Rules",
    "catalogue": "Catalogue",
    "calendar": "Calendar",
    "watch": "What is watched for",
    "officers": "Who approves",
}


def as_page(found: Comparison) -> Iterator[str]:
    """The page, part by part."""
    yield sheet.head("What opens and closes", _STYLE)
    yield f'<h1>What opens and closes</h1>\n<p class="lead">{escape(lead(found))}</p>\n'
    yield _sides(found)
    yield _stats(found)
    for effect, headings in ((Effect.WIDENS, ("Opens", "Also wider")), (Effect.NARROWS, ("Closes", "Also narrower"))):
        kind, *signs = _SIGNS[effect]
        for heading, sign, told in zip(headings, signs, found.told(effect), strict=True):
            if told:
                items = "".join(_item(each, kind, sign) for each in told)
                yield f'<h2>{heading}</h2>\n<ul class="diff">\n{items}</ul>\n'
    yield from _others(found)
    yield from _clients(found)
    yield "<h2>The matrix</h2>\n"
    yield from table(found)
    yield sheet.END


def _sides(found: Comparison) -> str:
    rows = "".join(
        f"<div><dt>{word}</dt><dd>{escape(side.name)}<br><code>{side.rules.digest}</code></dd></div>\n"
        for word, side in (("From", found.before), ("To", found.after))
    )
    return f'<dl class="means">\n{rows}</dl>\n'


def _stats(found: Comparison) -> str:
    wider = sum(told.effect is Effect.WIDENS for told in found.beside)
    figures = (
        (found.opened(), "opens", "open", "fields that somebody sees and did not before"),
        (found.closed, "closes", "close", "fields that somebody no longer sees"),
        (found.opened(people=True), "about people", "about people", "of what opens"),
        (found.opened(non_public=True), "not public", "not public", "of what opens"),
        (wider, "wider beside", "wider beside", "such as kept longer, asked more often, displayed longer"),
    )
    items = "".join(
        f'<li class="card"><span class="fig">{count:,} {one if count == 1 else several}</span>{said}</li>'
        for count, one, several, said in figures
    )
    return f'<ul class="stats">{items}</ul>\n'


def _item(told: Told, kind: str, sign: str) -> str:
    tags = "".join(f' <span class="tag">{mark}</span>' for mark in marks(told))
    reason = f'<br><span class="small soft">{_marked(why(told))}</span>' if why(told) else ""
    return f'<li class="{kind}"><b class="sign">{sign}</b><div>{_marked(told.text)}{tags}{reason}</div></li>\n'


def _marked(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _others(found: Comparison) -> Iterator[str]:
    """What differs and is neither wider nor narrower, by the part of the policies that it is in."""
    told = found.told(Effect.DIFFERS)[1]
    if told:
        yield "<h2>Differs too</h2>\n"
    for part, title in _PARTS.items():
        if here := [each for each in told if each.part == part]:
            yield f"<h3>{title}</h3>\n{_list([each.text for each in here])}"


def _clients(found: Comparison) -> Iterator[str]:
    if found.breaking or found.dangerous:
        yield "<h2>GraphQL clients</h2>\n"
    if found.breaking:
        yield f"<h3>Breaks them</h3>\n{_list(found.breaking)}"
    if found.dangerous:
        yield f"<h3>May surprise them</h3>\n{_list(found.dangerous)}"


def _list(texts: Sequence[str]) -> str:
    items = "".join(f"<li>{_marked(text)}</li>\n" for text in texts)
    return f"<ul>\n{items}</ul>\n"
