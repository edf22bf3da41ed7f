"""The policy tests of `policies/tests/*.yaml`, read against the policies that they are for.

Every name in them is looked up: a client, a purpose, a dataset, a field, a rule, a reason. So a test cannot pass for
speaking of what does not exist. Every problem is told with its place and what was meant.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway import documents
from gateway.documents import Entries, Node
from gateway.errors import Problem
from gateway.rules.decide import vocabulary
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import BreakGlassTerms, Reason
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing import fixtures
from gateway.rules.testing.fixtures import Fixtures
from gateway.rules.testing.model import NOTHING_SUPPOSED, Coordinate, Expected, Fact, PolicyTest, Posed, Supposed
from gateway.values import suggest

FOLDER = "tests"
OTHERWISE = "otherwise"
"""Stands in `denied` for all of published datasets that is neither permitted nor listed."""

_FILE = (("now", "requesters", "subjects", "tests"), ("cases", "consents"))
_TEST = (
    ("name", "purpose", "permits"),
    (
        "requester",
        "requesters",
        "subject",
        "subjects",
        "now",
        "case",
        "consents",
        "consent",
        "break_glass",
        "suspended",
        "denied",
        "supposing",
    ),
)
_FACTS = ("status", "information", "disclosure", "nature", "category")
_MOST_INQUIRIES = 100
"""Subjects and moments of one test, together."""


def files(policies_dir: Path) -> list[Path]:
    """The files with tests, in order."""
    return sorted((policies_dir / FOLDER).glob("*.yaml"))


def load(policies_dir: Path, rule_set: RuleSet, problems: list[Problem]) -> list[PolicyTest]:
    """The tests of all files, in order; what is wrong with them becomes problems."""
    found: list[PolicyTest] = []
    for file in files(policies_dir):
        root = documents.read(file, problems, within=policies_dir)
        if root is not None:
            found += _Reader(root, rule_set).tests()
    return found


class _Reader:
    """One file's reader: its fixtures, and the policies that its names are looked up in."""

    def __init__(self, root: Node, rule_set: RuleSet) -> None:
        self.root, self.rule_set = root, rule_set
        self.policies, self.catalogue = rule_set.policies, rule_set.policies.catalogue
        self.parts = root.mapping(*_FILE)
        self.named: Fixtures = fixtures.read(self.parts, rule_set)

    def tests(self) -> list[PolicyTest]:
        nodes = self.parts["tests"].items() if "tests" in self.parts else []
        if "tests" in self.parts and self.parts["tests"].is_sequence and not nodes:
            self.parts["tests"].problem("holds no test; write one, or remove the file")
        usual = self._moments(self.parts["now"]) if "now" in self.parts else []
        tests: dict[str, PolicyTest] = {}
        for node in nodes:
            test = self._test(node, usual)
            if test.name and test.name in tests:
                node.at(["name"]).problem(f"`{test.name}` is the name of another test of this file; give it its own")
            tests[test.name] = test
        return list(tests.values())

    def _moments(self, node: Node) -> list[datetime.datetime]:
        several = node.items() if node.is_sequence else [node]
        if not several:
            node.problem("names no moment; write one")
        return [fixtures.moment(each, self.policies.time_zone) for each in several]

    def _test(self, node: Node, usual: Sequence[datetime.datetime]) -> PolicyTest:
        parts = node.mapping(*_TEST)
        name = parts["name"].text(what="what it tests, in a few words") if "name" in parts else ""
        supposed = self._supposed(parts["supposing"]) if "supposing" in parts else NOTHING_SUPPOSED
        inquiries = self._inquiries(node, parts, usual)
        expected = self._expected(parts, node.line)
        return PolicyTest(name, node.file, node.line, inquiries, expected, supposed)

    def _inquiries(
        self, node: Node, parts: Entries, usual: Sequence[datetime.datetime]
    ) -> tuple[tuple[str, Posed], ...]:
        named = self.named
        case = fixtures.named(parts["case"], named.cases, "cases") if "case" in parts else ""
        given = [fixtures.named(item, named.consents, "consents") for item in parts["consents"].items()]
        declared = fixtures.named(parts["consent"], named.consents, "consents") if "consent" in parts else ""
        purpose = fixtures.purpose(parts["purpose"], self.rule_set) if "purpose" in parts else ""
        emergency = "break_glass" in parts and parts["break_glass"].boolean()
        suspended = frozenset(fixtures.dataset(item, self.catalogue) for item in parts["suspended"].items())
        moments = self._moments(parts["now"]) if "now" in parts else usual
        who = _several(node, parts, "requester", named.requesters)
        subjects = _several(node, parts, "subject", named.subjects)
        count = len(who) * len(subjects) * len(moments)
        if count > _MOST_INQUIRIES:
            node.problem(f"asks {count} times; split it into tests of {_MOST_INQUIRIES} at most")
            return ()
        found = []
        for requester, subject, at in itertools.product(who, subjects, moments):
            label = [f"by `{requester}`"] if len(who) > 1 else []
            label += [f"about `{subject}`"] if len(subjects) > 1 else []
            label += [f"at {at:%Y-%m-%d %H:%M}"] if len(moments) > 1 else []
            posed = Posed(
                asker=named.requesters[requester],
                purpose=purpose,
                subject=named.subjects[subject],
                now=at,
                case=named.cases[case].number if case else None,
                case_verified=bool(case) and named.cases[case].verified,
                consents=tuple(named.consents[each] for each in given if each),
                consent=declared or None,
                break_glass=emergency,
                suspended=suspended,
            )
            found.append((", ".join(label), posed))
        return tuple(found)

    def _expected(self, parts: Entries, line: int) -> Mapping[Coordinate, Expected]:
        everything = [(name, field) for name, dataset in self.catalogue.datasets.items() for field in dataset.fields]
        permits = self._permits(parts["permits"]) if "permits" in parts else {}
        whole, single, otherwise = self._denied(parts["denied"], permits) if "denied" in parts else ({}, {}, None)
        closed = otherwise or Expected(False, line)
        unlisted = {
            name: closed if name in self.catalogue.published else Expected(False, line) for name, _ in everything
        }
        return {at: permits.get(at) or single.get(at) or whole.get(at[0]) or unlisted[at[0]] for at in everything}

    def _permits(self, node: Node) -> dict[Coordinate, Expected]:
        found: dict[Coordinate, Expected] = {}
        for name, entry in node.mapping(any_key=True).items():
            if fixtures.dataset(entry, self.catalogue, name=name) not in self.catalogue.datasets:
                continue
            if name not in self.catalogue.published:
                entry.key_problem(f"`{name}` is not published, so that nothing of it can be permitted; leave it out")
            items = entry.items()
            if entry.is_sequence and not items:
                entry.problem(f"names no field of `{name}`; list those that are permitted, or leave it out")
            for item in items:
                at = (name, fixtures.field(item, name, self.catalogue))
                if at in found:
                    item.problem(f"`{at[1]}` appears twice; keep one")
                found[at] = Expected(True, item.line)
        return found

    def _denied(
        self, node: Node, permits: Mapping[Coordinate, Expected]
    ) -> tuple[dict[str, Expected], dict[Coordinate, Expected], Expected | None]:
        """What is expected of whole datasets, of single fields, and of all the rest."""
        whole: dict[str, Expected] = {}
        single: dict[Coordinate, Expected] = {}
        otherwise = None
        for key, entry in node.mapping(any_key=True).items():
            denial = self._denial(entry)
            name, dot, field = key.partition(".")
            if key == OTHERWISE:
                otherwise = denial
                continue
            if fixtures.dataset(entry, self.catalogue, name=name) not in self.catalogue.datasets:
                continue
            fields = self.catalogue.datasets[name].fields
            if not dot:
                whole[name] = denial
                if all((name, each) in permits for each in fields):
                    entry.key_problem(f"every field of `{name}` is permitted above; leave it out")
            elif field not in fields:
                entry.key_problem(f"unknown field `{field}` of `{name}`{suggest(field, fields)}")
            else:
                single[name, field] = denial
                if (name, field) in permits:
                    entry.key_problem(f"`{key}` is permitted above; keep one")
        return whole, single, otherwise

    def _denial(self, node: Node) -> Expected:
        parts, rules = node.mapping((), ["reason", "rule", "rules"]), self.rule_set.rules
        if node.is_mapping and not parts:
            node.problem("gives no reason of the denial; write `reason`, `rule` or `rules`, or leave it out")
        reasons = {str(reason): reason for reason in Reason}
        reason = parts["reason"].choice(reasons, "reasons are") if "reason" in parts else ""
        all_of = (
            frozenset(item.choice(rules, "rules are") for item in parts["rules"].items()) if "rules" in parts else None
        )
        return Expected(
            False,
            node.line,
            reasons[reason] if reason else None,
            parts["rule"].choice(rules, "rules are") if "rule" in parts else None,
            all_of,
        )

    def _supposed(self, node: Node) -> Supposed:
        parts = node.mapping((), ["datasets", "purposes", "requesters", "without"])
        if node.is_mapping and not parts:
            node.problem("supposes nothing; name what is otherwise, or leave it out")
        words = vocabulary.of(self.catalogue, self.policies.purposes, self.rule_set.requesters).words
        datasets, purposes, roles = [], [], []
        for name, entry in parts["datasets"].mapping(any_key=True).items():
            fixtures.dataset(entry, self.catalogue, name=name)
            facts = entry.mapping((), (*_FACTS, "subjects"))
            datasets.append((name, tuple((fact, _fact(fact, value, words)) for fact, value in facts.items())))
        for name, entry in parts["purposes"].mapping(any_key=True).items():
            if name not in self.policies.purposes:
                entry.key_problem(f"unknown purpose `{name}`{suggest(name, self.policies.purposes)}")
            facts = entry.mapping((), ("step_up", "subjects", "break_glass"))
            purposes.append((name, tuple((fact, _fact(fact, value, words)) for fact, value in facts.items())))
        for name, entry in parts["requesters"].mapping(any_key=True).items():
            if name not in self.named.requesters:
                entry.key_problem(f"unknown requester `{name}`{suggest(name, self.named.requesters)}")
                continue
            held = entry.mapping(["roles"])["roles"].items()
            who = self.named.requesters[name]
            roles.append(
                ((who.issuer, who.client), frozenset(item.choice(words["Role"], "roles are") for item in held))
            )
        without = frozenset(item.choice(self.rule_set.rules, "rules are") for item in parts["without"].items())
        return Supposed(tuple(datasets), tuple(purposes), tuple(roles), without)


def _fact(name: str, node: Node, words: Mapping[str, Sequence[str]]) -> Fact:
    if name == "subjects":
        return tuple(item.choice(KINDS, "subject kinds are") for item in node.items())
    if name == "step_up":
        return node.text(what="an authentication class (`acr`)")
    if name == "break_glass":  # that there are terms decides, and not which
        return BreakGlassTerms(1) if node.boolean() else None
    return node.choice(words[name.capitalize()])


def _several(node: Node, parts: Entries, key: str, known: Mapping[str, object]) -> list[str]:
    """The names under `key`, or under its plural."""
    plural = f"{key}s"
    if (key in parts) is (plural in parts):
        node.problem(f"needs `{key}`, or `{plural}` where the same holds for several")
        return []
    nodes = [parts[key]] if key in parts else parts[plural].items()
    if not nodes and parts[plural].is_sequence:
        parts[plural].problem("is empty; name one")
    return [name for each in nodes if (name := fixtures.named(each, known, plural))]
