"""Random GraphQL documents over a catalogue: aliases, fragments, conditions, variables, `__typename`, interfaces."""

from __future__ import annotations

import functools
import re

from hypothesis import strategies as st

from gateway.catalogue.model import Catalogue, Dataset

META = ("id", "version", "dataset", "source", "document", "effective", "displayUntil", "disputed", "mitigation")
VARIABLES = {"id": "IdentifierInput!", "ids": "[IdentifierInput!]!", "a": "Boolean!", "b": "Boolean!"}
CONDITIONS = ("", "", "", " @include(if: $a)", " @skip(if: $a)", " @include(if: $b) @skip(if: $a)", " @skip(if: false)")

# Made once: a document is hundreds of draws, and to make a strategy takes longer than to draw from it.
_one_of = functools.cache(st.sampled_from)
_count = functools.cache(st.integers)
_BOOLEANS = st.booleans()
_METAS = st.lists(st.sampled_from((*META, "__typename")), min_size=1, max_size=5)


def _aliased(draw: st.DrawFn, name: str) -> str:
    # An alias that names the field keeps equal response names on equal fields, so that most documents are valid.
    alias = draw(_one_of(("", "", f"x_{name}: ", f"y_{name}: ")))
    return alias + name + draw(_one_of(CONDITIONS))


def _record_items(draw: st.DrawFn, dataset: Dataset, depth: int, spreads: dict[str, str]) -> str:
    items = []
    for _ in range(draw(_count(1, 5))):
        kind = draw(_count(0, 9))
        if kind < 5:
            items.append(_aliased(draw, draw(_one_of(tuple(sorted(dataset.fields))))))
        elif kind == 5:
            items.append(_aliased(draw, "__typename"))
        elif kind < 8 or depth == 0:
            meta = draw(_METAS)
            body = f"{_aliased(draw, 'record')} {{ {' '.join(_aliased(draw, m) for m in meta)} }}"
            items.append(f"... on Record {{ {body} }}" if draw(_BOOLEANS) else body)
        else:
            inner = _record_items(draw, dataset, depth - 1, spreads)
            items.append(_fragment(draw, dataset.type_name, inner, spreads))
    return " ".join(items)


def _fragment(draw: st.DrawFn, type_name: str, inner: str, spreads: dict[str, str]) -> str:
    condition = draw(_one_of(CONDITIONS))
    how = draw(_count(0, 2))
    if how == 0:
        return f"...{condition} {{ {inner} }}"
    if how == 1:
        return f"... on {type_name}{condition} {{ {inner} }}"
    name = f"F{len(spreads)}"
    spreads[name] = f"fragment {name} on {type_name} {{ {inner} }}"
    return f"...{name}{condition}"


def _subject_items(draw: st.DrawFn, catalogue: Catalogue, kind: str, depth: int, spreads: dict[str, str]) -> str:
    published = [d for d in catalogue.published.values() if kind in d.subjects]
    registers = [f for d in published if d.shape == "subject" for f in d.fields]
    datasets = [d for d in published if d.shape == "list"]
    items = []
    for _ in range(draw(_count(1, 5))):
        choice = draw(_count(0, 9))
        if choice < 3:
            items.append(_aliased(draw, draw(_one_of(("scheme", "value", "__typename", *registers)))))
        elif choice < 8 or depth == 0:
            dataset = datasets[draw(_count(0, len(datasets) - 1))]
            items.append(f"{_aliased(draw, dataset.graphql_name)} {{ {_record_items(draw, dataset, 1, spreads)} }}")
        else:
            inner = _subject_items(draw, catalogue, kind, depth - 1, spreads)
            items.append(_fragment(draw, kind.capitalize(), inner, spreads))
    return " ".join(items)


@st.composite
def documents(draw: st.DrawFn, catalogue: Catalogue, purpose: str, people: bool = False) -> str:
    """A query over variables `$id: IdentifierInput!`, `$ids: [IdentifierInput!]!`, `$a: Boolean!`, `$b: Boolean!`."""
    spreads: dict[str, str] = {}
    roots = []
    for _ in range(draw(_count(1, 3))):
        if people:
            field, argument = "person", "(id: $id)"
        else:
            field, argument = draw(_one_of((("organisation", "(id: $id)"), ("organisations", "(ids: $ids)"))))
        items = _subject_items(draw, catalogue, "person" if people else "organisation", 2, spreads)
        head, _, tail = _aliased(draw, field).partition(" @")
        name = f"{head}{argument}{' @' + tail if tail else ''}"
        roots.append(f"{name} {{ {items} }}")
    body = " ".join([f"{{ {' '.join(roots)} }}", *spreads.values()])
    used = [f"${name}: {of}" for name, of in VARIABLES.items() if re.search(rf"\${name}\b", body)]
    return f"query Random({', '.join(used)}) @inquiry(purpose: {purpose}) {body}"
