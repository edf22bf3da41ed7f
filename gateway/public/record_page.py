"""The open record as a page: what the law opens to everybody about one organisation, and the way to another one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gateway.public.tables import table
from gateway.texts.words import Words
from gateway.web.frame import Frame
from gateway.web.page import escape

PATH = "/open/organisations"
_ROOM = PATH.lstrip("/")
_NAME = "name"

Schemes = Sequence[tuple[str, str]]
"""Of organisations' identifiers: each scheme's name and title."""


def called(document: Mapping[str, Any]) -> str:
    """The organisation's name, where the register has one; otherwise its identifier."""
    for dataset in document["datasets"]:
        if dataset["one"] and dataset["records"]:
            name = dataset["records"][0]["values"].get(_NAME)
            if name:
                return str(name)
    return f"{document['scheme']} {document['value']}"


class RecordPage:
    """The page, in one language. `frame` is that of the form, `of_one` that of a record, two steps below."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.frame = Frame(words, "record.title", _ROOM, form=True)
        self.of_one = Frame(words, "record.title", f"{_ROOM}/scheme/value", room=_ROOM, form=True)

    def body(self, document: Mapping[str, Any], schemes: Schemes, today: datetime.date) -> str:
        """The page's content."""
        words = self.words
        departments = len({each["department"] for each in document["datasets"]})
        asked = f"{PATH}/{escape(document['scheme'])}/{escape(document['value'])}"
        return _framed(
            called(document),
            f'<p class="lead">{words("record.lead")}</p>'
            f"{''.join([self._dataset(each, document) for each in document['datasets']])}"
            f"<h2>{words('record.about')}</h2>"
            f"<p>{words.number('record.made', departments, day=words.day(today))} {words('record.not_kept')}</p>"
            f"<p>{words('record.not_complete')}</p>"
            f"<h2>{words('record.wrong')}</h2><p>{words('record.wrong_about')}</p>"
            f'<h2>{words("record.computers")}</h2><p><a href="{asked}.json">{words("record.as_json")}</a></p>'
            f"{self._another(schemes)}",
        )

    def plain(self, heading: str, said: str, schemes: Schemes) -> str:
        """A page that shows no record: it has the reason and, where there are `schemes`, asks for which."""
        asks = self._another(schemes, "record.which") if schemes else ""
        return _framed(heading, f"<p>{escape(said)}</p>{asks}")

    def _dataset(self, dataset: Mapping[str, Any], document: Mapping[str, Any]) -> str:
        words = self.words
        laws = Markup("; ").join([words.law(each["law"], each["article"]) for each in dataset["basis"]])
        source = f'<p class="small soft">{escape(dataset["department"])}. {laws}.</p>'
        heading = f"<h2>{escape(dataset['title'])}</h2>"
        if not dataset["available"]:
            return f"{heading}<p>{words('record.unavailable', department=dataset['department'])}</p>"
        if not dataset["records"]:
            return f'{heading}<p class="none">{words("record.nothing")}</p>{source}'
        if dataset["one"]:
            return f"{''.join([heading + self._facts(dataset, each, document) for each in dataset['records']])}{source}"
        return f"{heading}{self._table(dataset)}{source}"

    def _facts(self, dataset: Mapping[str, Any], record: Mapping[str, Any], document: Mapping[str, Any]) -> str:
        rows = [(each["title"], self._value(record, each)) for each in dataset["fields"]]
        rows.append((document["scheme"], document["value"]))
        if told := self._cautions(record):
            rows.append((self.words("record.know"), told))
        facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows)
        return f'<section class="card"><dl class="kv">{facts}</dl></section>'

    def _table(self, dataset: Mapping[str, Any]) -> str:
        cautions = [self._cautions(each) for each in dataset["records"]]
        told = any(cautions)
        heads = [each["title"] for each in dataset["fields"]] + ([self.words("record.know")] if told else [])
        rows = [
            [self._value(record, each) for each in dataset["fields"]] + ([caution] if told else [])
            for record, caution in zip(dataset["records"], cautions, strict=True)
        ]
        return table(dataset["title"], heads, rows)

    def _value(self, record: Mapping[str, Any], field: Mapping[str, str]) -> str:
        """A value of the catalogue's type of its field, as people read it."""
        words, text = self.words, record["values"][field["name"]]
        if text is None:
            return words("record.not_given")
        if field["type"] == "Boolean":
            return words.get(f"values.{text}", text)
        return words.written(text) if field["type"] in ("Date", "DateTime") else text

    def _cautions(self, record: Mapping[str, Any]) -> str:
        """What whoever reads a record has to know beside it (Arts. 33, 45)."""
        said = [self.words("record.disputed")] if record["disputed"] else []
        if record["mitigation"]:
            said.append(Markup.escape(record["mitigation"]))
        return Markup(" ").join(said)

    def _another(self, schemes: Schemes, heading: str = "record.another") -> str:
        words, many = self.words, len(schemes) > 1
        options = "".join(f'<option value="{escape(name)}">{escape(title)}</option>' for name, title in schemes)
        hidden = "".join(f'<input type="hidden" name="scheme" value="{escape(name)}">' for name, _ in schemes[:1])
        kind = (
            f'<label for="scheme">{words("record.scheme")}</label> <select id="scheme" name="scheme">{options}</select>'
        )
        label = escape(schemes[0][1]) if len(schemes) == 1 else words("record.identifier")
        return (
            f'<form class="card" method="get" action="{PATH}"><h2>{words(heading)}</h2>'
            f"{kind if many else hidden}"
            f'<div class="field"><label for="value">{label}</label><span class="hint small" id="hint">'
            f"{words('record.hint')}</span>"
            '<input type="text" id="value" name="value" aria-describedby="hint" autocomplete="off" maxlength="100">'
            "</div>"
            f'<button class="button second">{words("record.open")}</button></form>'
        )


def _framed(heading: str, content: str) -> str:
    return f"<h1>{escape(heading)}</h1>\n{content}"
