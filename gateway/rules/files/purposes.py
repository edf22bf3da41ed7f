"""The registered reasons to ask, read from `policies/purposes.yaml`.

A purpose lists every field that it may see by name, never all of them (Art. 19: necessary); for an adverse dataset it
says why, and on which law. How often and how long is mandatory. Every problem is told with its place and what to write;
nothing here decides: the rules do, within this bound.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from connectors.base import SubjectKind
from gateway import documents
from gateway.catalogue import periods, titles
from gateway.catalogue.model import Basis, Catalogue, Period
from gateway.documents import Node
from gateway.errors import Problem
from gateway.rules.model import BreakGlassTerms, Frequency, Purpose, PurposeFields, Quota, Quotas
from gateway.values import suggest

KINDS: tuple[SubjectKind, ...] = ("organisation", "person")
FORWARD = ("case", "official")
"""What of an inquiry a purpose can let departments be sent."""
FILE = "purposes.yaml"

_REQUIRED = ("title", "articles", "basis", "dpv", "frequency", "delete_after", "subjects", "fields")
_OPTIONAL = (
    "case", "official", "step_up", "scope", "overdue_objection", "secrecy", "quotas", "break_glass", "suspension",
    "forward", "override",
)  # fmt: skip
_EVERYTHING = frozenset({"all", "*", "any", "every"})
_NONE = Period("P1D", 0, 1)
_VERSION = "the law's version that is meant, such as `2026-01-01`"


def load(
    policies_dir: Path, catalogue: Catalogue, problems: list[Problem], registries: Collection[str] | None = None
) -> dict[str, Purpose]:
    """Read the purposes; what is wrong becomes problems, and all that are written are returned, in the file's order.

    `registries` are the case registries that are configured, where that is known.
    """
    root = documents.read(policies_dir / FILE, problems, within=policies_dir)
    if root is None:
        return {}
    entries = root.mapping(any_key=True)
    if not entries and root.is_mapping:
        root.problem("lists no purpose; register at least one")
    purposes = {}
    for name, node in entries.items():
        if not _is_enum_name(name):
            node.key_problem(f"`{name}` must be a name in capitals, digits and `_`, such as `TENDER_QUALIFICATION`")
        purposes[name] = _purpose(name, node, catalogue, registries)
    return purposes


def _is_enum_name(name: str) -> bool:
    ascii_word = name.isascii() and name.replace("_", "").isalnum()
    return ascii_word and name[0].isalpha() and name == name.upper() and not name.startswith("__")


def _purpose(name: str, node: Node, catalogue: Catalogue, registries: Collection[str] | None) -> Purpose:
    entries = node.mapping(_REQUIRED, _OPTIONAL)
    case = entries["case"].mapping(["required"], ["registry"]) if "case" in entries else {}
    official = entries["official"].mapping(["required"]) if "official" in entries else {}
    subjects = tuple(_subjects(entries["subjects"])) if "subjects" in entries else ()
    registry = (
        case_registry(case["registry"], catalogue.departments, catalogue, registries) if "registry" in case else None
    )
    frequency = _frequency(entries["frequency"]) if "frequency" in entries else Frequency(0, _NONE)
    quotas = _quotas(entries["quotas"]) if "quotas" in entries else Quotas()
    if frequency.unlimited and (quotas is not None or "person" in subjects):
        entries["frequency"].problem(
            "is unlimited for organisations only, and where `quotas` are too: nobody counts the others' inquiries"
        )
    title = entries["title"].text(what="a title") if "title" in entries else ""
    titles.of_purpose(node, entries, name, title)
    return Purpose(
        name=name,
        title=title,
        articles=texts(entries.get("articles"), 'an article\'s number, such as "22(1)"'),
        basis=bases(entries.get("basis")),
        dpv=entries["dpv"].text(pattern=r"dpv:[A-Z][A-Za-z]+", what="a DPV term, such as `dpv:LegalCompliance`")
        if "dpv" in entries
        else "",
        subjects=subjects,
        fields=_fields(entries["fields"], subjects, catalogue) if "fields" in entries else {},
        frequency=frequency,
        delete_after=_period(entries["delete_after"]) if "delete_after" in entries else _NONE,
        case_required="required" in case and case["required"].boolean(),
        case_registry=registry or None,
        official_required="required" in official and official["required"].boolean(),
        step_up=entries["step_up"].text(what="an authentication class (`acr`)") if "step_up" in entries else None,
        scope=_scope(entries.get("scope")),
        overdue_objection=_overdue(entries.get("overdue_objection")),
        secrecy_max=_secrecy(entries.get("secrecy")),
        quotas=quotas,
        break_glass=_break_glass(entries["break_glass"], official) if "break_glass" in entries else None,
        suspension_exempt=_exempt(entries["suspension"]) if "suspension" in entries else None,
        forward=_forward(entries["forward"], {"case": case, "official": official})
        if "forward" in entries
        else frozenset(),
    )


def case_registry(
    node: Node, departments: Collection[str], catalogue: Catalogue, registries: Collection[str] | None
) -> str:
    """One of the departments, whose case registry is configured; which are, where that is known, is in `registries`."""
    name = department(node, sorted(departments), "a department:", catalogue)
    if registries is not None and name and not node.told and name not in registries:
        node.problem(f"no case registry `{name}` is configured{suggest(name, registries)}; add it to `case_registries`")
    return name


def department(node: Node, known: Collection[str], what: str, catalogue: Catalogue) -> str:
    """One of the departments; where the catalogue does not know them all, any."""
    return node.choice(known, what) if catalogue.whole else node.text()


def _scope(node: Node | None) -> Literal["inquire", "self"]:
    return "self" if node is not None and node.choice(["inquire", "self"]) == "self" else "inquire"


def _overdue(node: Node | None) -> Literal["withhold", "flag"]:
    return "flag" if node is not None and node.choice(["withhold", "flag"]) == "flag" else "withhold"


def _secrecy(node: Node | None) -> Period | None:
    entries = node.mapping(["max"]) if node is not None else {}
    return _period(entries["max"]) if "max" in entries else None


def _break_glass(node: Node, official: Mapping[str, Node]) -> BreakGlassTerms:
    entries = node.mapping(["reason", "review_within"])
    if "reason" in entries:
        entries["reason"].choice(["required"], "a break-glass inquiry must give its reason:")
    if "required" not in official or not official["required"].boolean():
        node.key_problem("is for a named person in an emergency: add `official: {required: true}`")
    within = (
        entries["review_within"].text(pattern="[1-9][0-9]? working days?", what="as `3 working days`")
        if "review_within" in entries
        else ""
    )
    return BreakGlassTerms(int(within.partition(" ")[0] or 1))


def _exempt(node: Node) -> Basis | None:
    entries = node.mapping(["exempt"])
    return basis_of(entries["exempt"]) if "exempt" in entries else None


def _forward(node: Node, demanded: Mapping[str, Mapping[str, Node]]) -> frozenset[str]:
    """What departments may be sent; only what the purpose itself demands, so that it is known to be right."""
    found: set[str] = set()
    for item in node.items():
        name = item.choice(FORWARD, "what can be forwarded is")
        if item.told:
            continue
        if name in found:
            item.problem(f"`{name}` appears twice; keep one")
        elif "required" not in demanded[name] or not demanded[name]["required"].boolean():
            item.problem(f"`{name}` is forwarded only where the purpose demands it: add `{name}: {{required: true}}`")
        found.add(name)
    if node.is_sequence and not node.items():
        node.problem("names nothing; write `case`, `official` or both, or remove it")
    return frozenset(found)


def _quotas(node: Node) -> Quotas | None:
    if node.is_mapping and "unlimited" in node.mapping(any_key=True):
        node.mapping(["unlimited"])["unlimited"].text(what="why one may ask about any number of subjects")
        return None
    entries, usual = node.mapping((), ["official", "requester"]), Quotas()
    return Quotas(
        _quota(entries["official"]) if "official" in entries else usual.official,
        _quota(entries["requester"]) if "requester" in entries else usual.requester,
    )


def _quota(node: Node) -> Quota:
    entries = node.mapping(["hour", "day"])
    hour, day = (entries[key].integer(1, 1_000_000) if key in entries else 1 for key in ("hour", "day"))
    if len(entries) == 2 and hour > day and not any(entry.told for entry in entries.values()):
        entries["hour"].problem(f"`{hour}` in an hour is more than `day` allows ({day})")
    return Quota(hour, day)


def _frequency(node: Node) -> Frequency:
    if node.is_mapping and "unlimited" in node.mapping(any_key=True):
        node.mapping(["unlimited"])["unlimited"].text(what="why one may ask about a subject any number of times")
        return Frequency(0, _NONE, unlimited=True)
    entries = node.mapping(["max", "per"])
    return Frequency(
        entries["max"].integer(1, 1_000_000) if "max" in entries else 0,
        _period(entries["per"]) if "per" in entries else _NONE,
    )


def _period(node: Node) -> Period:
    text = node.text(what=periods.EXPECTED)
    if text:
        try:
            return periods.parse(text)
        except ValueError as error:
            node.problem(str(error))
    return _NONE


def _subjects(node: Node) -> list[SubjectKind]:
    kinds: list[SubjectKind] = []
    for item in node.items():
        found = item.choice(KINDS, "subject kinds are")
        for kind in KINDS:
            if kind == found and kind not in kinds and not item.told:
                kinds.append(kind)
    if node.is_sequence and not node.items():
        node.problem("names no subject kind; write `organisation`, `person` or both")
    return kinds


def _fields(node: Node, subjects: tuple[SubjectKind, ...], catalogue: Catalogue) -> Mapping[str, PurposeFields]:
    if not node.is_mapping and not node.is_sequence:
        node.problem("must list datasets and their fields by name; a purpose never names them all at once")
        return {}
    bound = {}
    entries = node.mapping(any_key=True)
    if node.is_mapping and not entries:
        node.problem("names no dataset; a purpose without fields permits nothing")
    for name, entry in entries.items():
        dataset = catalogue.datasets.get(name)
        if name in _EVERYTHING:
            entry.key_problem(f"`{name}` is not a dataset; list the datasets by name, never all at once")
        elif catalogue.has_not(name):
            entry.key_problem(f"unknown dataset `{name}`{suggest(name, catalogue.datasets)}")
        else:
            sound = dataset is not None and name not in catalogue.broken
            if dataset and sound and subjects and not set(subjects) & set(dataset.subjects):
                covered = " and ".join(dataset.subjects)
                entry.key_problem(f"`{name}` covers {covered} only, which is no subject of this purpose; remove it")
            parts = entry.mapping(["names"], ["because", "basis"])
            fields = dataset.fields if dataset is not None else {}
            names = _names(parts["names"], name, fields) if "names" in parts else frozenset()
            because = parts["because"].text(what="why these fields are necessary") if "because" in parts else None
            basis = bases(parts.get("basis"))
            if dataset and sound and dataset.nature == "adverse":
                for key in ("because", "basis"):
                    if key not in parts:
                        entry.key_problem(f"`{name}` is adverse: `{key}` must give why it is necessary (Art. 19)")
            bound[name] = PurposeFields(names, because, basis)
    return bound


def _names(node: Node, dataset: str, known: Mapping[str, object]) -> frozenset[str]:
    if not node.is_sequence:
        node.problem("must list the fields by name; a purpose never names them all at once")
        return frozenset()
    names: set[str] = set()
    for item in node.items():
        name = item.text(what="a field's name")
        if name in _EVERYTHING and name not in known:
            item.problem(f"`{name}` is not a field; list the fields by name, never all at once")
        elif name and known and name not in known:
            item.problem(f"unknown field `{name}` of `{dataset}`{suggest(name, known)}")
        elif name in names:
            item.problem(f"`{name}` appears twice; keep one")
        elif name:
            names.add(name)
    if not names and not node.items():
        node.problem(f"names no field of `{dataset}`; list at least one, or remove the dataset")
    return frozenset(names)


def texts(node: Node | None, what: str) -> tuple[str, ...]:
    """The non-empty strings of a list that has at least one."""
    if node is None:
        return ()
    items = node.items()
    if node.is_sequence and not items:
        node.problem(f"is empty; write {what}")
    return tuple(text for item in items if (text := item.text(what=what)))


def bases(node: Node | None) -> tuple[Basis, ...]:
    """The legal bases of a list that has at least one: `[{law: ..., article: ..., version: ...}]`."""
    if node is None:
        return ()
    items = node.items()
    if node.is_sequence and not items:
        node.problem("is empty; name the law and its article")
    return tuple(found for item in items if (found := basis_of(item)) is not None)


def basis_of(node: Node) -> Basis | None:
    """One legal basis: `{law: ..., article: ..., version: ...}`."""
    parts = node.mapping(["law"], ["article", "version"])
    if "law" not in parts or not (law := parts["law"].text(what="a law's name")):
        return None
    article = parts["article"].text(what="an article") if "article" in parts else None
    version = parts["version"].text(what=_VERSION) if "version" in parts else None
    return Basis(law, article, version)
