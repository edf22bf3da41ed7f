"""Reads the catalogue: `policies/catalogue/*.yaml`, one file per department, and `policies/identifiers.yaml`.

Everything wrong is collected with its file, line, column and fix; nothing stops at the first problem. What could be
read comes back even then, so that other files can be checked against it, but nobody may serve a catalogue that has
problems. The digest depends on what the files say, not on how they are written or ordered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from connectors.base import FieldType
from gateway import documents
from gateway.catalogue import checks, titles, words
from gateway.catalogue.identifiers import load_schemes, subject_kinds
from gateway.catalogue.model import (
    Basis,
    Catalogue,
    Dataset,
    Disclosure,
    Display,
    Field,
    IdentifierScheme,
    Information,
    Nature,
    Period,
    Shape,
    Status,
)
from gateway.catalogue.periods import EXPECTED, parse
from gateway.catalogue.unread import unread
from gateway.documents import Node, outside, read
from gateway.errors import Problem
from gateway.values import NOWHERE, Document

_ID = r"[a-z][a-z0-9]{0,40}(-[a-z0-9]{1,40}){0,8}"
_FIELD = r"[a-z][A-Za-z0-9]{0,60}"
_URL = r"https?://[!#-;=?-\[\]_a-z~]{1,500}"
_REQUIRED = ["title", "status", "subjects", "information", "disclosure", "nature", "basis", "fields"]
_OPTIONAL = ["category", "display", "restorable", "shape", "open_law", "override"]


def load(policies_dir: Path, problems: list[Problem]) -> Catalogue:
    """The catalogue under `policies_dir`; everything that is wrong with it is added to `problems`.

    So is what looks like a file of the whole folder and would not be read.
    """
    left_out = list(unread(policies_dir))
    problems += [Problem(str(path), 0, 0, "", wrong) for path, wrong in left_out]
    schemes = load_schemes(policies_dir / "identifiers.yaml", problems)
    folder = policies_dir / "catalogue"
    datasets: dict[str, Dataset] = {}
    nodes: dict[str, Node] = {}
    departments: dict[str, str] = {}
    remedies: dict[str, str] = {}
    broken: set[str] = set()
    whole = not any(folder in path.parents for path, _ in left_out)
    wrong = outside(folder, policies_dir)
    if wrong:
        problems.append(Problem(str(folder), 0, 0, "", wrong))
    files = [] if wrong else sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))
    if not files and not wrong and whole:
        problems.append(Problem(str(folder), 0, 0, "", "holds no catalogue file (`<department>.yaml`)"))
    for file in files:
        node = read(file, problems, within=policies_dir)
        whole &= node is not None and _department(node, (departments, remedies), datasets, nodes, broken)
    _examine({name: dataset for name, dataset in datasets.items() if name not in broken}, nodes, schemes)
    datasets = dict(sorted(datasets.items()))
    departments = dict(sorted(departments.items()))
    found = digest(datasets, schemes, departments, remedies)
    return Catalogue(datasets, schemes, departments, found, frozenset(broken), whole and bool(files), remedies)


def one(text: str, file: str, name: str, among: Catalogue, problems: list[Problem]) -> Dataset | None:
    """A dataset of a department's file, held to all that a catalogue is, as one `among` whose datasets it would stand.

    `text` is the file's, `file` its name in problems. None where it cannot be read, or the file has no such dataset;
    everything that is wrong with the file is added to `problems`.
    """
    node = documents.parse(text, Document(file, NOWHERE, problems))
    datasets: dict[str, Dataset] = {}
    nodes: dict[str, Node] = {}
    departments: dict[str, str] = {}
    broken: set[str] = set()
    if node is None or not _department(node, (departments, {}), datasets, nodes, broken):
        return None
    sound = {each: dataset for each, dataset in datasets.items() if each not in broken}
    others = {each: dataset for each, dataset in among.datasets.items() if dataset.department not in departments}
    for each in others.keys() & sound.keys():
        nodes[each].key_problem(f"`{each}` is taken; rename it")
    _examine(sound, nodes, among.schemes, {each: others[each] for each in others.keys() - sound.keys()})
    return datasets.get(name)


def _examine(
    sound: Mapping[str, Dataset],
    nodes: Mapping[str, Node],
    schemes: Mapping[str, IdentifierScheme],
    others: Mapping[str, Dataset] = {},
) -> None:
    """Tell all that a catalogue refuses of datasets that could be read; `others` are right, and of other files."""
    for dataset in sound.values():
        for check in checks.ON_DATASET:
            for finding in check(dataset):
                _report(nodes[dataset.id], finding)
        for kind in dataset.subjects:
            if schemes and not any(kind in scheme.subjects for scheme in schemes.values()):
                nodes[dataset.id].at(["subjects"]).problem(f"no scheme in `identifiers.yaml` names {kind}s; add one")
    for across in checks.ON_ALL:
        for name, finding in across({**others, **sound}):
            _report(nodes.get(name) or next(iter(nodes.values())), finding)


def digest(
    datasets: Mapping[str, Dataset],
    schemes: Mapping[str, IdentifierScheme],
    departments: Mapping[str, str],
    remedies: Mapping[str, str] = {},
) -> str:
    """SHA-256, in hexadecimal, of the canonical form of a catalogue."""
    canonical = {
        **({"remedies": dict(remedies)} if remedies else {}),
        "departments": dict(departments),
        "datasets": {name: msgspec.to_builtins(dataset) for name, dataset in datasets.items()},
        "schemes": {s.name: [s.title, list(s.subjects), s.module, s.pattern] for s in schemes.values()},
    }
    return hashlib.sha256(msgspec.json.encode(canonical, order="sorted")).hexdigest()


def _report(node: Node, finding: checks.Finding) -> None:
    place = node.at(finding.path)
    if finding.at_key:
        place.key_problem(finding.message)
    else:
        place.problem(finding.message)


def _department(
    node: Node,
    of_departments: tuple[dict[str, str], dict[str, str]],
    datasets: dict[str, Dataset],
    nodes: dict[str, Node],
    broken: set[str],
) -> bool:
    """Read one file; whether all its names could be read. It adds to titles and remedies of departments."""
    departments, remedies = of_departments
    entries = node.mapping(["department", "title", "datasets"], ["remedy"])
    name = entries["department"].text(pattern=_ID, what="a department's id in lower case, such as `tax`")
    title = entries["title"].text()
    titles.unscored(entries["department"], name)
    titles.unscored(entries["title"], title)
    if name in departments:
        entries["department"].problem(f"`{name}` has another file already; one file per department")
    if name:
        departments.setdefault(name, title)
    if "remedy" in entries and (remedy := entries["remedy"].text(what="what a subject can do about a decision")):
        remedies.setdefault(name, remedy)
    listed = entries["datasets"].mapping(any_key=True)
    if entries["datasets"].is_mapping and not listed:
        entries["datasets"].problem("lists no dataset")
    for key, entry in listed.items():
        if key in nodes:
            entry.key_problem(f"`{key}` is already in {nodes[key].file}:{nodes[key].line}; rename one")
            continue
        before = len(node.problems)
        datasets[key], nodes[key] = _dataset(key, entry, name, title), entry
        if len(node.problems) > before or node.document.passed or not (name and title):
            broken.add(key)
    return bool(name) and "datasets" in entries and entries["datasets"].is_mapping


def _dataset(name: str, node: Node, department: str, department_title: str) -> Dataset:
    if not re.fullmatch(_ID, name):
        node.key_problem(f"`{name}` must be a dataset's id in lower case with hyphens, such as `tax-arrears`")
    entries = node.mapping(_REQUIRED, _OPTIONAL)
    fields = {key: _field(key, field) for key, field in entries["fields"].mapping(any_key=True).items()}
    if entries["fields"].is_mapping and not fields:
        entries["fields"].problem("lists no field; a dataset has at least one")
    return Dataset(
        id=name,
        department=department,
        department_title=department_title,
        title=entries["title"].text(),
        status=Status(entries["status"].choice(list(Status))),
        subjects=subject_kinds(entries["subjects"]),
        information=_word(entries["information"], Information),
        disclosure=_word(entries["disclosure"], Disclosure),
        nature=_word(entries["nature"], Nature),
        category=entries["category"].choice(words.CATEGORIES) if "category" in entries else words.ORDINARY,
        basis=_basis(entries["basis"]),
        display=_display(entries["display"]) if "display" in entries else None,
        restorable=entries["restorable"].boolean() if "restorable" in entries else False,
        shape=_word(entries["shape"], Shape) if "shape" in entries else "list",
        fields=fields,
        open_law=entries["open_law"].text() if "open_law" in entries else None,
        override=entries["override"].text(what="a written reason") if "override" in entries else None,
    )


def _word(node: Node, vocabulary: Any) -> Any:
    """One of the words of a `Literal`, typed as that by the field it goes into."""
    return node.choice(get_args(vocabulary))


def _field(name: str, node: Node) -> Field:
    if not re.fullmatch(_FIELD, name):
        node.key_problem(f"`{name}` must be a camelCase name, such as `validUntil`: it becomes a GraphQL field")
    entries = node.mapping(["type", "title"], ["override"])
    return Field(
        name,
        FieldType(entries["type"].choice(list(FieldType))),
        entries["title"].text(),
        entries["override"].text(what="a written reason") if "override" in entries else None,
    )


def _basis(node: Node) -> tuple[Basis, ...]:
    bases = []
    for item in node.items():
        entries = item.mapping(["law"], ["article", "url"])
        if "law" in entries:
            article = entries["article"].text() if "article" in entries else None
            url = (
                entries["url"].text(pattern=_URL, what="where the law is, `https://...`") if "url" in entries else None
            )
            bases.append(Basis(entries["law"].text(), article, url=url or None))
    if node.is_sequence and not node.items():
        node.problem("names no law; a dataset rests on at least one: `[{law: ..., article: ...}]`")
    return tuple(bases)


def _display(node: Node) -> Display:
    entries = node.mapping(["from"], ["min", "max", "law"])
    if "from" in entries:
        entries["from"].choice(["effective"], "the only date that display can count from is")
    return Display(
        min=_period(entries.get("min")),
        max=_period(entries.get("max")),
        law=entries["law"].text(what="the law that allows this display") if "law" in entries else None,
    )


def _period(node: Node | None) -> Period | None:
    if node is None:
        return None
    text = node.text(what=EXPECTED)
    try:
        return parse(text) if text else None
    except ValueError as error:
        node.problem(str(error))
        return None
