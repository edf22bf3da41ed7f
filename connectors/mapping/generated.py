"""The structs and loops that a `Decoder` is made of, generated from one mapping and field list.

Struct attributes and the names in generated code are made up here (`n0`, `v3`, ...); a name from the configuration or
from a source is only ever a constant that the code is handed, never a part of its text.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from connectors.base import FieldType, Record
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


def _type(leaves: list[Leaf]) -> tuple[Any, bool]:
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
    elif kinds <= {"note", FieldType.STRING}:
        kind = str
    else:
        kind = TYPES[FieldType(leaves[0].kind)]
    return (kind if mandatory or kind is msgspec.Raw else kind | None), mandatory


def _none(kind: Any) -> Any:
    """What stands for a value that is not written: for one that is read later the same as null."""
    return numbers.NULL if kind is msgspec.Raw else None


def record_type(leaves: list[Leaf], *, rename: bool, strict: bool) -> type[Record]:
    """The record with these leaves as attributes. With `rename` it decodes straight from its source's names; without,
    it is made from the leaves' values in order. `strict` leaves no attribute out, though it may be null."""
    fields: list[Any] = []
    for leaf in leaves:
        type_, mandatory = _type([leaf])
        fields.append((leaf.attribute, type_) if mandatory or strict else (leaf.attribute, type_, _none(type_)))
    return msgspec.defstruct(  # type: ignore[return-value]  # mypy does not follow `bases`
        "SourceRecord",
        fields,
        bases=(Record,),
        kw_only=rename,
        rename={leaf.attribute: leaf.path[-1] for leaf in leaves} if rename else None,
        gc=False,
    )


def is_mandatory(child: Tree | list[Leaf]) -> bool:
    if isinstance(child, Tree):
        return any(map(is_mandatory, child.children.values()))
    return any(leaf.mandatory for leaf in child)


def raw_type(tree: Tree, *, strict: bool) -> Any:
    """The struct of nested records: attribute `n<i>` holds the i-th name of its level."""
    fields: list[Any] = []
    for index, child in enumerate(tree.children.values()):
        if isinstance(child, Tree):
            type_, mandatory = raw_type(child, strict=strict), strict or is_mandatory(child)
            fields.append((f"n{index}", type_) if mandatory else (f"n{index}", type_ | None, None))
        else:
            type_, mandatory = _type(child)
            fields.append((f"n{index}", type_) if mandatory or strict else (f"n{index}", type_, _none(type_)))
    rename = {f"n{index}": name for index, name in enumerate(tree.children)}
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


def finisher(record_type: type[Record], leaves: list[Leaf], tree: Tree, constant: str | None, direct: bool) -> Any:
    """The pair of loops over decoded rows that check what a type cannot express, and flatten rows that nest.

    `one(rows, scheme, value)` gives the records, or what is wrong with them, in words; `many(rows, asked)` appends each
    record to its subject's list in `asked`, and gives what is wrong, or nothing. `constant` is the scheme that the
    configuration says for all records.
    """
    namespace: dict[str, Any] = {
        "T": record_type,
        "constant": constant,
        "decimals": numbers.all_of_json,
        "NULL": numbers.NULL,
        FieldType.DATETIME: moments.of_text,
    }
    for many in (False, True):
        source = _loop(leaves, tree, constant is not None, direct, many)
        exec(compile(source, "<generated by connectors.mapping.generated>", "exec"), namespace)  # noqa: S102 - our own text
    return namespace["one"], namespace["many"]


def _loop(leaves: list[Leaf], tree: Tree, constant: bool, direct: bool, many: bool) -> str:
    lines = ["def many(rows, asked):" if many else "def one(rows, scheme, value):"]
    names = {leaf.attribute for leaf in leaves}
    if constant and not many:
        lines.append("    if scheme != constant and rows: return 'a record names another subject'")
    if not direct:
        lines.append("    out = []")
    held = {leaf.attribute: f"r.{leaf.attribute}" for leaf in leaves} if direct else {}
    unpacked = [] if direct else _unpack(tree, "r", "", held, False)
    decimals = [leaf.attribute for leaf in leaves if leaf.kind == FieldType.DECIMAL]
    if decimals:
        # Those of all rows are read together, and then each row gets its own.
        raws = held if direct else dict(_raws(tree))
        lines += [
            f"    try: d = iter(decimals([v for r in rows for v in ({', '.join(raws[name] for name in decimals)},)]))",
            f"    except ValueError: return {numbers.WRONG!r}",
            f"    for r, {', '.join(held[name] for name in decimals)} in zip(rows{', d' * len(decimals)}):",
        ]
    else:
        lines.append("    for r in rows:")
    lines += unpacked
    if "s_value" in names:
        scheme = "constant" if constant else held["s_scheme"]
        if many:
            lines += [
                f"        own = asked.get(({scheme}, {held['s_value']}))",
                "        if own is None: return 'a record names another subject'",
            ]
        else:
            other = "" if constant else f" or {scheme} != scheme"
            lines.append(f"        if {held['s_value']} != value{other}: return 'a record names another subject'")
    shared = {leaf.path for leaf in leaves if any(o.path == leaf.path and o.kind != leaf.kind for o in leaves)}
    for leaf in leaves:
        lines += _checks(leaf, held[leaf.attribute], leaf.path in shared)
    if direct:
        lines.append(f"        {'own.append(r)' if many else 'pass'}")
        lines.append("    return None" if many else "    return rows")
    else:
        made = ", ".join(held[leaf.attribute] for leaf in leaves)
        lines += [
            f"        try: {'own' if many else 'out'}.append(T({made}))",
            "        except ValueError as error: return str(error)",
        ]
        lines.append("    return None" if many else "    return out")
    return "\n".join(lines)


def _unpack(tree: Tree, node: str, prefix: str, held: dict[str, str], nullable: bool) -> list[str]:
    """Lines that put every leaf of a nested row into a variable of its own, named in `held`; no Decimals."""
    lines = []
    for index, child in enumerate(tree.children.values()):
        name, value = f"{prefix}{index}", f"{node}.n{index}"
        if nullable:
            value = f"{value} if {node} is not None else None"
        if isinstance(child, Tree):
            lines.append(f"        t{name} = {value}")
            lines += _unpack(child, f"t{name}", f"{name}_", held, not is_mandatory(child))
        else:
            for number, leaf in enumerate(child):
                held[leaf.attribute] = f"v{name}_{number}"
                if leaf.kind != FieldType.DECIMAL:
                    lines.append(f"        v{name}_{number} = {value}")
    return lines


def _raws(tree: Tree, node: str = "r", there: str = "") -> Iterator[tuple[str, str]]:
    """Each Decimal of a nested row by its attribute, and where its JSON stands; `there` is a condition for that."""
    for index, child in enumerate(tree.children.values()):
        value = f"{node}.n{index}"
        if isinstance(child, Tree):
            also = there if is_mandatory(child) else f"{there}{' and ' if there else ''}{value} is not None"
            yield from _raws(child, value, also)
        else:
            for leaf in child:
                if leaf.kind == FieldType.DECIMAL:
                    yield leaf.attribute, f"{value} if {there} else NULL" if there else value


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
