"""The structs and loops that a `Decoder` is made of, generated from one mapping and field list.

Names in generated code are made up here or prefixed (`n0`, `f_amount`); a name from the configuration or
from a source is only ever a constant that the code is handed, never a part of its text.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from connectors.base import FieldType, Record, are_named
from connectors.mapping import moments, numbers

Path = tuple[str, ...]

_TEXT = Annotated[str, Meta(min_length=1)]
TYPES: Mapping[FieldType, Any] = {
    FieldType.STRING: str,
    FieldType.INT: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    FieldType.BOOLEAN: bool,
    FieldType.DECIMAL: msgspec.Raw,  # as it was written: `numbers` reads it
    FieldType.DATE: datetime.date,
    FieldType.DATETIME: str,  # `moments` reads it
}


class Leaf(NamedTuple):
    """One value of a record: the attribute it becomes, where it stands, and what it must be."""

    attribute: str
    path: Path
    kind: str
    mandatory: bool = False


class Tree(NamedTuple):
    """The values of one record as its source nests them: a name leads to the leaves that read it, or to a subtree."""

    children: dict[str, Tree | list[Leaf]]


_OF_RECORD = Record.__struct_fields__
_TEXTS = ("id", "document", "note", FieldType.STRING)


def build_tree(leaves: list[Leaf]) -> Tree:
    """Nest the leaves. Raises `ValueError`, in words for the file's editor, where two cannot both be right."""
    root = Tree({})
    for leaf in leaves:
        node, walked = root, ""
        for part in leaf.path[:-1]:
            walked += f"{part}."
            child = node.children.setdefault(part, Tree({}))
            if not isinstance(child, Tree):
                raise ValueError(f"`{walked[:-1]}` cannot be both a value and the parent of `{'.'.join(leaf.path)}`")
            node = child
        held = node.children.setdefault(leaf.path[-1], [])
        if isinstance(held, Tree):
            raise ValueError(f"`{'.'.join(leaf.path)}` cannot be both a value and a parent")
        for other in held:
            if other.kind != leaf.kind and not (other.kind in _TEXTS and leaf.kind in _TEXTS):
                raise ValueError(f"`{'.'.join(leaf.path)}` cannot be read as `{other.kind}` and as `{leaf.kind}`")
        held.append(leaf)
    return root


def _type(leaves: list[Leaf], texts: bool = False) -> tuple[Any, bool]:
    """The type that decodes what all these leaves need of one value, and whether it is mandatory."""
    kinds = {leaf.kind for leaf in leaves}
    mandatory = any(leaf.mandatory for leaf in leaves)
    kind: Any
    if kinds == {"subject"}:
        kind = str
    elif "id" in kinds:
        kind = _TEXT | int
    elif "document" in kinds:
        kind = str | int
    elif kinds <= {"note", FieldType.STRING} or (texts and kinds == {FieldType.DECIMAL}):
        kind = str
    else:
        kind = TYPES[FieldType(leaves[0].kind)]
    return (kind if mandatory or kind is msgspec.Raw else kind | None), mandatory


def _none(kind: Any) -> Any:
    """What stands for a value that is not written: for one that is read later the same as null."""
    return numbers.NULL if kind is msgspec.Raw else None


def record_type(leaves: list[Leaf]) -> type[Record]:
    """The record that is made of these leaves' values, in order."""
    return _made([(leaf.attribute, _type([leaf])[0]) for leaf in leaves], kw_only=False)


def row_type(leaves: list[Leaf], tree: Tree, *, strict: bool, texts: bool = False) -> type[Record]:
    """The record that decodes straight from its source's names, for a `finisher` to finish.

    `strict` leaves no name out, though it may be null where nothing nests; with `texts` all Decimals are texts. What
    nests stands in an attribute of its own until it is finished, `n<i>`, and an attribute that no name fills is null
    until then, whatever the source has.
    """
    fields = _level(tree, strict, texts)
    named = {name for name, *_ in fields}
    rename = dict(zip([name for name, *_ in fields], tree.children, strict=True))
    for attribute in (*_OF_RECORD, *(leaf.attribute for leaf in leaves)):
        if attribute not in named:
            named.add(attribute)
            fields.append((attribute, None, None))
            rename[attribute] = f"[{attribute}]"  # no path has brackets
    # What a record is called is looked at when it is finished, of all at once: until then a built-in that does nothing.
    return _made(fields, kw_only=True, rename=rename, __post_init__=callable)


def _made(fields: list[Any], *, kw_only: bool, rename: Any = None, **members: Any) -> type[Record]:
    return msgspec.defstruct(  # type: ignore[return-value]  # mypy does not follow `bases`
        "SourceRecord", fields, bases=(Record,), gc=False, kw_only=kw_only, rename=rename,
        namespace={"decoded": True, **members},
    )  # fmt: skip


def is_mandatory(child: Tree | list[Leaf]) -> bool:
    if isinstance(child, Tree):
        return any(map(is_mandatory, child.children.values()))
    return any(leaf.mandatory for leaf in child)


def _level(tree: Tree, strict: bool, texts: bool) -> list[Any]:
    """The attributes of one level, with their types."""
    fields: list[Any] = []
    for name, child in _named(tree):
        if isinstance(child, Tree):
            node, mandatory = _node_type(child, strict, texts), strict or is_mandatory(child)
            fields.append((name, node) if mandatory else (name, node | None, None))
        else:
            type_, mandatory = _type(child, texts)
            fields.append((name, type_) if mandatory or strict else (name, type_, _none(type_)))
    return fields


def _node_type(tree: Tree, strict: bool, texts: bool) -> Any:
    fields = _level(tree, strict, texts)
    rename = dict(zip([name for name, *_ in fields], tree.children, strict=True))
    return msgspec.defstruct("SourceNode", fields, kw_only=True, rename=rename, gc=False)


def count_keys(tree: Tree) -> int:
    return sum(1 + (count_keys(c) if isinstance(c, Tree) else 0) for c in tree.children.values())


def envelope(held: Any, records: Path, next_path: Path | None, *, strict: bool) -> Any:
    """The type of a whole answer: what is `held` at the path of the records, and the next page's token at its own."""
    if not records:
        return held
    level: list[tuple[Path, Any, bool]] = [(records, held, True)]
    if next_path:
        level.append((next_path, str | int | None, strict))
    return _level_type(level)


def _level_type(level: list[tuple[Path, Any, bool]]) -> Any:
    fields: list[Any] = []
    names = list(dict.fromkeys(path[0] for path, _, _ in level))
    for index, name in enumerate(names):
        below = [(path[1:], type_, mandatory) for path, type_, mandatory in level if path[0] == name]
        type_ = _level_type(below) if below[0][0] else below[0][1]
        mandatory = any(entry[2] for entry in below)
        fields.append((f"n{index}", type_) if mandatory else (f"n{index}", type_ | None, None))
    rename = {f"n{index}": name for index, name in enumerate(names)}
    return msgspec.defstruct("SourceAnswer", fields, kw_only=True, rename=rename)


def envelope_keys(records: Path, next_path: Path | None) -> int:
    paths = [path for path in (records, next_path) if path]
    return len({path[: i + 1] for path in paths for i in range(len(path))})


def _identity(value: Any) -> Any:
    return value


def records_getter(records: Path) -> Callable[[Any], Any]:
    return operator.attrgetter(".".join(["n0"] * len(records))) if records else _identity


def next_getter(records: Path, next_path: Path) -> Callable[[Any], Any]:
    shared = 0
    while records[shared] == next_path[shared]:
        shared += 1
    names = ["n0"] * shared + ["n1"] + ["n0"] * (len(next_path) - shared - 1)

    def get(page: Any) -> Any:
        for name in names:
            page = getattr(page, name) if page is not None else None
        return page

    return get


def finisher(leaves: list[Leaf], tree: Tree, constant: str | None, *, texts: bool = False) -> Any:
    """The pair of loops over decoded rows that make records of them: they check what a type cannot express, and put
    what nests where it belongs.

    `one(rows, scheme, value)` gives the records, or what is wrong with them, in words; `many(rows, asked)` appends each
    record to its subject's list in `asked`, and gives what is wrong, or nothing. `constant` is the scheme that the
    configuration says for all records. `texts`: rows are of a `row_type` that is `strict` and has `texts`.
    """
    namespace: dict[str, Any] = {
        "constant": constant,
        "decimals": numbers.all_of_text if texts else numbers.all_of_json,
        "are_plain": numbers.are_plain,
        "are_named": are_named,
        "name": Record.__post_init__,
        FieldType.DATETIME: moments.of_text,
        **{f"no_{node}": _absent(child) for node, _, child in _nodes(tree)},
    }
    for many in (False, True):
        source = _loop(leaves, tree, constant is not None, many, texts)
        exec(compile(source, "<generated by connectors.mapping.generated>", "exec"), namespace)  # noqa: S102 - our own text
    return namespace["one"], namespace["many"]


def _loop(leaves: list[Leaf], tree: Tree, constant: bool, many: bool, texts: bool) -> str:
    lines = ["def many(rows, asked):" if many else "def one(rows, scheme, value):"]
    names = {leaf.attribute for leaf in leaves}
    if constant and not many:
        lines.append("    if scheme != constant and rows: return 'a record names another subject'")
    # What all rows have of names and Decimals is gathered on one way through them, and then looked at together.
    lines += ["    names, d = [], []", "    for r in rows:"]
    absent = "" if texts else " or no_{}"
    lines += [f"        {node} = {place}{absent.format(node)}" for node, place, _ in _nodes(tree)]
    values = list(_values(tree))
    decimals = {leaf.attribute: value for leaf, value in values if leaf.kind == FieldType.DECIMAL}
    for leaf, value in values:
        if (texts or leaf.attribute not in decimals) and value != f"r.{leaf.attribute}":
            lines.append(f"        r.{leaf.attribute} = {value}")
    lines += [f"        {place} = None" for _, place, _ in _nodes(tree) if place.startswith("r.")]
    if "s_value" in names:
        scheme = "constant" if constant else "r.s_scheme"
        other = "" if constant else " or r.s_scheme != scheme"
        strange = f"({scheme}, r.s_value) not in asked" if many else f"r.s_value != value{other}"
        lines.append(f"        if {strange}: return 'a record names another subject'")
    shared = {leaf.path for leaf in leaves if any(o.path == leaf.path and o.kind != leaf.kind for o in leaves)}
    for leaf in leaves:
        lines += _checks(leaf, f"r.{leaf.attribute}", leaf.path in shared)
    document = ", r.m_id if r.m_document is None else r.m_document" if "m_document" in names else ""
    lines.append(f"        names += r.m_id, r.m_version{document}")
    if decimals:
        lines += _decimals(decimals, texts)
    lines += [
        "    if not are_named(names):",
        "        try:",
        "            for r in rows: name(r)",
        "        except ValueError as error: return str(error)",
    ]
    if many:
        lines.append(f"    for r in rows: asked[{scheme}, r.s_value].append(r)" if "s_value" in names else "    pass")
    lines.append("    return None" if many else "    return rows")
    return "\n".join(lines)


def _decimals(values: Mapping[str, str], texts: bool) -> list[str]:
    """What gathers Decimals, by attribute where each stands, and looks at them once all rows are gone through."""
    made = f"for r, {', '.join(f'r.{name}' for name in values)} in zip(rows{', d' * len(values)}): pass"
    refused = f"except ValueError: return {numbers.WRONG!r}"
    gathered = f"        d += {', '.join(values.values())},"
    if not texts:
        return [gathered, "    try: d = iter(decimals(d))", f"    {refused}", f"    {made}"]
    # Mostly they are as they should be, and where they should be.
    slow = ["    if not are_plain(d):", "        try: d = iter(decimals(d))", f"        {refused}", f"        {made}"]
    return [gathered, *slow]


def _nodes(tree: Tree, node: str = "r") -> Iterator[tuple[str, str, Tree]]:
    """What nests in a row, from the outside in: the name of each subtree, where it stands, and what is below it."""
    for index, child in enumerate(tree.children.values()):
        if isinstance(child, Tree):
            below = f"{node}n{index}"
            yield below, f"{node}.n{index}", child
            yield from _nodes(child, below)


def _absent(tree: Tree) -> SimpleNamespace:
    """What stands in for a subtree that a row has not: none of its values is there."""
    return SimpleNamespace(
        **{name: None if isinstance(child, Tree) else _none(_type(child)[0]) for name, child in _named(tree)}
    )


def _values(tree: Tree, node: str = "r") -> Iterator[tuple[Leaf, str]]:
    """Each leaf, and where its value stands."""
    for name, child in _named(tree):
        if isinstance(child, Tree):
            yield from _values(child, f"{node}{name}")
        else:
            yield from ((leaf, f"{node}.{name}") for leaf in child)


def _named(tree: Tree) -> Iterator[tuple[str, Tree | list[Leaf]]]:
    """What is in a tree by its attribute: that of the first leaf that reads it, or `n<i>` for the i-th that nests."""
    for index, child in enumerate(tree.children.values()):
        yield (f"n{index}" if isinstance(child, Tree) else child[0].attribute), child


def _checks(leaf: Leaf, v: str, shared: bool) -> list[str]:
    if leaf.kind == "note":
        check = [f"        if {v} is not None and not {v}.strip(): {v} = None"]
        return [f"        if type({v}) is int: return 'a number stands where text must'", *check] if shared else check
    if leaf.kind == FieldType.STRING and shared:
        return [f"        if type({v}) is int: return 'a number stands where text must'"]
    if leaf.kind == FieldType.DATETIME:
        return [
            f"        if {v} is not None:",
            f"            try: {v} = {leaf.kind}({v})",
            f"            except ValueError: return {moments.WRONG!r}",
        ]
    return []
