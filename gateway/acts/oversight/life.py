"""One inquiry's life, as it is shown to oversight and its requester: from its entry, and the recalls since.

A requester is told what its own answer told it, and not more: which fields were permitted and denied, by which rule,
what was disclosed, what it has to do, and which recalls it was sent. Whatever was withheld, who the official was, what
the decision rests on and whether the subject is told later stands in `sealed`, which it never gets; nor does it get
what a denied field would take, since that depends on what the subject agreed to. Of an inquiry that was refused as a
whole it was told no field at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gateway.inquiry.beside.explained import Found, situation, subjects_of
from gateway.inquiry.replay import Replayed, replayed
from gateway.inquiry.restrain import RESTRAINTS
from gateway.ledger.entry import entries
from gateway.rules.decide import words
from gateway.rules.explain import changes, explain
from gateway.rules.model import Cell, Purpose
from gateway.rules.ruleset import RuleSet
from gateway.storage.recall.recalls import Recall
from gateway.storage.tables import moment

_ARTICLES = {each.name: each.article for each in RESTRAINTS}


class Past(NamedTuple):
    """An inquiry's entry, opened, and what is known of it since.

    `then` is the rule set that decided; None where it is not to be had. `left`: the answer left the gateway.
    """

    found: Found
    then: RuleSet | None
    recalls: Sequence[Recall]
    findings: Sequence[tuple[str, str | None]]
    left: bool
    receipt: str


def told(past: Past, now: RuleSet, *, everything: bool) -> dict[str, Any]:
    """All of it: of `everything` for oversight, else for whoever asked."""
    told, rules = past.found.told, past.then or now
    declared = told.declaration
    purpose = rules.policies.purposes.get(declared.purpose) if declared is not None else None
    who = rules.policies.requesters.get((told.requester.issuer, told.requester.client))
    grant = next((each for each in who.grants if each.id == told.grant), None) if who is not None else None
    shown: dict[str, Any] = {
        "id": told.id,
        "at": told.at,
        "requester": {
            "issuer": told.requester.issuer, "client": told.requester.client, "title": who.title if who else None,
            "department": told.requester.department,
        },
        "purpose": declared.purpose if declared is not None else None,
        "title": purpose.title if purpose is not None else None,
        "basis": _laws(purpose),
        "case": declared.case if declared is not None else None,
        "grant": told.grant,
        "agreed": {"by": grant.agreed_by, "until": grant.valid_until} if grant is not None else None,
        "ruleSet": told.rule_set,
        "kept": past.then is not None,
        "refused": {"code": told.code, "message": told.message} if isinstance(told, entries.Refused) else None,
        "subjects": list(_subjects(past, rules, everything=everything)),
        "obligations": [{"type": each.type, "properties": each.properties} for each in told.obligations]
        if isinstance(told, entries.Inquiry)
        else [],
        "cautions": [
            {"dataset": each.dataset, "record": each.record, "disputed": each.disputed, "mitigation": each.mitigation}
            for each in told.cautions
        ]
        if isinstance(told, entries.Inquiry)
        else [],
        "recalls": [recall(each) for each in past.recalls],
        "receipt": past.receipt,
    }  # fmt: skip
    return shown | {"sealed": _sealed(past)} if everything else shown


def recall(row: Recall) -> dict[str, Any]:
    """A recall: what is to be done by when, and what was answered. Neither its subject nor its records."""
    return {
        "id": row.id,
        "at": moment(row.at),
        "dataset": row.dataset,
        "action": row.action.upper().replace("-", "_"),
        "due": moment(row.due),
        "state": row.state.upper(),
        "outcome": None if row.outcome is None else row.outcome.upper().replace("-", "_"),
        "answered": None if row.answered is None else moment(row.answered),
    }


def _laws(purpose: Purpose | None) -> list[dict[str, str | None]]:
    return [{"law": each.law, "article": each.article} for each in purpose.basis] if purpose is not None else []


def _subjects(past: Past, rules: RuleSet, *, everything: bool) -> Iterator[dict[str, Any]]:
    told = past.found.told
    decisions = {each.place: each for each in replayed(told, past.found.oversight, rules)}
    for place, subject in enumerate(subjects_of(told)):
        decided = decisions.get(place)
        fields = []
        if decided is not None and (everything or isinstance(told, entries.Inquiry)):
            fields = list(_fields(past, rules, decided, everything=everything))
        yield {
            "kind": subject.kind or None,
            "scheme": subject.scheme or None,
            "value": subject.value or None,
            "fields": fields,
            "disclosed": [
                {"dataset": each.dataset, "fields": each.fields, "records": each.records, "failure": each.failure}
                for each in (subject.datasets if isinstance(subject, entries.Disclosed) else ())
            ],
        }


def _fields(past: Past, rules: RuleSet, decided: Replayed, *, everything: bool) -> Iterator[dict[str, Any]]:
    """What was decided of each field that was asked for: as the entry says, with the rule in words."""
    denied = {
        (field.dataset, field.field): field
        for each in past.found.oversight.denied
        if each.subject == decided.place
        for field in each.fields
    }
    for dataset, wanted in sorted(decided.basis.selected.items()):
        for name in sorted(wanted.fields):
            was = denied.get((dataset, name))
            row: dict[str, Any] = {
                "dataset": dataset, "field": name, "permitted": was is None, "reason": was.reason if was else None,
                "rules": [], "articles": [], "advice": None, "takes": [],
            }  # fmt: skip
            at = situation(past.found, decided, rules, dataset, name)
            cell = None if at is None else changes.decided(rules, at)
            if at is not None and cell is not None and _same(cell, was):
                row["articles"], row["advice"] = list(cell.articles), cell.advice or None
                row["rules"] = [_rule(rules, each) for each in (cell.rules if was is None else [cell.rule]) if each]
                if everything and was is not None:
                    row["takes"] = [[line.strip() for line in way] for way in explain.explain(rules, at).ways]
            if not row["rules"] and was is not None and was.rule is not None and was.rule in rules.rules:
                row["rules"] = [_rule(rules, was.rule)]
            yield row


def _same(cell: Cell, was: entries.DeniedField | None) -> bool:
    """Whether a field is decided again as its entry says."""
    return cell.permitted if was is None else (cell.reason, cell.rule) == (was.reason, was.rule)


def _rule(rules: RuleSet, name: str) -> dict[str, Any]:
    rule = rules.rules[name]
    return {
        "id": name,
        "words": words.rule(rule.policy),
        "articles": list(rule.articles),
        "basis": rule.basis or None,
        "text": rule.text,
    }


def _sealed(past: Past) -> dict[str, Any]:
    side = past.found.oversight
    return {
        "official": side.official,
        "actors": list(side.actors),
        "bySubject": side.by_subject,
        "facts": side.facts,
        "secretUntil": side.secret_until,
        "emergency": side.broke_glass,
        "consents": list(side.consents),
        "left": past.left,
        "withheld": [
            {
                "subject": each.subject, "record": each.record, "restraint": each.restraint,
                "article": _ARTICLES.get(each.restraint), "faulty": each.faulty,
            }
            for each in side.withheld
        ],
        "findings": [{"id": id_, "verdict": said.upper() if said else None} for id_, said in past.findings],
    }  # fmt: skip
