"""The page of a compliance report: whole by itself, each figure in a table, charts in proportion, nothing judged."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import zoneinfo
from html.parser import HTMLParser

import pytest

from gateway.recall.reporting import charts, words
from gateway.recall.reporting import page as report_page
from gateway.recall.reporting.charts import Row
from gateway.recall.reporting.compliance import Figures
from gateway.recall.reporting.report import Key, Report, Shard, Wanted

HOUR = 3_600_000_000
AT = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)
TITLES = {"tax": 'Tax <b>Service</b> & "Co"', "labour": "Labour Office"}
FIGURES: dict[Key, Figures] = {
    ("tax", "2026-10"): Figures(8, 7, 6, 1, 1, 1, 2, 3 * HOUR, 40 * HOUR),
    ("tax", "2026-11"): Figures(1204, 900, 800, 0, 4, 400, 404, HOUR, 9 * HOUR, late_objections=3),
    ("labour", "2026-11"): Figures(suspensions=2, suspensions_ended=1),
    ("tax", None): Figures(1212, 907, 806, 1, 5, 401, 406, HOUR, 9 * HOUR, late_objections=3),
    ("labour", None): Figures(suspensions=2, suspensions_ended=1),
    (None, "2026-10"): Figures(8, 7, 6, 1, 1, 1, 2, 3 * HOUR, 40 * HOUR),
    (None, "2026-11"): Figures(1204, 900, 800, 0, 4, 400, 404, HOUR, 9 * HOUR, 2, 1, 3),
    (None, None): Figures(1212, 907, 806, 1, 5, 401, 406, HOUR, 9 * HOUR, 2, 1, 3),
}


def report(figures: dict[Key, Figures] = FIGURES, lost: int = 0) -> Report:
    wanted = Wanted(None, datetime.date(2026, 11, 30), "month", zoneinfo.ZoneInfo("Europe/Sofia"))
    departments = tuple(sorted({name for name, _ in figures if name is not None}))
    periods = tuple(sorted({name for _, name in figures if name is not None}))
    return Report(
        wanted, AT, departments, periods, figures, (Shard("gateway.example/ledger/1", 3, 9, b"r" * 32),), lost
    )


class Read(HTMLParser):
    """A page taken apart: its tables, as rows of text, and what of it could do harm or could not be read aloud."""

    EMPTY = frozenset({"meta", "link", "br", "rect", "line", "circle", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.headings: list[int] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.charts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(page)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "svg" and ("role", "img") in attrs:
            self.charts.append(dict(attrs)["aria-label"] or "")
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
            assert tag == "td" or dict(attrs)["scope"] in ("row", "col")
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self._open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self._rows[-1][-1] += data
        elif self._open and self._open[-1] == "caption":
            self._caption += data
        elif self._open and self._open[-1] not in ("style", "title"):
            self.text += data


def page(made: Report | None = None) -> str:
    return "".join(report_page.as_page(made or report(), TITLES))


def test_every_figure_stands_in_a_table() -> None:
    read = Read(page())
    heads, labour, tax, whole = read.tables["Each department, over the whole time"]
    assert heads == ["Department", *(column.heading for column in words.COLUMNS)]
    assert tax == [TITLES["tax"], "1,212", "907", "806", "1", "5", "401", "406", "1 h", "9 h", "0", "0", "3"]
    assert labour == ["Labour Office", *["0"] * 7, "-", "-", "2", "1", "0"]
    assert whole == ["All departments", *words.cells(FIGURES[None, None])]
    for department, name in ((each, TITLES[each]) for each in ("tax", "labour")):
        _, *rows, total = read.tables[name]
        assert rows == [
            [words.period(each), *words.cells(report().of(department, each))] for each in ("2026-10", "2026-11")
        ]
        assert total == ["The whole time", *words.cells(FIGURES[department, None])]
    assert "All departments" in read.tables


def test_it_says_first_what_was_found() -> None:
    text = Read(page()).text
    assert (
        "1,212 recalls were sent to 1 department until 30 November 2026. Of these, 806 were acknowledged and 5 refused;"
        " 401 had no answer yet on 26 November 2026, 14:00. 406 were not acknowledged by their term. 2 grants were"
        " suspended, and 3 objections were not decided in time."
    ) in text
    assert "entries 3 to 8 of gateway.example/ledger/1" in text
    assert base64.b64encode(b"r" * 32).decode() in text
    assert "could not be read" not in text
    assert "7 entries could not be read" in Read(page(report(lost=7))).text


def test_it_needs_nothing_runs_nothing_and_lets_nothing_in() -> None:
    made = page()
    read = Read(made)
    assert not read.tags & {"script", "img", "iframe", "form", "object", "b"}
    assert not [name for name, _ in read.attributes if name == "style" or name.startswith("on")]
    addresses = {value for name, value in read.attributes if name in ("href", "src")}
    assert addresses == {"data:,", "#main"}
    (style,) = re.findall("<style>(.*?)</style>", made, re.DOTALL)
    assert "@import" not in style
    assert "url(" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in made
    assert "Tax <b>" not in made


def test_charts_say_what_they_show_and_headings_follow_each_other() -> None:
    read = Read(page())
    assert read.charts == [
        "Recalls that were sent to each department, and how many of them were acknowledged."
        " The table has every figure.",
        "How long it took to acknowledge a recall. The table has every figure.",
        f"{TITLES['tax']}: 1,212 recalls, 806 acknowledged, by period. The table below has every figure.",
    ]
    assert read.headings[0] == 1
    assert set(read.headings[1:]) == {2}


def test_no_colour_and_no_order_says_what_is_good() -> None:
    classes = {value for name, value in Read(page()).attributes if name == "class"}
    drawn = {"sent", "done", "range", "axis", "grid", "name"}
    frame = {"skip", "top", "in", "brand", "lead", "charts", "charts two", "chart card", "legend", "scroll", "num"}
    assert classes <= drawn | frame | {"small soft", "soft", "means", "none"}
    several = {key: Figures(sent=sent) for key, sent in (("b", 9), ("c", 1), ("a", 5))}
    figures: dict[Key, Figures] = {(name, None): each for name, each in several.items()} | {(None, None): Figures(15)}
    rows = Read(page(report(figures))).tables["Each department, over the whole time"]
    assert [row[0] for row in rows[1:-1]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "empty", [{}, {(None, None): Figures(), ("tax", None): Figures(), ("tax", "2026-11"): Figures()}]
)
def test_nothing_to_tell_is_told(empty: dict[Key, Figures]) -> None:
    read = Read(page(report(empty)))
    assert "No recall was sent until 30 November 2026." in read.text
    assert "No grant was suspended" in read.text
    assert read.charts == []


def test_bars_are_as_long_as_their_figures() -> None:
    drawn = charts.bars("x", [Row("a", 25, 50, "25 of 50"), Row("b", 0, 100, "0 of 100")], charts.whole)
    lengths = [
        float(each) for each in re.findall('<rect class="(?:sent|done)" x="4.0" y="[^"]*" width="([^"]*)"', drawn)
    ]
    assert lengths == [100, 50, 200, 0]
    high = [
        (kind, float(y) + float(height), float(height))
        for kind, y, height in re.findall(
            r'<rect class="(\w+)" x="[^"]*" y="([^"]*)" width="[^"]*" height="([^"]*)"',
            charts.columns("x", [Row("1", 1, 2, ""), Row("2", 0, 4, "")], 4),
        )
    ]
    assert high == [("sent", 98, 42), ("done", 98, 21), ("sent", 98, 84)]
    ranged = charts.ranges("x", [Row("a", 3600, 7200, "2 h")], words.duration, 7200)
    assert '<line class="range" x1="104" x2="204"' in ranged
    assert ">1 h</text>" in ranged


def test_an_axis_ends_at_a_round_number() -> None:
    for most, end in ((0, 1), (1, 1), (2, 2), (3, 4), (54, 60), (100, 100), (101, 200), (8_400, 10_000), (0.3, 0.4)):
        assert charts.nice(most) == pytest.approx(end)


def test_times_are_told_in_two_units() -> None:
    told = {
        0: "0 s", 0.2: "under 1 s", 1: "1 s", 59.6: "1 min", 3_605: "1 h", 5_400: "1 h 30 min", 90_000: "1 d 1 h",
        172_800: "2 d", 86_460: "1 d",
    }  # fmt: skip
    assert {seconds: words.duration(seconds) for seconds in told} == told
    assert [words.period(each) for each in ("2026-02", "2026-Q3", "2026")] == [
        "February 2026", "3rd quarter of 2026", "2026",
    ]  # fmt: skip
    assert [words.short(each) for each in ("2026-02", "2026-Q3", "2026")] == ["Feb 2026", "Q3 2026", "2026"]
