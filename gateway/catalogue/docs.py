"""The published catalogue for people to read: Markdown, or one HTML page without any asset (Arts. 20, 26).

Only published datasets are in it. What policy files say is text, never markup: all of it is escaped. Pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gateway.catalogue import describe
from gateway.catalogue.model import Catalogue, Dataset
from gateway.nouns import counted

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #bbb;"
    "padding:.3rem .6rem;text-align:left}th{background:#f2f2f2}code{font-family:ui-monospace,monospace}"
)


class _Table(NamedTuple):
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def _facts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield "Dataset", dataset.id
    where = "fields of the subject itself" if dataset.shape == "subject" else f"field {dataset.graphql_name}"
    yield "In the schema", where
    yield "About", " and ".join(f"{kind}s" for kind in dataset.subjects)
    yield "Legal basis", "; ".join(map(describe.basis, dataset.basis))
    yield "Disclosure", f"{describe.INFORMATION[dataset.information]}, {describe.DISCLOSURE[dataset.disclosure]}"
    if dataset.open_law:
        yield "Open by", dataset.open_law
    yield "Nature", dataset.nature
    yield "Display", describe.display(dataset.display)
    yield "Restoration", "a corrected subject may apply" if dataset.restorable else "none"
    if dataset.override:
        yield "Reserved word", dataset.override


def _fields(dataset: Dataset) -> _Table:
    rows = [
        (field.name, str(field.type), f"{field.title} ({field.override})" if field.override else field.title)
        for field in dataset.fields.values()
    ]
    return _Table(("Field", "Type", "Holds"), rows)


def _schemes(catalogue: Catalogue) -> _Table:
    rows = [
        (scheme.name, scheme.title, " and ".join(f"{kind}s" for kind in scheme.subjects))
        for scheme in catalogue.schemes.values()
    ]
    return _Table(("Scheme", "Title", "Names"), rows)


def _parts(catalogue: Catalogue) -> Iterator[tuple[int, str, list[tuple[str, str]], _Table | None]]:
    """The document as (level of the heading, heading, facts, table)."""
    published = catalogue.published.values()
    count = counted(len(published), "published dataset")
    yield 1, "Catalogue", [("Version", catalogue.digest), ("Holds", count)], None
    yield 2, "Identifiers", [], _schemes(catalogue)
    for department, title in catalogue.departments.items():
        datasets = [dataset for dataset in published if dataset.department == department]
        if datasets:
            yield 2, title, [], None
        for dataset in datasets:
            yield 3, dataset.title, list(_facts(dataset)), _fields(dataset)


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", re.sub(r"\s+", " ", text)).strip()


def markdown(catalogue: Catalogue) -> str:
    """The published catalogue as Markdown (CommonMark with tables)."""
    lines: list[str] = []
    escape = _escape_markdown
    for level, heading, facts, table in _parts(catalogue):
        lines += [f"{'#' * level} {escape(heading)}", ""]
        if facts:
            lines += [*(f"- {name}: {escape(value)}" for name, value in facts), ""]
        if table:
            lines += [_row(table.head, escape), _row(["---"] * len(table.head), str)]
            lines += [*(_row(row, escape) for row in table.rows), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str], escape: Callable[[str], str]) -> str:
    return f"| {' | '.join(map(escape, cells))} |"


def page(catalogue: Catalogue) -> str:
    """The published catalogue as one HTML page that loads nothing."""
    body: list[str] = []
    escape = html.escape
    for level, heading, facts, table in _parts(catalogue):
        body.append(f"<h{level}>{escape(heading)}</h{level}>")
        if facts:
            body += ["<dl>", *(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts), "</dl>"]
        if table:
            head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
            body += ["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
            body += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows]
            body += ["</tbody>", "</table>"]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Catalogue</title><style>{_STYLE}</style></head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )
