"""Who may approve a change of the rules, read from `policies/officers.yaml`, where there is one.

    approvals: token            # optional; `signed`: each approval also carries an SSH signature
    expires: P14D               # optional; for how long an approval counts, at most
    simulation: optional        # optional; `required`: nobody approves what was not simulated
    officers:
      olsen: {issuer: login, sub: p.olsen, title: P. Olsen, person: "197", key: ssh-ed25519 AAAA...}

An officer is (issuer, `sub`) of a token; `title` is what people are shown in the place of the name, `person` the
issuer's `person_claim`, where it has one, and `key` an SSH public key. Two officers are two people: neither an account,
nor a person, nor a key is another's too. The file of the rule set that is in force judges a proposal, so that nobody
names their own approvers. Stewards are not in it: they are known by the department of their client. Without the file
nobody can approve.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway import documents
from gateway.documents import Node
from gateway.errors import Problem
from gateway.rules.files.requesters import issuer_of
from gateway.rules.sshsig import KIND, public_key
from gateway.values import MOST_NAME

FILE = "officers.yaml"
NEEDED = 2
"""Officers that approve a proposal; the author is none of them."""

_NAME = r"[a-z][a-z0-9]{0,30}([.-][a-z0-9]{1,30}){0,4}"
_TERM = "P([2-9]|[1-8][0-9]|90)D"
_SUB = rf"[\x21-\x7e]{{1,{MOST_NAME}}}"


class Officer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One officer. `key` is as `public_key` gives it; empty without one, as `title` and `person` are."""

    name: str
    issuer: str
    sub: str
    person: str = ""
    key: str = ""
    title: str = ""

    @property
    def people(self) -> frozenset[tuple[str, str]]:
        """Each name, at the issuer, of this human: two that share one are one human."""
        return frozenset((self.issuer, name) for name in (self.sub, self.person) if name)


class Officers(msgspec.Struct, frozen=True):
    """The contents of the file, by name. `days` is how long an approval counts. `digest` is the SHA-256, in
    hexadecimal, of the canonical form of all of it, with issuers as the file writes them; empty where there is no file.
    Where not `simulated`, a proposal can be approved that nobody simulated."""

    entries: Mapping[str, Officer] = {}
    signed: bool = False
    days: int = 14
    digest: str = ""
    simulated: bool = False

    def of(self, issuer: str, sub: str | None) -> Officer | None:
        """The officer that an account is of."""
        return next((each for each in self.entries.values() if (each.issuer, each.sub) == (issuer, sub)), None)

    def by_key(self, key: str) -> Officer | None:
        """The officer whose key it is."""
        return next((each for each in self.entries.values() if each.key and each.key == key), None)


NOBODY = Officers()


def load(policies_dir: Path, issuers: Mapping[str, str] | None, problems: list[Problem]) -> Officers:
    """Read the officers, where there is a file of them; what is wrong becomes problems. `issuers` as of requesters."""
    if not (policies_dir / FILE).exists():
        return NOBODY
    root = documents.read(policies_dir / FILE, problems, within=policies_dir)
    if root is None:
        return NOBODY
    parts = root.mapping(["officers"], ["approvals", "expires", "simulation"])
    signed = parts["approvals"].choice(["token", "signed"], "approvals are", "token") == "signed"
    simulated = parts["simulation"].choice(["optional", "required"], "a simulation is", "optional") == "required"
    term = parts["expires"].text("P14D", pattern=_TERM, what="from 2 to 90 days, as `P14D`")
    nodes = parts["officers"].mapping(any_key=True) if "officers" in parts else {}
    found: list[tuple[Node, str, Officer]] = []
    for name, node in nodes.items():
        read = _officer(name, node, issuers, signed=signed)
        if read is not None:
            found.append((node, *read))
    if "officers" in parts and not parts["officers"].told and len(nodes) < NEEDED:
        parts["officers"].key_problem(f"names {len(nodes)}, and {NEEDED} have to approve; name more")
    days = int(term.strip("PD") or Officers().days)
    _each_once(found)
    written = [msgspec.structs.replace(officer, issuer=alias) for _, alias, officer in found]
    said = [signed, days, sorted(written, key=lambda each: each.name)]
    # Only where it is said: so a set that an earlier version stored has the digest that it had.
    canonical = msgspec.json.encode([*said, simulated] if simulated else said, order="sorted")
    entries = {officer.name: officer for _, _, officer in found}
    return Officers(entries, signed, days, hashlib.sha256(canonical).hexdigest(), simulated)


def _officer(name: str, node: Node, issuers: Mapping[str, str] | None, *, signed: bool) -> tuple[str, Officer] | None:
    """The issuer as it is written, and the officer."""
    if not re.fullmatch(_NAME, name):
        node.key_problem(f"`{name}` must be a name in small letters, such as `olsen` or `p.olsen`")
    parts = node.mapping(["issuer", "sub", *(["key"] if signed else [])], ["title", "person", "key"])
    alias, issuer = issuer_of(parts["issuer"], issuers) if "issuer" in parts else ("", "")
    sub = parts["sub"].text(pattern=_SUB, what="the `sub` of a token") if "sub" in parts else ""
    person = (
        parts["person"].text(pattern=_SUB, what="the value of the issuer's `person_claim`") if "person" in parts else ""
    )
    key = _key(parts["key"]) if "key" in parts else ""
    title = parts["title"].text(what="a name as people write it") if "title" in parts else ""
    return (alias, Officer(name, issuer, sub, person, key, title)) if issuer and sub else None


def _key(node: Node) -> str:
    text = node.text(what=f"an SSH public key, as `{KIND} AAAA...`")
    try:
        return public_key(text) if text else ""
    except ValueError as error:
        node.problem(str(error))
        return ""


def _each_once(found: list[tuple[Node, str, Officer]]) -> None:
    """Nobody is two officers."""
    people: dict[tuple[str, str], str] = {}
    keys: dict[str, str] = {}
    for node, _, officer in found:
        others = {people.setdefault(each, officer.name) for each in sorted(officer.people)} - {officer.name}
        for other in sorted(others):
            node.key_problem(f"is the same person as `{other}`; one person is one officer, and approves once")
        other = keys.setdefault(officer.key, officer.name) if officer.key else officer.name
        if other != officer.name:
            node.key_problem(f"has the SSH key of `{other}`; each officer signs with a key of their own")
