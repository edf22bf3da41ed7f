"""`sources.yaml`: which real system holds which department's datasets, and by which protocol.

Every published dataset needs exactly one source, at the department that the catalogue names. An adverse dataset needs a
mapping of its records' source document (Art. 37), and one with a display period a mapping of `effective` (Art. 44):
without them every record would be withheld, which is never what the department meant. `changes` says how a department's
own systems tell of changed records: `{secret_file, changes_an_hour}`. `test_subjects` are identifiers that nobody real
has, by scheme, for `dutybound source test`.

Where people activate rule sets, a source stands there before the set that publishes its dataset, and after one that did
is replaced; so do a field that is added or has another name, and a test subject. So what the catalogue of an active set
does not know is passed over, and told apart (`Sources.beyond`). Of a folder's it is a mistake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.base import Config, Connector, DatasetShape, Subject
from gateway.catalogue.checks import needs_document
from gateway.catalogue.model import Catalogue, Dataset
from gateway.documents import Node, of_kind, parse, read, text
from gateway.errors import Problem
from gateway.values import Document, suggest

CHANGES_AN_HOUR = 100
"""So many withdrawals that a department's systems report in an hour count without a steward, where nothing is said."""

Build = Callable[[Config, Mapping[str, DatasetShape]], Connector]
"""A connector kind: (configuration, shapes of its datasets) -> connector; it tells what is wrong to the first."""


class Changes(NamedTuple):
    """How a department's systems report changes: `secrets` sign their webhooks, none where they send none."""

    secrets: tuple[bytes, ...] = ()
    an_hour: int = CHANGES_AN_HOUR


class Sources(NamedTuple):
    """The contents of the file, by department; who reports no changes is not in `changes`.

    `digest` is the SHA-256, in hexadecimal, of all that it says, however it is written. `made_of` is what each
    connector was made of: what the file says of its department, and what the catalogue says of its datasets. `beyond`
    says, a line each, what the catalogue of the active set does not know. `written` stands for the text that was read,
    as `fingerprint` has it. `test_subjects` are nobody, by department: whom `source test` asks about.
    """

    connectors: dict[str, Connector]
    changes: dict[str, Changes]
    digest: str = ""
    made_of: dict[str, bytes] = {}  # noqa: RUF012 - each has its own
    beyond: list[str] = []  # noqa: RUF012
    written: bytes = b""
    test_subjects: dict[str, tuple[Subject, ...]] = {}  # noqa: RUF012


def fingerprint(source: str | None) -> bytes:
    """What stands for the text of the file; nothing where it cannot be read."""
    return b"" if source is None else hashlib.sha256(source.encode()).digest()


def load(
    path: Path,
    catalogue: Catalogue,
    kinds: Mapping[str, Build],
    problems: list[Problem],
    *,
    active: bool = False,
) -> Sources:
    """The connectors by department; what is wrong goes to `problems`, with file and line.

    `active`: the catalogue is that of an active rule set, so that nobody is asked for what it does not know. Where the
    catalogue is not whole, that is passed over: its own problems say why.
    """
    source = text(path, problems)
    node = None if source is None else parse(source, Document(str(path), path.resolve().parent, problems))
    if node is None:
        return Sources({}, {})
    departments = node.mapping(["departments"])["departments"]
    written = msgspec.json.encode(node.apart().plain(), order="sorted")
    found = Sources({}, {}, hashlib.sha256(written).hexdigest(), {}, [], fingerprint(source), {})
    beyond = found.beyond if active else None
    entries = departments.mapping(any_key=True)
    for name, entry in entries.items():
        known = not catalogue.whole or name in catalogue.departments
        if not known:
            said = f"the catalogue has no department `{name}`{suggest(name, catalogue.departments)}"
            _unknown(entry, said, beyond)
        shapes = _shapes(name, entry, catalogue, beyond)
        mine = entry.without("changes").without("test_subjects")
        made = of_kind(mine if beyond is None else as_known(mine, shapes, beyond), kinds, shapes)
        keys = entry.mapping(any_key=True) if entry.is_mapping else {}
        if "test_subjects" in keys:
            found.test_subjects[name] = _test_subjects(keys["test_subjects"], catalogue, beyond)
        if "changes" in keys:
            changes = _changes(keys["changes"])
            if known:
                found.changes[name] = changes
        if made is not None and known:
            found.connectors[name] = made
            found.made_of[name] = msgspec.json.encode([entry.apart().plain(), shapes], order="sorted")
    served = {dataset for entry in entries.values() for dataset in _datasets(entry)}
    for dataset in catalogue.published.values():
        if dataset.id not in served:
            (entries.get(dataset.department) or departments).key_problem(
                f"the published dataset `{dataset.id}` has no source; add it to `{dataset.department}.datasets`"
            )
    return found


def _unknown(node: Node, said: str, beyond: list[str] | None) -> None:
    if beyond is None:
        node.key_problem(said)
    else:
        node = node.apart()
        node.key_problem(f"{said}; nobody is asked for it until a rule set with it is active")
        beyond += map(str, node.problems)


def as_known(entry: Node, shapes: Mapping[str, DatasetShape], beyond: list[str]) -> Node:
    """A department's part without the fields that the catalogue of an active set does not know; `beyond` gets them."""
    for name, shape in shapes.items():
        fields = entry.at(["datasets", name, "fields"])
        written = fields.mapping(any_key=True) if fields.path.endswith(f"{name}.fields") and fields.is_mapping else {}
        for field in written.keys() - shape.fields:
            _unknown(written[field], f"`{name}` has no field `{field}` in the catalogue", beyond)
            entry = entry.without("datasets", name, "fields", field)
    return entry


def _changes(node: Node) -> Changes:
    keys = node.mapping((), ("secret_file", "changes_an_hour"))
    secrets = keys["secret_file"].signing_secrets() if "secret_file" in keys else ()
    return Changes(secrets, keys["changes_an_hour"].integer(0, 1_000_000, CHANGES_AN_HOUR))


def _test_subjects(node: Node, catalogue: Catalogue, beyond: list[str] | None) -> tuple[Subject, ...]:
    """Identifiers that nobody real has, by scheme: `{LEI: [5299...]}`."""
    found: list[Subject] = []
    for name, values in node.mapping(any_key=True).items():
        scheme = catalogue.schemes.get(name)
        if scheme is None:
            if catalogue.whole:
                said = f"`identifiers.yaml` has no scheme `{name}`{suggest(name, catalogue.schemes)}"
                _unknown(values, said, beyond)
            continue
        for each in values.items():
            try:
                value = scheme.canonical(each.text())
            except ValueError as error:
                if beyond is None:
                    each.problem(str(error))
                else:
                    told = each.apart()
                    told.problem(f"{error}; it is passed over until a rule set that takes it is active")
                    beyond += map(str, told.problems)
                continue
            found += [Subject(kind, name, value) for kind in scheme.subjects]
    return tuple(found)


def late(path: Path, deadline: float) -> list[str]:
    """The departments whose own `timeout` can never end anything: the inquiry's deadline comes no later."""
    told: list[Problem] = []
    node = read(path, told)
    entries = node.mapping(any_key=True)["departments"].mapping(any_key=True) if node is not None else {}
    for entry in entries.values():
        limits = entry.at(["limits"])
        of = limits.at(["timeout"])
        if not of.path.endswith("limits.timeout") or of.duration(2.0) < deadline:
            continue
        of.problem(
            "is not sooner than `limits.deadline` of `gateway.yaml`, which ends the whole inquiry; make it shorter"
        )
    return [str(problem) for problem in told]


def _datasets(entry: Node) -> Mapping[str, Node]:
    datasets = entry.mapping(any_key=True)["datasets"] if entry.is_mapping else entry
    return datasets.mapping(any_key=True) if datasets.is_mapping else {}


def shapes_of(department: str, entry: Node, catalogue: Catalogue) -> dict[str, DatasetShape]:
    """What the connector of a department must know of its datasets; what is wrong with its part was reported
    before."""
    return _shapes(department, entry.apart(), catalogue, [])


def _shapes(department: str, entry: Node, catalogue: Catalogue, beyond: list[str] | None) -> dict[str, DatasetShape]:
    shapes: dict[str, DatasetShape] = {}
    for name, node in _datasets(entry).items():
        dataset = catalogue.datasets.get(name)
        if dataset is not None and dataset.department == department:
            _record(dataset, node, catalogue)
            schemes = {
                kind: [scheme for scheme, its in catalogue.schemes.items() if kind in its.subjects]
                for kind in dataset.subjects
            }
            shapes[name] = DatasetShape(name, {f.name: f.type for f in dataset.fields.values()}, schemes)
        elif catalogue.whole and department in catalogue.departments:
            own = [d.id for d in catalogue.datasets.values() if d.department == department]
            said = f"`{department}` has no dataset `{name}` in the catalogue{suggest(name, own)}"
            _unknown(node, said, beyond)
    return shapes


def _record(dataset: Dataset, node: Node, catalogue: Catalogue) -> None:
    record = node.mapping(any_key=True)["record"] if node.is_mapping else node
    if not record.is_mapping:
        return  # the connector says what is missing
    says = record.mapping(any_key=True)
    scheme = record.at(["subject", "scheme", "const"])
    written = scheme.path.endswith(".subject.scheme.const") and bool(catalogue.schemes)
    if written and str(scheme.plain()) not in catalogue.schemes:
        scheme.choice(catalogue.schemes, "`identifiers.yaml` has")
        written = False
    if dataset.id in catalogue.broken:
        return
    if needs_document(dataset) and "document" not in says:
        record.problem(f"`{dataset.id}` is adverse: map `document`, the decision that each record rests on")
    known = [name for name, its in catalogue.schemes.items() if set(its.subjects) & set(dataset.subjects)]
    if written and (said := str(scheme.plain())) not in known:
        of = f"a scheme that names a subject of `{dataset.id}`"
        scheme.problem(f"`{said}` is not {of}: {', '.join(known)}{suggest(said, known)}")
    if dataset.display is not None and "effective" not in says:
        record.problem(f"`{dataset.id}` has a display period: map `effective`, the day it counts from")
