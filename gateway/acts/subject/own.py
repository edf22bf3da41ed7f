"""What a subject did, and what became of its records, as `me` shows it: from tables, and words from entries."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select

from connectors.base import Subject
from gateway.acts import shown
from gateway.acts.office import Office
from gateway.acts.subject.words import acts_at
from gateway.storage.subjects import acts as rows
from gateway.storage.subjects.acts import Matter, matter
from gateway.storage.subjects.facts import fact
from gateway.storage.tables import moment

_EVENTS = {"withdrawal": "WITHDRAWN", "restoration": "RESTORED"}
"""Facts that take a record back, and what a change of it is called."""


def of_subject(
    office: Office, subject: Subject, asked: Collection[str], now: datetime.datetime
) -> dict[str, list[dict[str, Any]]]:
    """Of `consents`, `consentRequests`, `matters` and `optOuts` what is asked for. Blocks."""
    value: dict[str, list[dict[str, Any]]] = {}
    with office.store.engine.connect() as connection:
        if "consents" in asked:
            value["consents"] = [shown.consent(office, row) for row in _facts(connection, subject, "consent")]
        if "optOuts" in asked:
            value["optOuts"] = _opt_outs(office, connection, subject)
        requests = _matters(connection, subject, "consent-request") if "consentRequests" in asked else []
        filed = _matters(connection, subject, "objection", "restoration") if "matters" in asked else []
    if "consentRequests" in asked:
        words = acts_at(office.store, [row.filed_in for row in requests])
        value["consentRequests"] = [
            shown.consent_request(office, row, words[row.filed_in].words, now) for row in requests
        ]
    if "matters" in asked:
        today = now.astimezone(office.zone).date()
        value["matters"] = shown.matters(office, filed, today, inside=False)
    return value


def changes(office: Office, subject: Subject) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What became of the subject's records: what was reported, restorations, and what holds without either. Blocks."""
    with office.store.engine.connect() as connection:
        reported = _matters(connection, subject, "change")
        restored = {row.fact: row for row in _matters(connection, subject, "restoration") if row.fact is not None}
        facts = [each for kind in _EVENTS for each in _facts(connection, subject, kind)]
    words = acts_at(office.store, [row.decided_in for row in restored.values()])
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row, made in zip(reported, shown.changes(office, reported), strict=True):
        found.setdefault((row.dataset or "", row.record or ""), []).append(made)
    told = {(row.dataset, row.record, row.decided) for row in reported if row.event == "withdrawn"}
    for each in facts:
        if each["kind"] == "restoration" or (each["dataset"], each["record"], each["at"]) not in told:
            because = words[restored[each["id"]].decided_in].reason if each["id"] in restored else each["reason"]
            found.setdefault((each["dataset"], each["record"]), []).append(_of_fact(each, because or ""))
    return {record: sorted(several, key=lambda one: one["at"]) for record, several in found.items()}


def _of_fact(row: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """`Change`, from the columns of a `fact` row."""
    named = {name: row[name] for name in ("id", "scheme", "value", "dataset", "record")}
    done = {"state": "DECIDED", "event": _EVENTS[row["kind"]], "version": None, "reason": reason, "because": None}
    return {**named, **done, "at": moment(row["at"])}


def _opt_outs(office: Office, connection: Connection, subject: Subject) -> list[dict[str, Any]]:
    since = {row["dataset"]: row["at"] for row in _facts(connection, subject, "opt-out") if row["ended"] is None}
    favourable = [
        each
        for each in office.rules.policies.catalogue.published.values()
        if each.nature == "favourable" and subject.kind in each.subjects
    ]
    return [
        {
            "dataset": each.id,
            "optedOut": each.id in since,
            "since": moment(since[each.id]) if each.id in since else None,
        }
        for each in favourable
    ]


def _facts(connection: Connection, subject: Subject, kind: str) -> list[Mapping[str, Any]]:
    mine = (fact.c.kind == kind, fact.c.scheme == subject.scheme, fact.c.value == subject.value)
    return [dict(row) for row in connection.execute(select(fact).where(*mine).order_by(fact.c.change)).mappings()]


def _matters(connection: Connection, subject: Subject, *kinds: str) -> list[Matter]:
    mine = (matter.c.scheme == subject.scheme, matter.c.value == subject.value, matter.c.kind.in_(kinds))
    return rows.matters(connection, *mine)
