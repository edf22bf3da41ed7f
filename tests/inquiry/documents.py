"""Random GraphQL documents over a catalogue: aliases, fragments, conditions, variables, `__typename`, interfaces."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from gateway.catalogue.model import Catalogue, Dataset

META = ("id", "version", "dataset", "source", "document", "effective", "displayUntil", "disputed", "mitigation")
VARIABLES = {"id": "IdentifierInput!", "ids": "[IdentifierInput!]!", "a": "Boolean!", "b": "Boolean!"}
CONDITIONS = ("", "", "", " @include(if: $a)", " @skip(if: $a)", " @include(if: $b) @skip(if: $a)", " @skip(if: false)")


def _aliased(draw: st.DrawFn, name: str) -> str:
    # An alias that names the field keeps equal response names on equal fields, so that most documents are valid.
    alias = draw(st.sampled_from(("", "", f"x_{name}: ", f"y_{name}: ")))
    return alias + name + draw(st.sampled_from(CONDITIONS))


@st.composite
def _record_items(draw: st.DrawFn, dataset: Dataset, depth: int, spreads: dict[str, str]) -> str:
    items = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.integers(0, 9))
        if kind < 5:
            items.append(_aliased(draw, draw(st.sampled_from(sorted(dataset.fields)))))
        elif kind == 5:
            items.append(_aliased(draw, "__typename"))
        elif kind < 8 or depth == 0:
            meta = draw(st.lists(st.sampled_from((*META, "__typename")), min_size=1, max_size=5))
            body = f"{_aliased(draw, 'record')} {{ {' '.join(_aliased(draw, m) for m in meta)} }}"
            items.append(f"... on Record {{ {body} }}" if draw(st.booleans()) else body)
        else:
            inner = draw(_record_items(dataset, depth - 1, spreads))
            items.append(_fragment(draw, dataset.type_name, inner, spreads))
    return " ".join(items)


def _fragment(draw: st.DrawFn, type_name: str, inner: str, spreads: dict[str, str]) -> str:
    condition = draw(st.sampled_from(CONDITIONS))
    how = draw(st.integers(0, 2))
    if how == 0:
        return f"...{condition} {{ {inner} }}"
    if how == 1:
        return f"... on {type_name}{condition} {{ {inner} }}"
    name = f"F{len(spreads)}"
    spreads[name] = f"fragment {name} on {type_name} {{ {inner} }}"
    return f"...{name}{condition}"


@st.composite
def _subject_items(draw: st.DrawFn, catalogue: Catalogue, kind: str, depth: int, spreads: dict[str, str]) -> str:
    published = [d for d in catalogue.published.values() if kind in d.subjects]
    registers = [f for d in published if d.shape == "subject" for f in d.fields]
    datasets = [d for d in published if d.shape == "list"]
    items = []
    for _ in range(draw(st.integers(1, 5))):
        choice = draw(st.integers(0, 9))
        if choice < 3:
            items.append(_aliased(draw, draw(st.sampled_from(("scheme", "value", "__typename", *registers)))))
        elif choice < 8 or depth == 0:
            dataset = draw(st.sampled_from(datasets))
            items.append(f"{_aliased(draw, dataset.graphql_name)} {{ {draw(_record_items(dataset, 1, spreads))} }}")
        else:
            inner = draw(_subject_items(catalogue, kind, depth - 1, spreads))
            items.append(_fragment(draw, kind.capitalize(), inner, spreads))
    return " ".join(items)


@st.composite
def documents(draw: st.DrawFn, catalogue: Catalogue, purpose: str, people: bool = False) -> str:
    """A query over variables `$id: IdentifierInput!`, `$ids: [IdentifierInput!]!`, `$a: Boolean!`, `$b: Boolean!`."""
    spreads: dict[str, str] = {}
    roots = []
    for _ in range(draw(st.integers(1, 3))):
        if people:
            field, argument = "person", "(id: $id)"
        else:
            field, argument = draw(st.sampled_from((("organisation", "(id: $id)"), ("organisations", "(ids: $ids)"))))
        items = draw(_subject_items(catalogue, "person" if people else "organisation", 2, spreads))
        head, _, tail = _aliased(draw, field).partition(" @")
        name = f"{head}{argument}{' @' + tail if tail else ''}"
        roots.append(f"{name} {{ {items} }}")
    body = " ".join([f"{{ {' '.join(roots)} }}", *spreads.values()])
    used = [f"${name}: {of}" for name, of in VARIABLES.items() if re.search(rf"\${name}\b", body)]
    return f"query Random({', '.join(used)}) @inquiry(purpose: {purpose}) {body}"
