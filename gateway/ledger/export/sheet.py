"""A receipt as a sheet that a court can file: what was asked, by whom, what was disclosed, and how that was verified.

Made from what a receipt proves; beside it, and said so, from the catalogue and the answer that are given with it. As
text for a terminal, and as one HTML page that needs nothing from elsewhere. Whatever comes from a file is escaped: no
sheet can carry a script, or pretend to be a line of another kind.
"""

from __future__ import annotations

import contextlib
import datetime
import html
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.ledger.entry import describe, entries
from gateway.ledger.entry.receipt import LEFT_OUT, Proved
from gateway.ledger.export.titles import NONE, Titles
from gateway.ledger.proof.note import b64
from gateway.nouns import counted
from gateway.texts.sheet import END
from gateway.texts.sheet import head as begun

WIDTH = 100

_ASSURANCE = {
    "unverified": "no public key was given, so no signature was checked and this proves nothing; give `--key`",
    "signed": "the ledger signed a tree that holds this entry",
    "published": "the tree that everybody can see holds this entry",
    "witnessed": "independent witnesses cosigned a tree that holds this entry",
}


def moment(at: datetime.datetime) -> str:
    """A moment as people write it: `Wednesday 25 November 2026, 12:58:05 (UTC)`."""
    return f"{day(at.date())}, {at:%H:%M:%S} ({at:%Z})"


def day(date: datetime.date) -> str:
    """`Wednesday 25 November 2026`."""
    return f"{date:%A} {date.day} {date:%B %Y}"


class Section(NamedTuple):
    """A titled part of the sheet: rows of a label and its values, several lines where there is more than one."""

    title: str
    rows: list[tuple[str, list[str]]]


class Beside(NamedTuple):
    """What is known beside a receipt: what ids are called, and what was refused by the answer."""

    titles: Titles = NONE
    refused: Sequence[tuple[str, Sequence[str]]] = ()


ALONE = Beside()
"""A receipt and nothing beside it."""


def sections(proved: Proved, data_checked: bool, beside: Beside = ALONE) -> list[Section]:
    """The sheet's content, in order."""
    refused = [_refused(beside)] if beside.refused else []
    return [*told_sections(proved.told, beside.titles), *refused, _verified(proved, data_checked)]


def told_sections(told: entries.Told, titles: Titles = NONE) -> list[Section]:
    """The contents of an entry, without how that was verified."""
    if not isinstance(told, entries.Operation):
        return [_deed(told, titles)]
    made = [_asked(told, titles)]
    if isinstance(told, entries.Inquiry):
        made += _disclosed(told, titles)
        made.append(_obligations(told))
    else:
        made.append(Section("Refused", [("Reason", [told.message]), ("Code", [told.code])]))
    return made


def title(proved: Proved) -> str:
    return f"Receipt of {describe.kind(proved.told)} {proved.told.id}"


def _deed(told: entries.Done | entries.OfLedger | entries.Unknown, titles: Titles) -> Section:
    said, who = describe.deed(told), told.requester
    rows = [("When", [moment(told.at)]), ("What", [said.happened])]
    if said.by:
        rows.append(("By", [f"{said.by}, with {who.client}" if who != entries.OWN else said.by]))
    rows += [(label, [text]) for label, text in (("Known at", who.issuer), ("Why", said.why)) if text]
    return Section(said.title, [*rows, *_titled(told, said.rows, titles)])


def _titled(told: entries.Told, rows: Sequence[tuple[str, list[str]]], titles: Titles) -> list[tuple[str, list[str]]]:
    """The rows of an act, with what the ids in them are called."""
    called: dict[str, Callable[[str], str]] = {"Purpose": titles.purpose, "Department": titles.department}
    named = [(label, list(map(called[label], text)) if label in called else text) for label, text in rows]
    if isinstance(told, entries.Acted) and told.dataset in titles.datasets:
        named.append(("Kind of record", [titles.dataset(told.dataset)]))
    return named


def _about(subject: entries.Named | entries.Disclosed) -> str:
    return f"{subject.kind} {subject.scheme} {subject.value}" if subject.value else "a subject that was erased"


def _refused(beside: Beside) -> Section:
    """What the answer refused of what was asked for: each field's own words, with titles, and its articles."""
    rows: list[tuple[str, list[str]]] = [
        (f"{number}", [beside.titles.within(said), *([f"articles {', '.join(articles)}"] if articles else [])])
        for number, (said, articles) in enumerate(beside.refused, 1)
    ]
    return Section(
        "What was refused",
        [*rows, ("Proved", ["no: this is from the answer that was presented, not from the receipt"])],
    )


def _asked(told: entries.Inquiry | entries.Refused, titles: Titles) -> Section:
    declared, who = told.declaration, told.requester
    rows = [
        ("When", [moment(told.at)]),
        ("By", [who.client + (f", of the department {_department(who.department, titles)}" if who.department else "")]),
        ("Known at", [who.issuer]),
    ]
    if declared is not None:
        given = [
            ("Purpose", titles.purpose(declared.purpose)),
            ("Case", declared.case),
            ("Document", declared.document),
            ("Consent", declared.consent),
            ("Reference", declared.reference),
            ("Recall", declared.recall),
        ]
        rows += [(label, [value]) for label, value in given if value is not None]
        if laws := titles.laws(declared.purpose):
            rows.append(("Law", laws))
    named = told.disclosed if isinstance(told, entries.Inquiry) else told.subjects
    rows.append(("About", [_about(subject) for subject in named] or ["no subject had been named yet"]))
    rows.append(("Under grant", [told.grant or "none"]))
    rows.append(("Rule set", [told.rule_set]))
    return Section("What was asked", rows)


def _department(id_: str, titles: Titles) -> str:
    return titles.department(id_) if id_ in titles.departments else f"`{id_}`"


def _disclosed(told: entries.Inquiry, titles: Titles) -> Iterator[Section]:
    for subject in told.disclosed:
        rows = []
        for dataset in subject.datasets:
            if dataset.failure:
                lines = [f"nothing: its department could not be asked ({dataset.failure})"]
            else:
                lines = ["fields: " + ", ".join(titles.fields(dataset.dataset, dataset.fields)), *dataset.records]
                if not dataset.records:
                    lines.append("no record")
            rows.append((titles.dataset(dataset.dataset), lines))
        if not subject.value:
            yield Section("What was disclosed", [("Erased", ["this entry's part about a subject was erased since"])])
            continue
        name = f"What was disclosed of {subject.scheme} {subject.value}"
        yield Section(name, rows or [("Nothing", ["no field of what was asked is permitted"])])


def _obligations(told: entries.Inquiry) -> Section:
    duties = {
        "purpose-only": "use the answer for the purpose {purpose} only",
        "no-onward-disclosure": "disclose it to nobody else",
        "delete-by": "delete it by {date}",
    }
    rows: list[tuple[str, list[str]]] = []
    for duty in told.obligations:
        try:
            text = duties[duty.type].format_map(_written(duty.properties))
        except (KeyError, ValueError, IndexError, AttributeError):
            text = ", ".join(f"{name}: {value}" for name, value in duty.properties.items()) or duty.type
        rows.append((duty.type, [text]))
    for notice in told.cautions:
        said = ["an objection to it is open"] if notice.disputed else []
        if notice.mitigation is not None:
            said.append(f"mitigation: {notice.mitigation}")
        rows.append((f"Caution: {notice.dataset}/{notice.record}", said))
    return Section("What the recipient must observe", rows or [("None", ["the purpose sets no obligation"])])


def _written(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties of a duty, its day as people write it; what is no day stays as it is."""
    made = dict(properties)
    with contextlib.suppress(KeyError, ValueError):
        made["date"] = day(datetime.date.fromisoformat(properties["date"]))
    return made


def _verified(proved: Proved, data_checked: bool) -> Section:
    if not isinstance(proved.told, entries.Inquiry):
        data = "none: nothing was disclosed"
    elif data_checked:
        data = "the answer's data were presented, and are byte for byte what was disclosed"
    elif not proved.told.data.sha256:
        data = "their digest is left out too, so they cannot be compared"
    else:
        data = "not presented; their digest (SHA-256, salted) is " + proved.told.data.sha256.hex()
    return Section(
        "How this was verified",
        [
            ("Assurance", [f"{proved.assurance}: {_ASSURANCE[proved.assurance]}"]),
            ("Ledger", [proved.origin]),
            ("Entry", [f"{proved.index} of a tree of {counted(proved.size, 'entry')}"]),
            ("Tree root", [b64(proved.root)]),
            ("Leaf", [b64(proved.leaf)]),
            ("Public key", [str(proved.verifier) if proved.verifier else "none was given"]),
            ("Data", [data]),
            *([("Left out", [LEFT_OUT])] if proved.left_out else []),
            (
                "By hand",
                [
                    "the Ed25519 signature of the checkpoint (C2SP signed-note) was "
                    + ("checked with the public key above;" if proved.verifier else "not checked: that takes `--key`;"),
                    "the RFC 9162 inclusion proof leads from the leaf to the signed root;",
                    "the leaf is the salted SHA-256 commitment to all that stands on this sheet.",
                ],
            ),
        ],
    )


def _plain(text: str) -> str:
    """What may have control characters, as one line without them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_text(proved: Proved, data_checked: bool, beside: Beside = ALONE) -> str:
    """The sheet for a terminal or a printer."""
    lines = [_plain(title(proved)), "=" * len(title(proved))]
    for section in sections(proved, data_checked, beside):
        lines += ["", _plain(section.title), "-" * len(section.title)]
        for label, said in section.rows:
            head = f"  {_plain(label)}:"
            indent = " " * 16
            if len(head) >= len(indent):
                lines.append(head)
                head = ""
            for text in said or [""]:
                wrapped = textwrap.wrap(_plain(text), WIDTH - len(indent), break_on_hyphens=False) or [""]
                for line in wrapped:
                    lines.append(f"{head:<{len(indent)}}{line}".rstrip())
                    head = ""
    return "\n".join(lines) + "\n"


_STYLE = (Path(__file__).parent / "paper.css").read_text(encoding="utf-8")


def as_html(proved: Proved, data_checked: bool, beside: Beside = ALONE) -> str:
    """The sheet as one page."""
    return page(title(proved), "".join(map(table, sections(proved, data_checked, beside))))


def table(section: Section, level: int = 2) -> str:
    """A section in HTML, escaped, under a heading of that level."""
    rows = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{safe(label)}</th>'
        f'<td role="cell">{"<br>".join(map(safe, said))}</td></tr>\n'
        for label, said in section.rows
    )
    return f'<h{level}>{safe(section.title)}</h{level}>\n<table role="table">\n{rows}</table>\n'


def page(title: str, body: str) -> str:
    """A whole page of HTML, as all files for people look; its policy allows its own style alone. `body` is escaped."""
    return f'{begun(_plain(title), _STYLE)}<article class="paper">\n<h1>{safe(title)}</h1>\n{body}</article>\n{END}'


def safe(text: str) -> str:
    """Text for HTML, on one line."""
    return html.escape(_plain(text))
