"""The file of subjects: whom a department's system may be asked about, since they are nobody.

nobody: Made by the test desk of the tax office; the register has none of them
holding:
  - {scheme: LEI, value: 529900T8BM49AURSDO55, records: {tax-arrears: 2, tax-awards: 0}}
unknown:
  - {scheme: LEI, value: 5299000J2N45DDNE4Y28}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from connectors.base import DatasetShape, Subject, SubjectKind
from connectors.contract.model import Holding
from gateway.catalogue.model import IdentifierScheme
from gateway.documents import Node, read
from gateway.errors import ConfigurationError, Problem

MOST = 100
"""Subjects of a file: each check asks about each of them."""
_MOST_RECORDS = 1000
_KINDS: Mapping[SubjectKind, str] = {"organisation": "organisations", "person": "persons"}


class Named(NamedTuple):
    """The contents of the file; `nobody` is who vouches that none of them is real, and why."""

    nobody: str
    holding: Sequence[Holding]
    unknown: Sequence[Subject]


def load(path: Path, schemes: Mapping[str, IdentifierScheme], datasets: Mapping[str, DatasetShape]) -> Named:
    """Read the file; `datasets` are those that the department maps, by name. Raises `ConfigurationError`."""
    problems: list[Problem] = []
    node = read(path, problems)
    if node is None:
        raise ConfigurationError(problems)
    keys = node.mapping(("nobody", "holding"), ("unknown",))
    nobody = keys["nobody"].text(what="who vouches that these subjects are nobody, and why that is so")
    holding, unknown = keys["holding"].items(), keys["unknown"].items()
    if not holding or len(holding) + len(unknown) > MOST:
        keys["holding"].problem(f"name at least one subject here, and at most {MOST} in all")
    held = [_holding(each, schemes, datasets) for each in holding]
    others = [_subject(each.mapping(("scheme", "value"), ("kind",)), schemes) for each in unknown]
    subjects = [one.subject for one in held] + others
    for place, subject in zip([*holding, *unknown], subjects, strict=True):
        if subjects.count(subject) > 1 and not problems:
            place.problem("this subject appears twice; name each once")
    if problems:
        raise ConfigurationError(problems)
    return Named(nobody, held, others)


def _holding(node: Node, schemes: Mapping[str, IdentifierScheme], datasets: Mapping[str, DatasetShape]) -> Holding:
    keys = node.mapping(("scheme", "value", "records"), ("kind",))
    subject = _subject(keys, schemes)
    counts: dict[str, int] = {}
    for name, count in keys["records"].mapping(any_key=True).items():
        if name not in datasets:
            count.key_problem(f"the department maps no dataset `{name}`: {', '.join(sorted(datasets))}")
        elif subject.scheme not in datasets[name].schemes.get(subject.kind, ()):
            count.key_problem(f"`{name}` has no records about {_KINDS[subject.kind]}")
        else:
            counts[name] = count.integer(0, _MOST_RECORDS)
    return Holding(subject, counts)


def _subject(keys: Mapping[str, Node], schemes: Mapping[str, IdentifierScheme]) -> Subject:
    scheme = schemes[keys["scheme"].choice(schemes, "`identifiers.yaml` has")]
    kind: SubjectKind = scheme.subjects[0]
    if len(scheme.subjects) > 1:
        said = keys["kind"].choice(scheme.subjects)
        kind = next(each for each in scheme.subjects if each == said)
    value = keys["value"].text()
    try:
        value = scheme.canonical(value)
    except ValueError as error:
        keys["value"].problem(str(error))
    return Subject(kind, scheme.name, value)
