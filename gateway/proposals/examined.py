"""What an examination finds, in its own process: see `examination`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gateway.activation.archive import laid_out
from gateway.activation.loading import Reading, loaded
from gateway.catalogue import definitions
from gateway.catalogue.model import Status
from gateway.errors import ConfigurationError, Problem
from gateway.inquiry.tested import inquire
from gateway.proposals.examination import MOST_TOLD, Asked, Examined
from gateway.rules.compare import clients, sentences
from gateway.rules.compare.shifts import widens_to_people_or_non_public
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import judge, read, report


def examined(asked: Asked) -> Examined:
    """What there is to say of a candidate."""
    how = Reading(asked.issuers or None, asked.registries, None)
    try:
        candidate = loaded(asked.candidate, None, how)
    except ConfigurationError as error:
        return Examined(problems=tuple(str(each) for each in error.problems[:MOST_TOLD]))
    base = None if asked.base is None else loaded(asked.base, None, how)
    problems, ran, failures = _tested(asked.candidate, candidate)
    if problems:
        return Examined(problems=problems)
    policies = candidate.policies
    published = frozenset(policies.catalogue.published)
    retired = {name for each in asked.since for name in _retired(loaded(each, None, how))}
    return Examined(
        digest=candidate.digest,
        tests=ran,
        failures=failures,
        widens=() if base is None else tuple(sorted(widens_to_people_or_non_public(base, candidate))),
        changes=() if base is None else tuple(each.text for each in sentences.matrix(base, candidate)[:MOST_TOLD]),
        breaks=() if base is None else tuple(clients.breaking(base, candidate)[:MOST_TOLD]),
        schema=clients.schema_digest(candidate),
        purposes=tuple(policies.purposes),
        published=tuple(sorted(published)),
        definitions=tuple(map(definitions.canonical, policies.catalogue.published.values())),
        reopened=tuple(sorted(published & retired)),
    )


def _tested(files: bytes, rules: RuleSet) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """What is wrong with the files of its tests, how many tests ran, and how they failed."""
    problems: list[Problem] = []
    with laid_out(files) as folder:
        tests = read.load(folder, rules, problems)
        result = judge.run(rules, tests, inquire)
        failures = list(report.failures(result, rules))
    named = [str(each._replace(file=_named(each.file, folder))) for each in problems]
    told = [line.replace(f"{folder}/", "") for line in failures]
    return tuple(named[:MOST_TOLD]), len(tests), tuple(told[:MOST_TOLD])


def _named(file: str, folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(Path(file).relative_to(folder))
    return file


def _retired(rules: RuleSet) -> Iterator[str]:
    for dataset in rules.policies.catalogue.datasets.values():
        if dataset.status is Status.RETIRED:
            yield dataset.id
