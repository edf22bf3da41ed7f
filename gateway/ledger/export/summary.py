"""The page of an evidence package that reads without any software of ours.

First why and by whom it was made and how to check it, then a line per entry, then each entry in full. Whatever comes
from entries is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gateway.ledger.entry import describe, entries
from gateway.ledger.export import sheet
from gateway.ledger.export.select import Chosen
from gateway.ledger.export.sheet import Section, safe, table
from gateway.ledger.export.titles import NONE, Titles


class Pages:
    """Collects entries, then gives the page. `titles` are what departments, purposes and records are called."""

    def __init__(self, view: entries.View, titles: Titles = NONE) -> None:
        self._view, self._titles = view, titles
        self._lines: list[str] = []
        self._full: list[str] = []

    def add(self, each: Chosen, name: str, *, with_oversight: bool) -> None:
        """One more entry, whose files in the package are called `name`."""
        told = each.told
        anchor = name.rpartition("/")[2]
        about = told.requester.client
        if isinstance(told, entries.Operation):
            if told.requester.department in self._titles.departments:
                about = f"{about}, {self._titles.department(told.requester.department)}"
            why = self._titles.purpose(told.declaration.purpose) if told.declaration else ""
        else:
            said = describe.deed(told)
            about, why = "the ledger itself" if isinstance(told, entries.OfLedger) else said.by, said.why
        cells = (sheet.moment(told.at), describe.kind(told), about, why)
        self._lines.append(
            f'<tr><th scope="row"><a href="#{safe(anchor)}">{safe(anchor)}</a></th>'
            f"{''.join(f'<td>{safe(cell)}</td>' for cell in cells)}</tr>\n"
        )
        sections = sheet.told_sections(told, self._titles)
        if with_oversight and isinstance(told, entries.Operation | entries.Unknown):
            sections.append(_oversight(each.oversight, self._titles))
        sections.append(
            Section(
                "Proof",
                [
                    ("Ledger", [f"entry {each.entry.index} of {each.head.origin}"]),
                    ("Receipt", [f"{name}.txt"]),
                    ("Leaf", [each.entry.leaf.hex()]),
                ],
            )
        )
        self._full.append(
            f'<h2 id="{safe(anchor)}">{safe(anchor)}: {safe(describe.kind(told))} {safe(told.id)}</h2>\n'
            f"{''.join(table(section, 3) for section in sections)}"
        )

    def finish(
        self,
        rule_sets: Sequence[str],
        policies: str | None,
        verifiers: Sequence[str],
        searched: Mapping[str, int] = MappingProxyType({}),
    ) -> bytes:
        view = self._view
        rules = [
            f"{digest}{' (its text is in `policies/`)' if digest == policies else ' (not in this package)'}"
            for digest in rule_sets
        ]
        read = [f"every entry of shard {shard} before entry {size}" for shard, size in searched.items() if size]
        head = Section(
            "What this is",
            [
                ("Made by", [view.by]),
                ("Made at", [sheet.moment(view.at)]),
                ("Because", [view.reason]),
                ("Entries", [f"{len(self._lines)}: {describe.scope(view.looked)}"]),
                ("Found by reading", read or ["it does not give its subject"]),
                *self._named(),
                ("Rule sets", rules or ["none"]),
                ("Public keys", list(verifiers)),
                (
                    "To check it",
                    [
                        "run `dutybound ledger verify` on this package, with the public keys that you had before;",
                        "or by hand: `manifest.json` has the SHA-256 of each file; each receipt is a C2SP tlog-proof"
                        " whose RFC 9162 inclusion proof leads to the Ed25519-signed checkpoint at its end;",
                        "what leads from an entry's text to its leaf stands in the documentation of the ledger.",
                    ],
                ),
                (
                    "What it cannot show",
                    ["that nothing was left out: entries that name others of this ledger are not in it"],
                ),
            ],
        )
        listed = f'<h2>Entries</h2>\n<table class="entries">\n{"".join(self._lines)}</table>\n'
        return sheet.page("Evidence from the ledger", table(head) + listed + "".join(self._full)).encode()

    def _named(self) -> list[tuple[str, list[str]]]:
        """Where names are from, where there are any."""
        said = f"from {self._titles.source}; receipts prove the ids in brackets"
        return [] if self._titles == NONE else [("Names of things", [said])]


def _oversight(seen: entries.Oversight, titles: Titles) -> Section:
    rows = [("Official", [seen.official or "none"])]
    if seen.by:
        rows.append(("Signed in as the subject", [seen.by]))
    if seen.facts is not None:
        rows.append(("Facts", [f"as of change {seen.facts}"]))
    if seen.broke_glass is not None:
        rows.append(("Break-glass", [f"used, and under review since {seen.broke_glass.isoformat()}"]))
    rows.append(("Withheld", [f"{held.record}: {held.why}" for held in seen.withheld] or ["nothing"]))
    denied = [
        f"{titles.field(field.dataset, field.field)}: {field.reason or 'no rule'}"
        f"{f' ({field.rule})' if field.rule else ''}"
        for each in seen.denied
        for field in each.fields
    ]
    rows.append(("Denied", denied or ["nothing"]))
    return Section("What only oversight may open", rows)
