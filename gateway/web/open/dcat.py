"""The published catalogue as DCAT-AP 3.0, in JSON-LD, so that data portals can harvest it. Pure.

Datasets are described, and never offered for download: the one way to their records is the gateway's GraphQL service,
by a declared purpose. So access rights are those of the EU's vocabulary, and what may be done with which fields is an
ODRL policy: a permission for each purpose, by its DPV term, and a prohibition to pass on. Its context stands in it:
nobody has to fetch one. Specs: DCAT-AP 3.0.0, ODRL 2.2, DPV 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.catalogue import describe
from gateway.catalogue.definitions import digest
from gateway.catalogue.model import Basis, Dataset
from gateway.rules.model import Purpose
from gateway.web.open.opened import Open

_RIGHTS = "http://publications.europa.eu/resource/authority/access-right/"
ACCESS: Mapping[str, str] = {
    "open": f"{_RIGHTS}PUBLIC",
    "shared": f"{_RIGHTS}RESTRICTED",
    "authorised": f"{_RIGHTS}NON_PUBLIC",
}
"""By disclosure: for everybody, for authorities under conditions, and closed but for a subject's consent."""

CONTEXT: Mapping[str, Any] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_LANGUAGE = "en"
"""Of what is said here; what policies say is in the language of whoever wrote them."""


def document(shown: Open, public_url: str) -> dict[str, Any]:
    """The catalogue as one JSON-LD document; everything in it has its address below `/open/catalogue`."""
    base = f"{public_url.rstrip('/')}/open/catalogue"
    datasets = list(shown.catalogue.published.values())
    departments = sorted({each.department for each in datasets})
    agents = [
        {"@id": f"{base}#department-{name}", "@type": "foaf:Agent", "foaf:name": shown.catalogue.departments[name]}
        for name in departments
    ]
    service = {
        "@id": f"{public_url.rstrip('/')}/graphql",
        "@type": "dcat:DataService",
        "dct:title": _text("Inquiries about one named subject, for one declared purpose"),
        "dcat:endpointURL": {"@id": f"{public_url.rstrip('/')}/graphql"},
        "dcat:servesDataset": [{"@id": f"{base}#{each.id}"} for each in datasets],
        "dct:accessRights": _rights("shared"),
    }
    catalogue = {
        "@id": base,
        "@type": "dcat:Catalog",
        "dct:title": _text("What authorities may share here"),
        "dct:description": _text("The published catalogue: nothing that is not in it can be asked for."),
        "dct:publisher": {
            "@id": f"{base}#gateway",
            "@type": "foaf:Agent",
            "foaf:name": "The authorities that share by this gateway",
        },
        "dcat:version": shown.catalogue.digest,
        "foaf:homepage": {"@id": base, "@type": "foaf:Document"},
        "dcat:dataset": [{"@id": f"{base}#{each.id}"} for each in datasets],
        "dcat:service": {"@id": service["@id"]},
    }
    described = [_dataset(each, shown, base) for each in datasets]
    return {"@context": dict(CONTEXT), "@graph": [catalogue, service, *agents, *described]}


def _dataset(dataset: Dataset, shown: Open, base: str) -> dict[str, Any]:
    published = shown.published_on(dataset.id)
    laws = [_legislation(each) for each in dataset.basis if each.url]
    standards = [_standard(each) for each in dataset.basis if not each.url]
    return {
        "@id": f"{base}#{dataset.id}",
        "@type": "dcat:Dataset",
        "dct:title": dataset.title,
        "dct:description": describe.about(dataset),
        "dct:identifier": dataset.id,
        "dct:publisher": {"@id": f"{base}#department-{dataset.department}"},
        "dct:accessRights": _rights(dataset.disclosure),
        "dcat:version": digest(dataset),
        **({"dcatap:applicableLegislation": laws} if laws else {}),
        **({"dct:conformsTo": standards} if standards else {}),
        **({"dct:issued": _moment(published[0]), "dct:modified": _moment(published[-1])} if published else {}),
        **({"dpv:hasDataSubject": {"@id": "dpv:DataSubject"}} if "person" in dataset.subjects else {}),
        "dct:provenance": {
            "@type": "dct:ProvenanceStatement",
            "rdfs:label": (f"Made by {dataset.department_title}, under {_laws(dataset)}."),
        },
        "odrl:hasPolicy": _policy(dataset, shown.purposes, base),
    }


def _policy(dataset: Dataset, purposes: Mapping[str, Purpose], base: str) -> dict[str, Any]:
    """Which purposes may see which fields, how long, and what nobody may do with them."""
    about = {name: each for name, each in purposes.items() if dataset.id in each.fields}
    permissions = [_permission(dataset, name, each, base) for name, each in about.items()]
    return {
        "@id": f"{base}#{dataset.id}-policy",
        "@type": "odrl:Set",
        "odrl:uid": {"@id": f"{base}#{dataset.id}-policy"},
        **({"odrl:permission": permissions} if permissions else {}),
        "odrl:prohibition": {
            "odrl:target": {"@id": f"{base}#{dataset.id}"},
            "odrl:action": {"@id": "odrl:distribute"},
        },
    }


def _permission(dataset: Dataset, name: str, purpose: Purpose, base: str) -> dict[str, Any]:
    names = sorted(purpose.fields[dataset.id].names & set(dataset.fields))
    constraints = [_constraint("odrl:purpose", "odrl:isA", {"@id": purpose.dpv})]
    if dataset.display and dataset.display.max:  # of a record's display, from its effective date
        constraints.append(_constraint("odrl:elapsedTime", "odrl:lteq", _duration(dataset.display.max.text)))
    return {
        "@id": f"{base}#{dataset.id}-for-{name}",
        "dct:title": purpose.title,
        "dpv:hasPurpose": {"@id": purpose.dpv},
        "odrl:target": [
            {
                "@id": f"{base}#{dataset.id}.{field}",
                "@type": "odrl:Asset",
                "odrl:partOf": {"@id": f"{base}#{dataset.id}"},
            }
            for field in names
        ],
        "odrl:action": {"@id": "odrl:use"},
        "odrl:constraint": constraints,
        "odrl:duty": {
            "odrl:action": {"@id": "odrl:delete"},
            "odrl:constraint": _constraint("odrl:delayPeriod", "odrl:lteq", _duration(purpose.delete_after.text)),
        },
    }


def _constraint(left: str, operator: str, right: dict[str, str]) -> dict[str, Any]:
    return {
        "@type": "odrl:Constraint",
        "odrl:leftOperand": {"@id": left},
        "odrl:operator": {"@id": operator},
        "odrl:rightOperand": right,
    }


def _legislation(basis: Basis) -> dict[str, Any]:
    return {"@id": basis.url, "@type": "eli:LegalResource", "dct:title": describe.basis(basis)}


def _standard(basis: Basis) -> dict[str, Any]:
    return {"@type": "dct:Standard", "dct:title": describe.basis(basis)}


def _laws(dataset: Dataset) -> str:
    return "; ".join(map(describe.basis, dataset.basis))


def _rights(disclosure: str) -> dict[str, str]:
    return {"@id": ACCESS[disclosure], "@type": "dct:RightsStatement"}


def _text(text: str) -> dict[str, str]:
    return {"@value": text, "@language": _LANGUAGE}


def _duration(text: str) -> dict[str, str]:
    return {"@value": text, "@type": "xsd:duration"}


def _moment(at: Any) -> dict[str, str]:
    return {"@value": at.isoformat(), "@type": "xsd:dateTime"}
