"""From the files under `policies/` to a rule set, or to every problem in them.

All files are read before anything is refused, so that one run tells everything. What is written but wrong counts as
known, and where not all could be read nothing is called unknown: the same mistake is told once, where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway import documents
from gateway.catalogue.load import load as load_catalogue
from gateway.catalogue.model import Catalogue
from gateway.errors import ConfigurationError, Problem
from gateway.rules.check import legible, references, tautologies, total
from gateway.rules.decide import base, vocabulary
from gateway.rules.files import calendar, officers, purposes, requesters, rule, thresholds, tokens
from gateway.rules.files.requesters import Requesters
from gateway.rules.files.rule import Rule
from gateway.rules.ruleset import RuleSet


class Read(NamedTuple):
    """The contents of the files; `rules` only where nothing is wrong with any of them."""

    catalogue: Catalogue
    requesters: Requesters
    rules: RuleSet | None


def load(policies_dir: Path, issuers: Mapping[str, str] | None = None) -> RuleSet:
    """Read and check everything; raises `ConfigurationError` with all problems. `issuers` as in `read`."""
    problems: list[Problem] = []
    found = read(policies_dir, load_catalogue(policies_dir, problems), issuers, problems).rules
    if found is None:
        raise ConfigurationError(problems)
    return found


def read(
    policies_dir: Path,
    catalogue: Catalogue,
    issuers: Mapping[str, str] | None,
    problems: list[Problem],
    registries: Collection[str] | None = None,
    *,
    secrets: Path | None = None,
) -> Read:
    """Read and check everything but the catalogue, whose own problems are in `problems` already; none may be there.

    `issuers` gives the URL of each issuer that `requesters.yaml` names, and `registries` the names of the case
    registries; without them, names stand for themselves, so that the files can be checked without a configuration.
    Files with secrets are read as seen from the folder `secrets`, where one is given: nowhere else are they there.
    """
    registered = purposes.load(policies_dir, catalogue, problems, registries)
    who = requesters.load(policies_dir, catalogue, registered, issuers, problems, registries, secrets=secrets)
    dates = calendar.load(policies_dir, problems)
    approvers = officers.load(policies_dir, issuers, problems)
    before = len(problems)
    rules = load_rules(policies_dir, problems)
    legible.check(rules, problems)
    total.check(rules, problems)
    base.check(rules, policies_dir / "rules", problems, all_read=len(problems) == before)
    words = vocabulary.of(catalogue, registered, who)
    references.check(rules, words, problems)
    if not problems:  # a rule is tried where it is right otherwise
        tautologies.check(rules, words, problems)
    if problems:
        return Read(catalogue, who, None)
    watched = thresholds.watching(policies_dir, catalogue, who)
    return Read(catalogue, who, RuleSet(catalogue, registered, who, rules, dates, approvers, watched))


def load_rules(policies_dir: Path, problems: list[Problem]) -> list[Rule]:
    """The rules of `rules/*.cedar` that can be used, in the files' order; each id once."""
    directory = policies_dir / "rules"
    if wrong := documents.outside(directory, policies_dir):
        problems.append(Problem(str(directory), 0, 0, "", wrong))
        return []
    files = sorted(directory.glob("*.cedar"))
    if not files:
        problems.append(Problem(str(directory), 0, 0, "", "holds no rule (`*.cedar`): nothing would ever be permitted"))
    read = [each for file in files if (each := rule.read(file, problems, within=policies_dir)) is not None]
    own = {each.id: each for each in [*reversed(read), *(each for each in read if Path(each.file).stem == each.id)]}
    for each in read:
        if own[each.id] is not each:
            line, column = tokens.place(each.text, tokens.annotation(each.text, "id") or 0)
            other = Path(own[each.id].file).name
            message = f"`{each.id}` is the id of the rule in `{other}` too; give one of them another"
            problems.append(Problem(each.file, line, column, f"@id {each.id}", message))
    return [each for each in read if own[each.id] is each]
