"""The open record as a page: what the law opens to everybody about one organisation, and the way to another one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.public import words
from gateway.public.tables import table
from gateway.web.frame import Frame
from gateway.web.page import escape

PATH = "/open/organisations"
_ROOM = PATH.lstrip("/")
PAGE = Frame("Open record", _ROOM, form=True)
OF_ONE = Frame("Open record", f"{_ROOM}/scheme/value", room=_ROOM, form=True)
"""Of one organisation, whose record stands two steps below."""

MISSING = "There is no open record at this address. It is not said why: check the identifier, all of its characters."
CROWDED = "Many people ask at this moment. Open the page again in a few seconds."

_NAME = "name"
_KNOW = "To know about it"

Schemes = Sequence[tuple[str, str]]
"""Of organisations' identifiers: each scheme's name and title."""


def title(document: Mapping[str, Any]) -> str:
    """What the organisation is called, where the register says so; otherwise its identifier."""
    for dataset in document["datasets"]:
        if dataset["one"] and dataset["records"]:
            called = dataset["records"][0]["values"].get(_NAME)
            if called:
                return str(called)
    return f"{document['scheme']} {document['value']}"


def body(document: Mapping[str, Any], schemes: Schemes, today: datetime.date) -> str:
    """The page's content."""
    datasets = [_dataset(each, document) for each in document["datasets"]]
    departments = len({each["department"] for each in document["datasets"]})
    asked = f"{PATH}/{escape(document['scheme'])}/{escape(document['value'])}"
    return _framed(
        title(document),
        '<p class="lead">Open record: what the law opens to everybody about this organisation,'
        " as its departments hold it now.</p>"
        + "".join(datasets)
        + "<h2>About this page</h2>"
        + f"<p>Made on {today:%A} {words.day(today)} from {departments} department{'s' if departments != 1 else ''}."
        " It is not kept: open it again to see what holds then.</p>"
        "<p>It is not complete: records that the law does not open to everybody are never here, and that they are"
        " absent says nothing. An organisation that no department knows has a page like this one.</p>"
        "<h2>Is something wrong?</h2><p>The organisation can sign in at its portal and object to a record. Whoever"
        " else sees a mistake can tell the department.</p>"
        f'<h2>For computers</h2><p><a href="{asked}.json">This record as JSON</a></p>' + _another(schemes),
    )


def plain(heading: str, said: str, schemes: Schemes) -> str:
    """A page that shows no record: it says why not, or asks for which."""
    return _framed(heading, f"<p>{escape(said)}</p>" + _another(schemes))


def _framed(heading: str, content: str) -> str:
    return f"<h1>{escape(heading)}</h1>\n{content}"


def _dataset(dataset: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    laws = "; ".join(words.law(each["law"], each["article"]) for each in dataset["basis"])
    source = f'<p class="small soft">{escape(dataset["department"])}. {escape(laws)}.</p>'
    heading = f"<h2>{escape(dataset['title'])}</h2>"
    if not dataset["available"]:
        return f"{heading}<p>{escape(dataset['department'])} cannot be reached now. Open the page again later.</p>"
    if not dataset["records"]:
        return f'{heading}<p class="none">Nothing is shown here.</p>{source}'
    if dataset["one"]:
        return "".join(heading + _facts(dataset, each, document) for each in dataset["records"]) + source
    return heading + _table(dataset) + source


def _facts(dataset: Mapping[str, Any], record: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    rows = [(each["title"], words.value(record["values"][each["name"]], each["type"])) for each in dataset["fields"]]
    rows.append((document["scheme"], document["value"]))
    told = _cautions(record)
    if told:
        rows.append((_KNOW, told))
    return (
        '<section class="card"><dl class="kv">'
        + "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows)
        + "</dl></section>"
    )


def _table(dataset: Mapping[str, Any]) -> str:
    cautions = [_cautions(each) for each in dataset["records"]]
    heads = [each["title"] for each in dataset["fields"]] + ([_KNOW] if any(cautions) else [])
    rows = []
    for record, told in zip(dataset["records"], cautions, strict=True):
        cells = [words.value(record["values"][each["name"]], each["type"]) for each in dataset["fields"]]
        rows.append(cells + ([told] if any(cautions) else []))
    return table(dataset["title"], heads, rows)


def _cautions(record: Mapping[str, Any]) -> str:
    """What whoever reads a record has to know beside it (Arts. 33, 45)."""
    said = ["The organisation objects to this record."] if record["disputed"] else []
    if record["mitigation"]:
        said.append(str(record["mitigation"]))
    return " ".join(said)


def _another(schemes: Schemes) -> str:
    many = len(schemes) > 1
    options = "".join(f'<option value="{escape(name)}">{escape(called)}</option>' for name, called in schemes)
    hidden = "".join(f'<input type="hidden" name="scheme" value="{escape(name)}">' for name, _ in schemes[:1])
    kind = f'<label for="scheme">Kind of identifier</label> <select id="scheme" name="scheme">{options}</select>'
    label = "Identifier" if many else escape(schemes[0][1]) if schemes else "Identifier"
    return (
        f'<form class="card" method="get" action="{PATH}"><h2>Another organisation</h2>{kind if many else hidden}'
        f'<div class="field"><label for="value">{label}</label><span class="hint small" id="hint">All of its'
        " characters. There is no search by name, and no record of people or sole traders.</span>"
        '<input type="text" id="value" name="value" aria-describedby="hint" autocomplete="off" maxlength="100"></div>'
        '<button class="button second">Open its record</button></form>'
    )
