"""What the tests of a file name: requesters with their tokens, subjects, cases and consents.

Each is read once, under a name of its own, so that a test reads as a sentence. What is wrong is told with its place.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping
from typing import NamedTuple

from connectors.base import Subject, SubjectKind
from gateway.catalogue.model import Catalogue, IdentifierScheme
from gateway.documents import Node
from gateway.rules.files.purposes import KINDS
from gateway.rules.model import RequesterEntry
from gateway.rules.ruleset import RuleSet
from gateway.rules.testing.model import Asker, Narrowed
from gateway.storage.subjects.kinds import Consent
from gateway.values import suggest

_MOMENT = r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?"
_EXPECTED = "a moment, such as `2026-06-15 12:00`, in the time zone of `calendar.yaml` unless it ends as `+02:00`"
_NOBODY = Subject("organisation", "", "")


class Case(NamedTuple):
    """A case as it is declared, and whether its registry would verify it for these subjects and this official."""

    number: str
    verified: bool


class Fixtures(NamedTuple):
    """All that the tests of one file may name."""

    requesters: Mapping[str, Asker]
    subjects: Mapping[str, Subject]
    cases: Mapping[str, Case]
    consents: Mapping[str, Consent]


def read(parts: Mapping[str, Node], rule_set: RuleSet) -> Fixtures:
    """The fixtures of a file; what is wrong with them becomes problems."""
    policies = rule_set.policies
    schemes = {kind: scheme for scheme in policies.catalogue.schemes.values() for kind in scheme.subjects}
    subjects = {name: _subject(node, schemes) for name, node in _entries(parts, "subjects").items()}
    cases = {name: _case(node) for name, node in _entries(parts, "cases").items()}
    zone = policies.time_zone
    requesters = {
        name: _asker(node, rule_set, subjects, cases, zone) for name, node in _entries(parts, "requesters").items()
    }
    consents = {name: _consent(name, node, rule_set, requesters) for name, node in _entries(parts, "consents").items()}
    return Fixtures(requesters, subjects, cases, consents)


def _entries(parts: Mapping[str, Node], key: str) -> Mapping[str, Node]:
    return parts[key].mapping(any_key=True) if key in parts else {}


def moment(node: Node, zone: str) -> datetime.datetime:
    """A moment, in the policies' time zone where it names no other; some moment where it is wrong (`told`)."""
    found = re.fullmatch(_MOMENT, text := node.text(what=_EXPECTED))
    try:
        if found:
            at = datetime.datetime.fromisoformat(f"{found[1]}T{found[2]}{(found[3] or '').replace('Z', '+00:00')}")
            return at if found[3] else at.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    except ValueError:
        pass
    if text:
        node.problem(f"`{text}` must be {_EXPECTED}")
    return datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _subject(node: Node, schemes: Mapping[SubjectKind, IdentifierScheme]) -> Subject:
    parts = node.mapping(["kind", "identifier"])
    written = parts["kind"].choice(KINDS, "subject kinds are") if "kind" in parts else ""
    value = parts["identifier"].text(what="an identifier") if "identifier" in parts else ""
    for kind in KINDS:
        if kind == written and value and kind in schemes:
            try:
                return Subject(kind, schemes[kind].name, schemes[kind].canonical(value))
            except ValueError as error:
                parts["identifier"].problem(f"`{value}` {error}")
        elif kind == written and value:
            parts["kind"].problem(f"`identifiers.yaml` has no scheme for a subject of this kind, `{kind}`")
    return _NOBODY


def _case(node: Node) -> Case:
    parts = node.mapping(["number", "verified"])
    return Case(
        parts["number"].text(what="a case's number") if "number" in parts else "",
        "verified" in parts and parts["verified"].boolean(),
    )


def named(node: Node, known: Mapping[str, object], what: str) -> str:
    """A name that this file gives to something; nothing where it gives none."""
    if not known:
        node.problem(f"this file names no {what}; add it under `{what}`")
        return ""
    return node.choice(known, f"the {what} of this file are")


def purpose(node: Node, rule_set: RuleSet) -> str:
    """A registered purpose."""
    name, purposes = node.text(what="a purpose"), rule_set.policies.purposes
    if name and name not in purposes:
        node.problem(f"unknown purpose `{name}`{suggest(name, purposes)}")
    return name


def dataset(node: Node, catalogue: Catalogue, *, name: str | None = None) -> str:
    """A dataset of the catalogue, as a value; or as the key `name` of one."""
    found = node.text(what="a dataset's id") if name is None else name
    if found and found not in catalogue.datasets:
        tell = node.problem if name is None else node.key_problem
        tell(f"unknown dataset `{found}`{suggest(found, catalogue.datasets)}")
    return found


def _asker(
    node: Node, rule_set: RuleSet, subjects: Mapping[str, Subject], cases: Mapping[str, Case], zone: str
) -> Asker:
    parts = node.mapping(["client", "scopes"], ["issuer", "official", "acr", "expires", "subject", "narrowed"])
    entry = _registered(parts, rule_set) if "client" in parts else None
    scopes = frozenset(item.text(what="a scope") for item in parts["scopes"].items())
    narrowing = tuple(_narrowed(item, rule_set, subjects, cases) for item in parts["narrowed"].items())
    own = named(parts["subject"], subjects, "subjects") if "subject" in parts else ""
    return Asker(
        entry.issuer if entry is not None else "",
        entry.client if entry is not None else "",
        scopes,
        parts["official"].text(what="an official's id") if "official" in parts else None,
        parts["acr"].text(what="an authentication class (`acr`)") if "acr" in parts else None,
        moment(parts["expires"], zone) if "expires" in parts else None,
        subjects[own][1:] if own else None,
        narrowing,
    )


def _registered(parts: Mapping[str, Node], rule_set: RuleSet) -> RequesterEntry | None:
    client = parts["client"].text(what="a client's id")
    issuer = parts["issuer"].text(what="an issuer") if "issuer" in parts else None
    entries = rule_set.policies.requesters.values()
    found = [entry for entry in entries if entry.client == client and issuer in (None, entry.issuer)]
    if client and not found:
        clients = {entry.client for entry in entries if issuer in (None, entry.issuer)}
        of = f" of `{issuer}`" if issuer else ""
        parts["client"].problem(f"unknown client `{client}`{of}{suggest(client, clients)}; register it first")
    elif len(found) > 1:
        issuers = ", ".join(f"`{entry.issuer}`" for entry in found)
        parts["client"].problem(f"`{client}` is a client of several issuers, {issuers}; add `issuer`")
    return found[0] if len(found) == 1 else None


def _narrowed(node: Node, rule_set: RuleSet, subjects: Mapping[str, Subject], cases: Mapping[str, Case]) -> Narrowed:
    parts = node.mapping((), ["purpose", "case", "datasets", "subject"])
    catalogue = rule_set.policies.catalogue
    case = named(parts["case"], cases, "cases") if "case" in parts else ""
    subject = named(parts["subject"], subjects, "subjects") if "subject" in parts else ""
    return Narrowed(
        purpose(parts["purpose"], rule_set) if "purpose" in parts else None,
        cases[case].number if case else None,
        frozenset(dataset(item, catalogue) for item in parts["datasets"].items()) if "datasets" in parts else None,
        subjects[subject][1:] if subject else None,
    )


def _consent(name: str, node: Node, rule_set: RuleSet, requesters: Mapping[str, Asker]) -> Consent:
    parts = node.mapping(["to", "purpose", "datasets", "until"])
    to = named(parts["to"], requesters, "requesters") if "to" in parts else ""
    given = parts["datasets"]
    covered: dict[str, frozenset[str] | None] = {}
    catalogue = rule_set.policies.catalogue
    if given.is_mapping:
        for key, entry in given.mapping(any_key=True).items():
            if dataset(entry, catalogue, name=key) in catalogue.datasets:
                covered[key] = frozenset(field(item, key, catalogue) for item in entry.items())
    else:
        covered = dict.fromkeys(dataset(item, catalogue) for item in given.items())
    if "datasets" in parts and not covered and not given.told:
        given.problem("names no dataset; a consent to nothing counts for nothing")
    return Consent(
        name,
        requesters[to].issuer if to else "",
        requesters[to].client if to else "",
        purpose(parts["purpose"], rule_set) if "purpose" in parts else "",
        covered,
        parts["until"].date() if "until" in parts else datetime.date.min,
    )


def field(node: Node, of: str, catalogue: Catalogue) -> str:
    """A field of a dataset that the catalogue has."""
    name, known = node.text(what="a field's name"), catalogue.datasets[of].fields
    if name and name not in known:
        node.problem(f"unknown field `{name}` of `{of}`{suggest(name, known)}")
    return name
