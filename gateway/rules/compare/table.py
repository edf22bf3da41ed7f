"""The coloured matrix of a comparison: a row for each dataset, a column for each grant, and in each cell what changes.

Tone, figure and sign say the same; nothing is told by colour alone. Whatever comes from policies is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from gateway.catalogue.model import Dataset
from gateway.nouns import counted
from gateway.rules.compare.permits import Permits, permits
from gateway.rules.compare.report import Comparison
from gateway.rules.compare.shifts import Pair, Shift, holder, pairs
from gateway.rules.model import Flag, Grant

LEGEND = (
    ("t3", "5/5", "all fields"),
    ("t2", "3/5", "more than half"),
    ("t1", "2/5", "half or fewer"),
    ("t0", "–", "none"),
    ("opens", "3/5 +2", "two open"),
    ("closes", "1/5 −2", "two close"),
    ("moves", "3/5 ≠2", "two take other things"),
    ("t1", "2/5 C", "with the subject's consent"),
)
"""Class, text and meaning of each sign."""


class _Figures(NamedTuple):
    """One cell: how many fields there are, are permitted now, open, close and take other things than before."""

    fields: int
    permitted: int
    opens: int
    closes: int
    moves: int
    consent: bool


def table(found: Comparison) -> Iterator[str]:
    """The table, and its legend; nothing where no grant is permitted anything."""
    columns = list(_columns(found))
    if not columns:
        return
    keys = "".join(f'<li><span class="key {kind}">{text}</span> {said}</li>' for kind, text, said in LEGEND)
    yield f'<ul class="legend" aria-label="Legend">{keys}</ul>\n'
    yield '<div class="scroll" role="region" tabindex="0" aria-label="Datasets by grants, scrolls sideways">'
    yield '<table class="matrix">\n<caption>Fields that each may see after the change, of all of a dataset</caption>\n'
    heads = "".join(_head(found, pair) for pair in columns)
    yield f'<thead><tr><th scope="col">Dataset</th>{heads}</tr></thead>\n<tbody>\n'
    moved: dict[tuple[Pair, str], list[Shift]] = {}
    for told in found.matrix:
        for shift in told.shifts:
            moved.setdefault((shift.pair, shift.dataset), []).append(shift)
    department = ""
    for dataset in _datasets(found):
        if dataset.department != department:
            department = dataset.department
            title = escape(dataset.department_title)
            yield f'<tr class="group"><th scope="rowgroup" colspan="{len(columns) + 1}">{title}</th></tr>\n'
        cells = "".join(_cell(found, dataset, pair, moved.get((pair, dataset.id), ())) for pair in columns)
        yield f'<tr><th scope="row">{escape(dataset.title)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table></div>\n"


def _columns(found: Comparison) -> Iterator[Pair]:
    """The grants that are or were permitted something."""
    old, new = permits(found.before.rules), permits(found.after.rules)
    for pair in pairs(found.before.rules, found.after.rules):
        if _of(old, pair.before) or _of(new, pair.after):
            yield pair


def _of(table_: Permits, grant: Grant | None) -> object:
    return table_.get(grant.id) if grant is not None else None


def _datasets(found: Comparison) -> list[Dataset]:
    """What is or was published, by department, as it is now where it is."""
    old, new = (side.rules.policies.catalogue.published for side in (found.before, found.after))
    return sorted(
        {**old, **new}.values(), key=lambda each: (each.department_title, each.department, each.title, each.id)
    )


def _head(found: Comparison, pair: Pair) -> str:
    before, after = found.before.rules, found.after.rules
    side = after if pair.after is not None else before
    entry = holder(pair, before, after)
    title = side.requesters.departments.get(entry.department, entry.department)
    purpose = side.policies.purposes[pair.purpose].name.replace("_", " ").capitalize()
    grant = pair.after or pair.before
    days = f"{grant.valid_from} to {grant.valid_until}" if grant is not None else ""
    state = (
        "gone" if pair.after is None else "new" if pair.before is None else "suspended" if pair.after.suspended else ""
    )
    tag = f'<br><span class="tag">{state}</span>' if state else ""
    return (
        f'<th scope="col">{escape(title)}<br><b>{escape(purpose)}</b><br>'
        f'<span class="small">{escape(entry.client)}, {days}</span>{tag}</th>'
    )


def _cell(found: Comparison, dataset: Dataset, pair: Pair, moved: Sequence[Shift]) -> str:
    figures = _figures(found, dataset, pair, moved)
    signs = [
        f"{sign}{count}" for sign, count in (("+", figures.opens), ("−", figures.closes), ("≠", figures.moves)) if count
    ]
    if not figures.permitted and not signs:
        return '<td class="t0">–<span class="hide"> none</span></td>'
    share = figures.permitted / figures.fields
    tone = "t3" if share == 1 else "t2" if share > 0.5 else "t1" if share else "t0"
    kind = "opens" if figures.opens else "closes" if figures.closes else "moves" if figures.moves else tone
    text = " ".join([f"{figures.permitted}/{figures.fields}", *signs, *(["C"] if figures.consent else [])])
    return f'<td class="{kind}">{text}{_aloud(figures)}</td>'


def _figures(found: Comparison, dataset: Dataset, pair: Pair, moved: Sequence[Shift]) -> _Figures:
    table_ = permits(found.after.rules)
    now = {
        at[2]: permit.under
        for at, permit in (table_.get(pair.after.id, {}) if pair.after is not None else {}).items()
        if at[1] == dataset.id
    }
    opens = {shift.field for shift in moved if not shift.before.under}
    closes = {shift.field for shift in moved if not shift.after.under} - now.keys()
    others = {shift.field for shift in moved} - opens - closes
    with_consent = sum(1 << number for number in range(64) if Flag(number) & Flag.CONSENT)
    consent = bool(now) and not any(under & ~with_consent for under in now.values())
    fields = len({*dataset.fields, *now, *opens, *closes})
    return _Figures(fields, len(now), len(opens), len(closes), len(others), consent)


def _aloud(figures: _Figures) -> str:
    """The signs in words, for who does not see them."""
    said = [f"of {counted(figures.fields, 'field')}"]
    said += [f"{figures.opens} open"] if figures.opens else []
    said += [f"{figures.closes} close"] if figures.closes else []
    said += [f"{figures.moves} take other things"] if figures.moves else []
    said += ["with consent"] if figures.consent else []
    return f'<span class="hide">: {", ".join(said)}</span>'
