"""A compliance report as one page of HTML: it loads and runs nothing, and has each figure of its charts in a table.

Departments are in the order of their names, charts that are compared have one scale, and no colour says what is good.
Whatever comes from entries or policies is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from gateway.recall.reporting import charts, words
from gateway.recall.reporting.charts import Row
from gateway.recall.reporting.compliance import Figures
from gateway.recall.reporting.report import Report
from gateway.recall.reporting.words import COLUMNS
from gateway.texts import sheet

_STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def as_page(report: Report, titles: Mapping[str, str]) -> Iterator[str]:
    """The page, part by part."""
    yield sheet.head("How recalls were answered", _STYLE)
    yield f'<h1>How recalls were answered</h1>\n<p class="lead">{escape(lead(report))}</p>\n'
    if report.departments:
        yield from _whole(report, titles)
        if len(report.periods) > 1:
            yield from _periods(report, titles)
    else:
        yield '<p class="none">No recall was sent, no grant was suspended, and no objection was late.</p>\n'
    yield _meaning(report)
    yield sheet.END


def lead(report: Report) -> str:
    """The report in some sentences."""
    every, days = report.of(None), words.span(report)
    if not every.sent:
        told = f"No recall was sent {days}."
    else:
        receivers = sum(report.of(each).sent > 0 for each in report.departments)
        told = (
            f"{_many(every.sent, 'recall was', 'recalls were')} sent to {_many(receivers, 'department', 'departments')}"
            f" {days}. Of these, {every.acknowledged:,} were acknowledged and {every.refused:,} refused;"
            f" {every.unanswered:,} had no answer yet on {words.minute(report)}. {every.overdue:,} were not"
            " acknowledged by their term."
        )
    suspended = _many(every.suspensions, "grant was", "grants were")
    late = _many(every.late_objections, "objection was", "objections were")
    return f"{told} {suspended[0].upper()}{suspended[1:]} suspended, and {late} not decided in time."


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {several}" if count > 1 else f"{count or 'no'} {one}"


def _whole(report: Report, titles: Mapping[str, str]) -> Iterator[str]:
    """All departments over the whole time: two charts, and the table."""
    names = {each: words.title(titles, each) for each in words.ordered(report, titles)}
    sent = [(each, report.of(each)) for each in names if report.of(each).sent]
    yield "<h2>Each department</h2>\n"
    yield '<div class="charts two">\n'
    if sent:
        said = "Recalls that were sent to each department, and how many of them were acknowledged"
        rows = [
            Row(names[each], found.acknowledged, found.sent, f"{found.acknowledged:,} of {found.sent:,}")
            for each, found in sent
        ]
        legend = (("sent", "sent"), ("done", "acknowledged"))
        drawn = charts.bars(f"{said}. The table has every figure.", rows, charts.whole)
        yield _figure(said, legend, drawn)
    timed = [(each, found) for each, found in sent if found.p50 is not None and found.p95 is not None]
    if timed:
        said = "How long it took to acknowledge a recall"
        rows = [
            Row(names[each], (found.p50 or 0) / 1e6, (found.p95 or 0) / 1e6, words.duration((found.p95 or 0) / 1e6))
            for each, found in timed
        ]
        drawn = charts.ranges(f"{said}. The table has every figure.", rows, words.duration, _end_of(rows))
        yield _figure(said, (("range", "from half of them within (dot) to 95 of 100 within (stroke)"),), drawn)
    yield "</div>\n"
    rows_ = [(name, report.of(each)) for each, name in names.items()]
    yield _table("Each department, over the whole time", "Department", rows_, report.of(None), "All departments")


def _end_of(rows: Sequence[Row]) -> float:
    """The end of an axis of times: a round number of the largest unit that is in them."""
    most = max(row.outer for row in rows)
    unit = next((size for size, _ in _UNITS if most >= size), 1)
    return charts.nice(most / unit) * unit


def _periods(report: Report, titles: Mapping[str, str]) -> Iterator[str]:
    """Each department by period: small charts of one scale, and the tables."""
    departments = words.ordered(report, titles)
    sent = [each for each in departments if report.of(each).sent]
    if sent:
        yield "<h2>Over time</h2>\n"
        yield _legend((("sent", "sent"), ("done", "acknowledged, of those sent in that period")))
        end = charts.nice(max(report.of(each, name).sent for each in sent for name in report.periods))
        yield '<div class="charts">\n'
        for each in sent:
            found, title = report.of(each), words.title(titles, each)
            said = f"{_many(found.sent, 'recall', 'recalls')}, {found.acknowledged:,} acknowledged"
            rows = [
                Row(words.short(name), report.of(each, name).acknowledged, report.of(each, name).sent, "")
                for name in report.periods
            ]
            drawn = charts.columns(f"{title}: {said}, by period. The table below has every figure.", rows, end)
            yield (
                f'<figure class="chart card"><figcaption>{escape(title)}</figcaption>'
                f'<p class="small soft">{escape(said)}</p>{drawn}</figure>\n'
            )
        yield "</div>\n"
    yield "<h2>The figures of each period</h2>\n"
    for department in (*departments, None):
        name = "All departments" if department is None else words.title(titles, department)
        rows_ = [(words.period(each), report.of(department, each)) for each in report.periods]
        table = _table(name, "Period", rows_, report.of(department), "The whole time")
        yield f"<details><summary>{escape(name)}</summary>\n{table}</details>\n"


def _figure(said: str, legend: Sequence[tuple[str, str]], drawn: str) -> str:
    return f'<figure class="chart card"><figcaption>{escape(said)}</figcaption>\n{_legend(legend)}{drawn}</figure>\n'


def _legend(signs: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li>{charts.key(kind)}{escape(text)}</li>" for kind, text in signs)
    return f'<ul class="legend">{items}</ul>\n'


def _table(caption: str, heading: str, rows: Sequence[tuple[str, Figures]], total: Figures, whole: str) -> str:
    """A table that can be scrolled sideways, also by the keyboard."""
    heads = "".join(f'<th scope="col" class="num">{escape(column.heading)}</th>' for column in COLUMNS)
    body = "".join(_row(name, figures) for name, figures in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>\n'
        f"<caption>{escape(caption)}</caption>\n"
        f'<thead><tr><th scope="col">{escape(heading)}</th>{heads}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n<tfoot>\n{_row(whole, total)}</tfoot>\n</table></div>\n"
    )


def _row(name: str, figures: Figures) -> str:
    cells = "".join(f'<td class="num">{escape(cell)}</td>' for cell in words.cells(figures))
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>\n'


def _meaning(report: Report) -> str:
    """What each figure counts, and what was read for it."""
    means = "".join(
        f"<div><dt>{escape(column.heading)}</dt><dd>{escape(column.means)}.</dd></div>\n" for column in COLUMNS
    )
    how = "".join(f"<p>{escape(each)}</p>\n" for each in (*words.HOW, words.lost(report)) if each)
    read = "".join(
        f"<li>{escape(words.of_shard(shard))}; root <code>{base64.b64encode(shard.root).decode()}</code></li>\n"
        for shard in report.shards
    )
    zone = escape(report.wanted.zone.key)
    return (
        f'<h2>What is counted</h2>\n<dl class="means">\n{means}</dl>\n{how}'
        f"<h2>What was read</h2>\n<p>Days are those of the time zone {zone}. Whoever follows the ledger's published log"
        f" can check this report against it: what was read has these roots.</p>\n<ul>\n{read}</ul>\n"
    )
