"""The transparency report as a page: a sentence, then every figure of one month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.public.tables import table
from gateway.texts.words import Words
from gateway.transparency import counted
from gateway.web.frame import Frame
from gateway.web.page import escape

PATH = "/open/transparency"


class FiguresPage:
    """The page, in one language."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self.frame = Frame(words, "transparency.title", PATH.lstrip("/"), form=True)

    def body(self, told: Mapping[str, Any] | None, months: Sequence[str]) -> str:
        """The page's content; `told` is None where no month is closed yet."""
        words = self._words
        if told is None:
            return self.without(words("transparency.no_month"))
        month = words.month(told["month"])
        links = (
            f'<a href="{PATH}.json?month={told["month"]}">JSON</a>, <a href="{PATH}.csv?month={told["month"]}">CSV</a>'
        )
        made = words("transparency.made", day=words.day(words.here(told["made"]).date()))
        return self._framed(
            f'<p class="lead">{self._sentence(told)}</p>{self._choice(told["month"], months)}'
            f"<h2>{words('transparency.by', month=month)}</h2>{self._table(told)}"
            f"<h2>{words('transparency.reading')}</h2><p>{words('transparency.how', least=told['least'])}</p>"
            f"<h2>{words('transparency.ledger')}</h2><p>{made} {words('transparency.same')} {links}.</p>"
            f"{self._checkpoints(told)}"
        )

    def without(self, said: str) -> str:
        """The page where it shows no month, and why."""
        return self._framed(f"<p>{escape(said)}</p>")

    def _sentence(self, told: Mapping[str, Any]) -> str:
        said = {each["what"]: each["count"] for each in told["totals"] if each["reason"] is None}
        month = self._words.month(told["month"])
        if counted.ANSWERED not in said:
            return self._words("transparency.few", month=month)
        return self._words("transparency.answered", month=month, count=f"{said[counted.ANSWERED]:,}")

    def _choice(self, chosen: str, months: Sequence[str]) -> str:
        options = "".join(
            f'<option value="{each}"{" selected" if each == chosen else ""}>{self._words.month(each)}</option>'
            for each in months
        )
        return (
            f'<form class="filters" method="get" action="{PATH}"><div>'
            f'<label for="month">{self._words("transparency.month")}</label>'
            f'<select id="month" name="month">{options}</select></div>'
            f'<div><button class="button second">{self._words("transparency.show")}</button></div></form>'
        )

    def _table(self, told: Mapping[str, Any]) -> str:
        words = self._words
        if not told["figures"]:
            return f'<p class="none">{words("transparency.all_hidden")}</p>'
        none = words("transparency.no_purpose")
        rows = [
            [each["department"], each["purpose"] or none, self._what(each), f"{each['count']:,}"]
            for each in told["figures"]
        ]
        heads = [words(f"transparency.columns.{name}") for name in ("authority", "purpose", "what", "count")]
        caption = words("transparency.figures", month=words.month(told["month"]))
        return table(caption, heads, rows, frozenset([3]))

    def _what(self, figure: Mapping[str, Any]) -> str:
        words = self._words
        what = words(f"transparency.what.{figure['what']}")
        if reason := figure["reason"]:
            what = words("transparency.for", what=what, reason=words.reason(reason))
        if (days := figure["averageDays"]) is not None:
            what = words("transparency.within", what=what, days=days)
        return what

    def _checkpoints(self, told: Mapping[str, Any]) -> str:
        return "".join(
            f"<details><summary>{self._shard(each)}</summary><pre>{escape(each['checkpoint'])}</pre></details>"
            for each in told["checkpoints"]
        )

    def _shard(self, checkpoint: Mapping[str, Any]) -> str:
        return self._words.number("transparency.shard", checkpoint["counted"], name=checkpoint["shard"])

    def _framed(self, content: str) -> str:
        return f"<h1>{self._words('transparency.heading')}</h1>\n{content}"
