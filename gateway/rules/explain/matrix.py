"""The disclosure matrix: for every grant, kind of subject and field, what it takes, or why it is denied.

The same table that decides at an inquiry, read by people: as text, a block for every grant, and as CSV, a row for every
cell. A permit is told with what it takes of token, case and consent; a denial is one that none of these would turn.
What a grant permits is told also where it ended, has not begun or is suspended, and marked as that.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterator

import msgspec

from connectors.base import SubjectKind
from gateway.rules.decide import guards
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import Cell, Flag, Grant
from gateway.rules.ruleset import RuleSet

EVERYTHING = Flag.SCOPE | Flag.CONSENT | Flag.CASE | Flag.OFFICIAL | Flag.STEP_UP
"""All that an ordinary inquiry can bring; break-glass is no ordinary one."""

COLUMNS = (
    *("grant", "requester", "purpose", "subject", "dataset", "field"),
    *("answer", "takes", "reason", "rule", "advice", "from", "until", "standing"),
)

_NAMES = {
    Flag.CONSENT: "consent",
    Flag.CASE: "case",
    Flag.OFFICIAL: "official",
    Flag.STEP_UP: "step-up",
}


class Row(msgspec.Struct, frozen=True):
    """One cell. `takes` names the flags, scope aside, without which the permit falls away."""

    client: str
    grant: Grant
    kind: SubjectKind
    dataset: str
    field: str
    cell: Cell
    takes: tuple[str, ...]


def rows(rule_set: RuleSet) -> Iterator[Row]:
    """Every cell of every grant, in the order of the files; the kinds that a dataset does not cover are left out."""
    policies = rule_set.policies
    for entry in policies.requesters.values():
        for grant in entry.grants:
            for kind in KINDS:
                best = rule_set.cells(grant, kind, EVERYTHING)
                some = any(cell.permitted for cell in best.values())
                without = {flag: rule_set.cells(grant, kind, EVERYTHING & ~flag) for flag in _NAMES if some}
                for (dataset, field), cell in best.items():
                    if kind in policies.catalogue.datasets[dataset].subjects:
                        takes = tuple(
                            name
                            for flag, name in _NAMES.items()
                            if cell.permitted and not without[flag][dataset, field].permitted
                        )
                        yield Row(entry.client, grant, kind, dataset, field, cell, takes)


def table(rule_set: RuleSet, today: datetime.date) -> Iterator[str]:
    """The matrix as text: for each grant and kind of subject that its purpose covers, a line for each dataset."""
    blocks: dict[tuple[str, SubjectKind], dict[str, list[Row]]] = {}
    for row in rows(rule_set):
        if row.kind not in rule_set.policies.purposes[row.grant.purpose].subjects:
            continue
        blocks.setdefault((row.grant.id, row.kind), {}).setdefault(row.dataset, []).append(row)
    for (_, kind), datasets in blocks.items():
        first = next(iter(datasets.values()))[0]
        grant = first.grant
        stands = guards.standing(grant, today)
        marked = "" if stands == "holds" else f", {stands.upper()}: nothing is permitted now"
        yield f"{grant.id}, {kind} ({grant.valid_from} to {grant.valid_until}{marked})"
        permitted = {name: cells for name, cells in datasets.items() if any(row.cell.permitted for row in cells)}
        width = max(map(len, permitted), default=0)
        for name, cells in permitted.items():
            takes = dict.fromkeys(word for row in cells for word in row.takes)
            yes = ", ".join(row.field for row in cells if row.cell.permitted)
            no = ", ".join(row.field for row in cells if not row.cell.permitted)
            needed = f"   with {', '.join(takes)}" if takes else ""
            yield f"  {name:<{width}}  {yes}{f'   not: {no}' if no else ''}{needed}"
        if not permitted:
            yield "  nothing"
        denied: dict[str, list[str]] = {}
        for name, cells in datasets.items():
            if name not in permitted:
                denied.setdefault(str(cells[0].cell.reason), []).append(name)
        for reason, names in denied.items():
            yield f"  denied, {reason}: {', '.join(names)}"
        yield ""


def as_csv(rule_set: RuleSet, today: datetime.date) -> str:
    """The matrix as CSV, with a header row; `answer` is the rules', `standing` the grant's on that day."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(rule_set):
        cell = row.cell
        writer.writerow(
            [
                row.grant.id,
                row.client,
                row.grant.purpose,
                row.kind,
                row.dataset,
                row.field,
                "permit" if cell.permitted else "deny",
                " ".join(row.takes),
                cell.reason or "",
                " ".join(cell.rules) if cell.permitted else cell.rule or "",
                cell.advice,
                row.grant.valid_from,
                row.grant.valid_until,
                guards.standing(row.grant, today),
            ]
        )
    return out.getvalue()
