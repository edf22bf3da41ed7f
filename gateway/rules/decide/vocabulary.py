"""What a rule may speak of: the Cedar schema and entities, generated from the catalogue, purposes and requesters.

    principal   a `Requester`, with `department` and `roles`
    action      a purpose: `Action::"TENDER_QUALIFICATION"`
    resource    a `Field` in a `Dataset`, with the dataset's facts
    context     the booleans of a decision's key, and what follows from the key alone

The schema offers a rule nothing else: no subject, no record, no time. So every decision is one cell of a finite table.
Every word has a closed list of values (`Information::"non_public"`), so that a misspelt one is an error at load.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connectors.base import SubjectKind
from gateway.catalogue.model import Catalogue, Dataset, Status
from gateway.catalogue.words import CATEGORIES
from gateway.rules.files.purposes import KINDS
from gateway.rules.files.requesters import Requesters
from gateway.rules.model import Flag, Grant, Purpose, RequesterEntry

FLAGS: Mapping[str, Flag] = {str(flag.name).lower(): flag for flag in Flag}
"""The booleans of the key, by their name in a rule's `context`."""

FOLLOWING = (
    "case_required",
    "official_required",
    "step_up_required",
    "self_required",
    "in_purpose",
    "in_grant",
    "subject_in_purpose",
    "subject_in_dataset",
)
"""The booleans of `context` that follow from the rest of the key."""

_FACTS = {
    "status": "Status",
    "information": "Information",
    "disclosure": "Disclosure",
    "nature": "Nature",
    "category": "Category",
    "department": "Department",
}

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "principal": ("department", "roles"),
    "resource": tuple(_FACTS),
    "context": ("subject", *FLAGS, *FOLLOWING),
}
"""What a rule may ask of each of Cedar's variables."""


class Vocabulary(msgspec.Struct, frozen=True):
    """`words` has every entity id that a rule may name, per entity type; `schema` is the Cedar schema's text.

    Of the types in `unread` there may be more, in files that have mistakes.
    """

    words: Mapping[str, tuple[str, ...]]
    schema: str
    unread: frozenset[str] = frozenset()


def of(catalogue: Catalogue, purposes: Mapping[str, Purpose], requesters: Requesters) -> Vocabulary:
    """The vocabulary of one set of policies."""
    closed: dict[str, Iterable[str]] = {
        "Department": requesters.departments,
        "Role": requesters.roles,
        "Subject": KINDS,
        "Status": [status.value for status in Status],
        "Information": ["public", "non_public"],
        "Disclosure": ["open", "shared", "authorised"],
        "Nature": ["adverse", "favourable", "neutral"],
        "Category": CATEGORIES,
    }
    words = {
        **{name: tuple(values) for name, values in closed.items()},
        "Action": tuple(purposes),
        "Requester": tuple(
            dict.fromkeys(requester_id(grant) for entry in requesters.entries.values() for grant in entry.grants)
        ),
        "Dataset": tuple(catalogue.datasets),
        "Field": tuple(f"{dataset.id}.{name}" for dataset in catalogue.datasets.values() for name in dataset.fields),
    }
    facts = ", ".join(f"{name}: {kind}" for name, kind in _FACTS.items())
    booleans = ", ".join(f"{name}: Bool" for name in (*FLAGS, *FOLLOWING))
    lines = [f"entity {name} enum [{', '.join(map(json.dumps, words[name]))}];" for name in closed if words[name]]
    lines += [
        "entity Requester { department: Department, roles: Set<Role> };",
        "entity Dataset;",
        f"entity Field in [Dataset] {{ {facts} }};",
        f"action {', '.join(map(json.dumps, words['Action']))} appliesTo {{",
        f"  principal: Requester, resource: Field, context: {{ subject: Subject, {booleans} }}",
        "};",
    ]
    unread = set(requesters.unread) | (set() if purposes else {"Action"})
    if not catalogue.whole:
        unread |= {"Department", "Dataset", "Field"}
    if any(not dataset.fields for dataset in catalogue.datasets.values()):
        unread.add("Field")
    return Vocabulary(words, "\n".join(lines), frozenset(unread))


def requester_id(grant: Grant) -> str:
    """The id of `Requester` in rules: the client, behind its issuer's name where two issuers have such a client."""
    return grant.id.rpartition("/")[0]


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _reference(kind: str, name: str) -> dict[str, dict[str, str]]:
    return {"__entity": _uid(kind, name)}


def entities(catalogue: Catalogue, requesters: Requesters) -> str:
    """The Cedar entities, as JSON: every requester, dataset and field."""
    found = [each for entry in requesters.entries.values() for each in of_requester(entry)]
    return json.dumps([*found, *(each for dataset in catalogue.datasets.values() for each in of_dataset(dataset))])


def of_requester(entry: RequesterEntry) -> list[dict[str, Any]]:
    """A requester's own entities."""
    attributes = {
        "department": _reference("Department", entry.department),
        "roles": [_reference("Role", role) for role in sorted(entry.roles)],
    }
    names = dict.fromkeys(map(requester_id, entry.grants))
    return [{"uid": _uid("Requester", name), "attrs": attributes, "parents": []} for name in names]


def of_dataset(dataset: Dataset) -> list[dict[str, Any]]:
    """A dataset's own entities, and its fields'."""
    found: list[dict[str, Any]] = [{"uid": _uid("Dataset", dataset.id), "attrs": {}, "parents": []}]
    facts = {name: _reference(kind, str(getattr(dataset, name))) for name, kind in _FACTS.items()}
    for field in dataset.fields:
        uid = _uid("Field", f"{dataset.id}.{field}")
        found.append({"uid": uid, "attrs": facts, "parents": [_uid("Dataset", dataset.id)]})
    return found


def request(
    grant: Grant, purpose: Purpose, kind: SubjectKind, dataset: Dataset, field: str, flags: Flag
) -> dict[str, Any]:
    """Cedar's question for one cell of the table."""
    bound = purpose.fields.get(dataset.id)
    following = {
        "case_required": purpose.case_required,
        "official_required": purpose.official_required,
        "step_up_required": purpose.step_up is not None,
        "self_required": purpose.scope == "self",
        "in_purpose": bound is not None and field in bound.names,
        "in_grant": dataset.id in grant.datasets,
        "subject_in_purpose": kind in purpose.subjects,
        "subject_in_dataset": kind in dataset.subjects,
    }
    context = {"subject": _reference("Subject", kind), **following}
    for name, flag in FLAGS.items():
        context[name] = bool(flags & flag)
    return {
        "principal": _uid("Requester", requester_id(grant)),
        "action": _uid("Action", purpose.name),
        "resource": _uid("Field", f"{dataset.id}.{field}"),
        "context": context,
    }
