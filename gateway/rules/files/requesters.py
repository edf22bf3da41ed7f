"""The registered client systems and their grants, read from `policies/requesters.yaml`.

A requester is (issuer, client). A grant narrows one purpose to datasets listed by name, from and until a day. Two
grants of one requester for one purpose never hold on the same day, so there is always one answer to "on which
agreement?". Everybody, for the open record, is a requester too: client `open-record` of the issuer `public`, which no
token can name.

Optional keys: `reports_changes: true` lets a client of a providing department report changed records without an
official; `notices: {url, secret_file}` is where a portal is told that something waits for one of its subjects, or a
client of a department that provides datasets for one of its stewards. `recalls: {url, secret_file, term}` is where a
recipient is told that something it received is to be used no more, and how long it has to answer; `succeeds` names the
clients that are gone and whose recalls it answers. `proofs`, beside them, is what counters take for proof of who came.
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from gateway import documents
from gateway.catalogue import titles
from gateway.catalogue.model import Catalogue
from gateway.documents import Node
from gateway.errors import Problem
from gateway.ledger.entry.entries import EVERYBODY
from gateway.rules.files.proofs import proofs
from gateway.rules.files.purposes import case_registry, department
from gateway.rules.model import PORTAL, Grant, Notices, Purpose, Recalls, RequesterEntry
from gateway.values import MOST_NAME, suggest

PUBLIC = (EVERYBODY, "open-record")
"""(issuer, client) of everybody: who the open record is served to."""

FILE = "requesters.yaml"

_CLIENT = rf"[\x21-\x7e]{{1,{MOST_NAME}}}"
_MORE = ("registry", "reports_changes", "notices", "recalls", "succeeds")
_EVERYTHING = frozenset({"all", "*", "any", "every"})
_UNITS = {"D": 86_400, "H": 3_600, "M": 60, "S": 1}

Signing = tuple[tuple[bytes, ...], tuple[bytes, ...]]
"""The secrets that sign notices to a client, and those that sign what it is told of recalls, the newest first."""


class Requesters(msgspec.Struct, frozen=True):
    """What the file registers. `roles` and `departments` are all that a rule may name; values are titles.

    `digest` is the SHA-256, in hexadecimal, of the canonical form of all of it, with issuers as the file writes them:
    the same file gives the same digest wherever it serves. `unread` are the kinds of names, as rules call them, of
    which there may be more than are here, since something about them is wrong. `secrets` sign the notices to a client,
    `recall_secrets` what it is told of recalls; they are no part of the digest. `proofs` are what counters take for
    proof of who came (`gateway.rules.files.proofs`).
    """

    entries: Mapping[tuple[str, str], RequesterEntry]
    roles: Mapping[str, str]
    departments: Mapping[str, str]
    digest: str
    unread: frozenset[str] = frozenset()
    secrets: Mapping[tuple[str, str], tuple[bytes, ...]] = {}
    recall_secrets: Mapping[tuple[str, str], tuple[bytes, ...]] = {}
    proofs: Mapping[str, str] = {}


def load(
    policies_dir: Path,
    catalogue: Catalogue,
    purposes: Mapping[str, Purpose],
    issuers: Mapping[str, str] | None,
    problems: list[Problem],
    registries: Collection[str] | None = None,
    *,
    secrets: Path | None = None,
) -> Requesters:
    """Read the requesters; what is wrong becomes problems.

    `issuers` gives the URL of each issuer's name; without it every name stands for itself, so that the files can be
    checked away from the configuration that they will serve in; so with `registries`, the case registries' names. Files
    with secrets are read as seen from the folder `secrets`, where one is given.
    """
    root = documents.read(policies_dir / FILE, problems, within=policies_dir)
    if root is None:
        every = frozenset(["Requester", "Role", "Department"])
        return Requesters({}, {}, dict(catalogue.departments), "", every)
    parts = root.mapping(["roles", "requesters"], ["departments", "proofs"])
    unread = set() if "roles" in parts and parts["roles"].is_mapping else {"Role"}
    unread |= {"Department"} if "departments" in parts and not parts["departments"].is_mapping else set()
    before = len(problems)
    roles = _titles(parts.get("roles"))
    departments = {**catalogue.departments, **_titles(parts.get("departments"))}
    taken = proofs(parts.get("proofs"))
    found: list[tuple[Node, str, RequesterEntry]] = []
    signing: dict[tuple[str, str], Signing] = {}
    for node in parts["requesters"].items() if "requesters" in parts else []:
        read = _requester(node, catalogue, purposes, roles, departments, (issuers, registries, secrets))
        if read is not None:
            alias, entry, signing[read[1].issuer, read[1].client] = read
            found.append((node, alias, entry))
    if "requesters" not in parts or len(problems) > before:
        unread.add("Requester")
    clients = Counter(entry.client for _, _, entry in found)
    entries: dict[tuple[str, str], RequesterEntry] = {}
    for node, alias, entry in found:
        if (entry.issuer, entry.client) in entries:
            node.problem(f"`{entry.client}` of `{alias}` appears twice; keep one, with all its grants")
        elif clients[entry.client] > 1:
            grants = tuple(msgspec.structs.replace(grant, id=f"{alias}/{grant.id}") for grant in entry.grants)
            entries[entry.issuer, entry.client] = msgspec.structs.replace(entry, grants=grants)
        else:
            entries[entry.issuer, entry.client] = entry
    _succeeding(found, entries)
    written = [
        msgspec.structs.replace(entry, issuer=alias, succeeds=frozenset((alias, gone) for _, gone in entry.succeeds))
        for _, alias, entry in found
    ]
    canonical = msgspec.json.encode([roles, departments, written, *([taken] if taken else [])], order="sorted")
    notices, recalls = ({who: each[of] for who, each in signing.items() if each[of]} for of in (0, 1))
    digest = hashlib.sha256(canonical).hexdigest()
    return Requesters(entries, roles, departments, digest, frozenset(unread), notices, recalls, taken)


def _succeeding(
    found: list[tuple[Node, str, RequesterEntry]], entries: Mapping[tuple[str, str], RequesterEntry]
) -> None:
    """A client that is registered answers for itself, and one that is gone has one successor."""
    followed: dict[tuple[str, str], str] = {}
    for node, _, entry in found:
        for who in sorted(entry.succeeds):
            if who in entries:
                node.problem(f"`succeeds` names `{who[1]}`, which is registered and answers itself; leave it out")
            elif followed.setdefault(who, entry.client) != entry.client:
                node.problem(f"`succeeds` names `{who[1]}`, which `{followed[who]}` succeeds already; keep one")


def _titles(node: Node | None) -> dict[str, str]:
    entries = node.mapping(any_key=True) if node is not None else {}
    found = {name: title.text(what="a title") for name, title in entries.items()}
    for name, text in found.items():
        titles.unscored(entries[name], name, key=True)
        titles.unscored(entries[name], text)
    return found


def _requester(
    node: Node,
    catalogue: Catalogue,
    purposes: Mapping[str, Purpose],
    roles: Mapping[str, str],
    departments: Mapping[str, str],
    configured: tuple[Mapping[str, str] | None, Collection[str] | None, Path | None],
) -> tuple[str, RequesterEntry, Signing] | None:
    """The issuer as it is written, the entry, and the secrets that sign what it is told."""
    issuers, registries, folder = configured
    parts = node.mapping(["issuer", "client", "title", "department", "roles", "grants"], _MORE)
    client = (
        parts["client"].text(pattern=_CLIENT, what=f"a client id: ASCII without spaces, at most {MOST_NAME} characters")
        if "client" in parts
        else ""
    )
    alias, issuer = issuer_of(parts["issuer"], issuers) if "issuer" in parts else ("", "")
    title = parts["title"].text(what="a title") if "title" in parts else ""
    if "title" in parts:
        titles.unscored(parts["title"], title)
    named = parts["roles"].items() if "roles" in parts else []
    held = frozenset(role.choice(roles, "registered roles are") if roles else role.text() for role in named)
    if "roles" in parts and parts["roles"].is_sequence and not named:
        parts["roles"].problem("is empty; name at least one role")
    registry = case_registry(parts["registry"], departments, catalogue, registries) if "registry" in parts else None
    of = department(parts["department"], list(departments), "registered departments are", catalogue)
    if issuer == PUBLIC[0] and client and client != PUBLIC[1]:
        parts["client"].problem(f"the issuer `public` has one client only, `{PUBLIC[1]}`")
    reports = parts["reports_changes"].boolean(False)
    if reports and of and catalogue.whole and not any(d.department == of for d in catalogue.datasets.values()):
        parts["reports_changes"].problem(f"`{of}` provides no dataset, so that none of its records can change")
    provides = not catalogue.whole or any(each.department == of for each in catalogue.datasets.values())
    told = PORTAL in held or provides
    notices, secrets = _notices(parts["notices"], folder, told) if "notices" in parts else (None, ())
    recalls, recalling = _recalls(parts["recalls"], folder) if "recalls" in parts else (Recalls(), ())
    succeeds = _succeeds(parts["succeeds"], issuer) if "succeeds" in parts else frozenset()
    grants = _grants(parts["grants"], client, catalogue, purposes) if "grants" in parts else ()
    if not client or not issuer:
        return None
    entry = RequesterEntry(
        issuer=issuer,
        client=client,
        title=title,
        department=of,
        roles=held,
        grants=grants,
        registry=registry or None,
        reports_changes=reports,
        notices=notices,
        recalls=recalls,
        succeeds=succeeds,
    )
    return alias, entry, (secrets, recalling)


def _grants(node: Node, client: str, catalogue: Catalogue, purposes: Mapping[str, Purpose]) -> tuple[Grant, ...]:
    """The grants of a requester, by purpose; several for one purpose are numbered, and none overlaps another."""
    grants: dict[str, list[Grant]] = {}
    for item in node.items():
        grant = _grant(item, client, catalogue, purposes)
        if grant is None:
            continue
        earlier = grants.setdefault(grant.purpose, [])
        for other in earlier:
            if grant.valid_from <= other.valid_until and other.valid_from <= grant.valid_until:
                item.problem(
                    f"overlaps another grant for {grant.purpose} ({other.valid_from} to {other.valid_until}); "
                    "on each day one agreement holds"
                )
                break
        numbered = f"{grant.id}#{len(earlier) + 1}" if earlier else grant.id
        earlier.append(msgspec.structs.replace(grant, id=numbered))
    return tuple(grant for several in grants.values() for grant in several)


def _notices(node: Node, folder: Path | None, told: bool) -> tuple[Notices | None, tuple[bytes, ...]]:
    keys = node.mapping(["url", "secret_file"])
    if not told:
        node.key_problem(
            f"are for portals, and for clients of a department that provides datasets; it has no role `{PORTAL}`"
        )
    if "url" not in keys or "secret_file" not in keys:
        return None, ()
    file = keys["secret_file"]
    return Notices(keys["url"].url(), file.text(what="the path of a file")), _signing(file, folder)


def _recalls(node: Node, folder: Path | None) -> tuple[Recalls, tuple[bytes, ...]]:
    keys = node.mapping([], ["url", "secret_file", "term"])
    term = None
    if "term" in keys:
        text = keys["term"].text(
            pattern="P[1-9][0-9]{0,2}D|PT[1-9][0-9]{0,4}[HMS]", what="a term, as `P10D` or `PT12H`"
        )
        term = datetime.timedelta(seconds=int(text.strip("PTDHMS")) * _UNITS[text[-1]]) if text else None
    if ("url" in keys) is not ("secret_file" in keys):
        node.key_problem("needs both `url` and `secret_file`, which signs what is sent there, or neither")
    if "url" not in keys or "secret_file" not in keys:
        return Recalls(term=term), ()
    file = keys["secret_file"]
    return Recalls(keys["url"].url(), file.text(what="the path of a file"), term), _signing(file, folder)


def _signing(file: Node, folder: Path | None) -> tuple[bytes, ...]:
    return () if folder is None else file.seen_from(folder).signing_secrets()


def _succeeds(node: Node, issuer: str) -> frozenset[tuple[str, str]]:
    """Clients of the same issuer, by their ids."""
    if not node.is_sequence:
        node.problem("must list the ids of clients that are gone")
        return frozenset()
    named = [each.text(pattern=_CLIENT, what="a client id") for each in node.items()]
    return frozenset((issuer, client) for client in named if client)


def issuer_of(node: Node, issuers: Mapping[str, str] | None) -> tuple[str, str]:
    """An issuer as it is written, and its URL; that is empty where it is none that the configuration knows."""
    alias = node.text(what="an issuer's name or URL")
    if not alias or alias == PUBLIC[0] or issuers is None or alias in issuers.values():
        return alias, alias
    if alias in issuers:
        return alias, issuers[alias]
    node.problem(f"unknown issuer `{alias}`{suggest(alias, issuers)}; name it under `oauth.issuers`")
    return alias, ""


def _grant(node: Node, client: str, catalogue: Catalogue, purposes: Mapping[str, Purpose]) -> Grant | None:
    parts = node.mapping(["purpose", "datasets", "from", "until", "agreed_by"], ["suspended"])
    name = parts["purpose"].text(what="a purpose's name") if "purpose" in parts else ""
    purpose = purposes.get(name)
    if name and purpose is None and purposes:
        parts["purpose"].problem(f"unknown purpose `{name}`{suggest(name, purposes)}")
    datasets = _datasets(parts["datasets"], catalogue, purpose) if "datasets" in parts else frozenset()
    agreed_by = parts["agreed_by"].text(what="the agreement's name") if "agreed_by" in parts else ""
    suspended = "suspended" in parts and parts["suspended"].boolean()
    if purpose is None or "from" not in parts or "until" not in parts:
        return None
    first, last = parts["from"].date(), parts["until"].date()
    if first > last and not (parts["from"].told or parts["until"].told):
        parts["until"].problem(f"`{last}` is before `from` ({first}); both days are included")
    return Grant(f"{client}/{name}", name, datasets, first, last, agreed_by, suspended)


def _datasets(node: Node, catalogue: Catalogue, purpose: Purpose | None) -> frozenset[str]:
    if not node.is_sequence:
        node.problem("must list the datasets by name; a grant never names them all at once")
        return frozenset()
    datasets: set[str] = set()
    for item in node.items():
        name = item.text(what="a dataset's name")
        if name in _EVERYTHING:
            item.problem(f"`{name}` is not a dataset; list the datasets by name, never all at once")
        elif name and catalogue.has_not(name):
            item.problem(f"unknown dataset `{name}`{suggest(name, catalogue.datasets)}")
        elif name and purpose is not None and purpose.fields and name not in purpose.fields:
            item.problem(
                f"`{name}` is not in {purpose.name}{suggest(name, purpose.fields)}; a grant never widens its purpose"
            )
        elif name in datasets:
            item.problem(f"`{name}` appears twice; keep one")
        elif name:
            datasets.add(name)
    if not node.items():
        node.problem("names no dataset; list at least one, or remove the grant")
    return frozenset(datasets)
