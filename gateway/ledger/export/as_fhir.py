"""Entries as HL7 FHIR R4 (4.0.1) AuditEvent resources, one JSON object per line (NDJSON), for audit repositories.

An identifier stands in its scheme by name (`identifier.type.text`): which system URI a scheme has is the receiver's to
know. Codes are of DICOM and HL7; what has no code there stands as text. `entity` holds the subjects (each with the
datasets, fields and record versions that were disclosed), the case, and the ledger's entry with its leaf.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gateway.ledger.entry import describe, entries
from gateway.ledger.export.select import Chosen

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_QUERY = {"system": _DICOM, "code": "110112", "display": "Query"}
_EXPORT = {"system": _DICOM, "code": "110106", "display": "Export"}
_PERSON = {"system": f"{_HL7}/audit-entity-type", "code": "1", "display": "Person"}
_SYSTEM = {"system": f"{_HL7}/audit-entity-type", "code": "2", "display": "System Object"}
_ORGANISATION = {"system": f"{_HL7}/audit-entity-type", "code": "3", "display": "Organization"}
_SERVER = {"system": f"{_HL7}/security-source-type", "code": "4", "display": "Application Server"}

_Json = dict[str, Any]


def as_ndjson(chosen: Iterable[Chosen], *, oversight: bool = True) -> Iterator[str]:
    """The file, line by line; without `oversight` the official and what was withheld are left out."""
    for each in chosen:
        yield msgspec.json.encode(audit_event(each, oversight=oversight)).decode() + "\n"


def audit_event(each: Chosen, *, oversight: bool = True) -> _Json:
    """One entry as an AuditEvent."""
    told = each.told
    view = isinstance(told, entries.View)
    made: _Json = {
        "resourceType": "AuditEvent",
        "id": f"{each.head.name}-{each.entry.index}",
        "type": _type(told),
        "subtype": [{"code": describe.tag(told), "display": describe.kind(told)}],
        "action": "R" if view else "E",
        "recorded": told.at.isoformat(),
        "outcome": "4" if isinstance(told, entries.Refused) else "0",
    }
    if isinstance(told, entries.Refused):
        made["outcomeDesc"] = f"{told.code}: {told.message}"
    elif not isinstance(told, entries.Inquiry):
        made["outcomeDesc"] = describe.deed(told).happened
    elif told.errors:
        made["outcomeDesc"] = ", ".join(told.errors)
    purpose = _purpose(told)
    if purpose:
        made["purposeOfEvent"] = [purpose]
    made["agent"] = _agents(told, each.oversight.official if oversight else None)
    made["source"] = {"observer": _named("ledger", each.head.origin), "type": [_SERVER]}
    made["entity"] = [*_subjects(each, oversight=oversight), *_case(told), _ledger_entry(each)]
    return made


def _type(told: entries.Told) -> _Json:
    if isinstance(told, entries.Operation):
        return _QUERY
    return _EXPORT if isinstance(told, entries.View) else {"display": describe.kind(told)}


def _named(type_: str, value: str, system: str | None = None) -> _Json:
    """A reference by identifier alone."""
    identifier: _Json = {"type": {"text": type_}, "value": value}
    if system:
        identifier["system"] = system
    return {"identifier": identifier, "display": value}


def _purpose(told: entries.Told) -> _Json | None:
    if not isinstance(told, entries.Operation):
        why = describe.deed(told).why
        return {"text": why} if why else None
    return {"text": told.declaration.purpose} if told.declaration else None


def _agents(told: entries.Told, official: str | None) -> list[_Json]:
    """The client, and the person behind it where one is known: that one is the requestor."""
    who = told.requester
    person = (getattr(told, "by", "") or official or None) if isinstance(told, entries.Done) else official
    client: _Json = {
        "type": {"coding": [{"system": _DICOM, "code": "110150", "display": "Application"}]},
        "who": _named("client", who.client, who.issuer or None),
        "requestor": person is None,
    }
    if who.department:
        client["name"] = who.department
    if person is None:
        return [client]
    return [client, {"who": _named("official", person, who.issuer or None), "requestor": True}]


def _subjects(each: Chosen, *, oversight: bool) -> Iterator[_Json]:
    told = each.told
    if not isinstance(told, entries.Operation):
        detail = [{"type": "record", "valueString": record} for record in describe.deed(told).records]
        for about in filter(None, describe.subjects(told)):
            yield {"what": _named(*about), "name": "subject"} | ({"detail": detail} if detail else {})
        return
    if isinstance(told, entries.Refused):
        for named in told.subjects:
            yield _subject(named.kind, named.scheme, named.value, [])
        return
    for place, subject in enumerate(told.disclosed):
        detail = [each for dataset in subject.datasets for each in _details(dataset)]
        if oversight:
            for held in each.oversight.withheld:
                if held.subject == place:
                    detail.append({"type": "withheld", "valueString": f"{held.record} ({held.why})"})
        yield _subject(subject.kind, subject.scheme, subject.value, detail)


def _subject(kind: str, scheme: str, value: str, detail: list[_Json]) -> _Json:
    if not value:
        return {"name": "subject", "description": "erased"}
    made: _Json = {
        "what": _named(scheme, value),
        "type": _PERSON if kind == "person" else _ORGANISATION,
        "name": kind,
    }
    return made | {"detail": detail} if detail else made


def _details(dataset: entries.Dataset) -> Iterator[_Json]:
    if dataset.failure:
        yield {"type": f"{dataset.dataset}: failed", "valueString": dataset.failure}
        return
    yield {"type": f"{dataset.dataset}: fields", "valueString": ", ".join(dataset.fields)}
    for record in dataset.records:
        yield {"type": f"{dataset.dataset}: record", "valueString": record}


def _case(told: entries.Told) -> Iterator[_Json]:
    if isinstance(told, entries.Operation):
        case = told.declaration.case if told.declaration else None
    else:
        case = describe.deed(told).case
    if case:
        yield {"what": _named("case", case), "type": _SYSTEM, "name": "case"}


def _ledger_entry(each: Chosen) -> _Json:
    detail = [{"type": "leaf", "valueBase64Binary": base64.b64encode(each.entry.leaf).decode()}]
    if each.told.rule_set:
        detail.append({"type": "rule set", "valueString": each.told.rule_set})
    return {
        "what": _named("ledger entry", f"{each.head.origin}/{each.entry.index}"),
        "type": _SYSTEM,
        "name": "ledger entry",
        "detail": detail,
    }
