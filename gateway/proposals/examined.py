"""What an examination finds, in its own process: see `examination`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gateway.activation.archive import laid_out
from gateway.activation.loading import Reading, loaded
from gateway.catalogue import definitions
from gateway.catalogue.diff import Effect
from gateway.catalogue.model import Status
from gateway.errors import ConfigurationError, Problem, printable
from gateway.inquiry.tested import inquire
from gateway.proposals.examination import MOST_TABLE, MOST_TOLD, Asked, Cells, Difference, Examined
from gateway.rules.check import weakened
from gateway.rules.compare import clients, forms, written
from gateway.rules.compare.report import Comparison, Side, compare
from gateway.rules.compare.shifts import widens_to_people_or_non_public
from gateway.rules.files import officers
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import judge, read, report

_OFFICERS = written.FILES[written.OFFICERS]
_NOBODY = "names nobody: once this is active nobody could approve a change, nor go back; name two officers or more"


def examined(asked: Asked) -> Examined:
    """What was found in a candidate."""
    how = Reading(asked.issuers or None, asked.registries, None)
    try:
        candidate = loaded(asked.candidate, None, how)
    except ConfigurationError as error:
        return Examined(problems=tuple(str(each) for each in error.problems[:MOST_TOLD]))
    if weaker := weakened.check(candidate):
        return Examined(problems=tuple(str(each._replace(file=f"rules/{Path(each.file).name}")) for each in weaker))
    base = None if asked.base is None else loaded(asked.base, None, how)
    if base is not None and base.officers.entries and not candidate.officers.entries:
        return Examined(problems=(f"{officers.FILE}: {_NOBODY}",))
    found = None if base is None or asked.base is None else _compared(asked.base, base, asked.candidate, candidate)
    if asked.table:
        return _table(found)
    differences, left_out = ([], 0) if found is None else told_of(found)
    breaks = [] if found is None else found.breaking
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
        differences=tuple(differences),
        breaks=tuple(breaks[:MOST_TOLD]),
        left_out=left_out + max(0, len(breaks) - MOST_TOLD),
        cells=Cells() if found is None else _cells(found),
        schema=clients.schema_digest(candidate),
        purposes=tuple(policies.purposes),
        published=tuple(sorted(published)),
        definitions=tuple(map(definitions.canonical, policies.catalogue.published.values())),
        reopened=tuple(sorted(published & retired)),
    )


def _compared(before: bytes, base: RuleSet, after: bytes, candidate: RuleSet) -> Comparison:
    with laid_out(before) as old, laid_out(after) as new:
        return compare(Side("base", base, written.read(old)), Side("candidate", candidate, written.read(new)))


def _table(found: Comparison | None) -> Examined:
    table = "" if found is None else "".join(forms.as_csv(found))
    if len(table) > MOST_TABLE:
        return Examined(
            problems=("the comparison is too large for a table; compare the files: `dutybound rules diff`",)
        )
    return Examined(table=table)


def _cells(found: Comparison) -> Cells:
    return Cells(found.opened(), found.closed, found.opened(people=True), found.opened(non_public=True))


def told_of(found: Comparison) -> tuple[list[Difference], int]:
    """All that `rules diff` has, and how many there were too many: what widens, who approves, the rest.

    Who approves is never left out for what widens.
    """
    wider: list[Difference] = []
    who: list[Difference] = []
    rest: list[Difference] = []
    for effect, moved, others, _ in forms.HEADINGS:
        for heading, several in zip((moved, others), found.told(effect), strict=True):
            for each in several:
                to = wider if effect is Effect.WIDENS else who if each.part == _OFFICERS else rest
                said, why = printable(each.text), printable(forms.why(each))
                name, in_matrix = effect.name.lower(), heading == moved
                to.append(Difference(name, in_matrix, heading, said, each.people, each.non_public, why))
    rest += [Difference("surprises", False, "May surprise clients", printable(text)) for text in found.dangerous]
    room = MOST_TOLD - min(len(who), MOST_TOLD // 2)
    told = [*wider[:room], *who, *rest, *wider[room:]][:MOST_TOLD]
    return told, len(wider) + len(who) + len(rest) - len(told)


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
