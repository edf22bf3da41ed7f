"""The catalogue for data portals: read by a JSON-LD processor, and held to the shapes of DCAT-AP 3.0 by a SHACL one."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyshacl
import pytest
from rdflib import DCTERMS, RDF, Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, FOAF, XSD

from gateway.catalogue.model import Basis, Catalogue, Status
from gateway.web.open import dcat
from gateway.web.open.opened import History, Open, Told, ToldStep
from tests.world import rule_set

URL = "https://gateway.example"
BASE = f"{URL}/open/catalogue"
ODRL = Namespace("http://www.w3.org/ns/odrl/2/")
DPV = Namespace("https://w3id.org/dpv#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
RIGHTS = Namespace("http://publications.europa.eu/resource/authority/access-right/")
AT = datetime.datetime(2026, 11, 3, 9, tzinfo=datetime.UTC)


def shown() -> Open:
    """The shipped policies, with a law that has an address, and a dataset that was published by acts."""
    policies = rule_set().policies
    datasets = dict(policies.catalogue.datasets)
    arrears = datasets["tax-arrears"]
    law = (*arrears.basis, Basis("Tax Code", "7", url="https://laws.example/eli/2006/105"))
    datasets["tax-arrears"] = arrears = msgspec.structs.replace(arrears, basis=law)
    hidden = msgspec.structs.replace(datasets["tax-awards"], status=Status.DRAFT, title="A secret")
    datasets["tax-awards"] = hidden
    catalogue = msgspec.structs.replace(policies.catalogue, datasets=datasets)
    steps = (
        ToldStep("consulted", AT - datetime.timedelta(30), 20, "2026-11-02", "Read it, t.weber", ""),
        ToldStep("published", AT, 0, None, "", "as it was approved"),
    )
    told = Told("s-1", arrears.id, "tax", "0" * 64, "published", None, arrears, steps)
    return Open(catalogue, policies.purposes, History((told,), 1))


def graph(of: Open) -> Graph:
    return Graph().parse(data=msgspec.json.encode(dcat.document(of, URL)), format="json-ld")


@pytest.fixture(scope="module")
def shapes() -> Graph:
    folder = Path(__file__).parent / "dcat-ap"
    return Graph().parse(folder / "shapes.ttl").parse(folder / "range.ttl")


def wrong(made: Graph, shapes: Graph) -> str:
    """What a validator says of it; nothing where it conforms."""
    conforms, _, told = pyshacl.validate(made, shacl_graph=shapes, advanced=False, inference="none")
    return "" if conforms else str(told)


def test_it_conforms(shapes: Graph) -> None:
    assert wrong(graph(shown()), shapes) == ""


def untitled(made: Graph) -> None:
    made.remove((URIRef(f"{BASE}#tax-arrears"), DCTERMS.title, None))


def undescribed(made: Graph) -> None:
    made.remove((URIRef(BASE), DCTERMS.description, None))


def of_two_publishers(made: Graph) -> None:
    made.add((URIRef(f"{BASE}#tax-arrears"), DCTERMS.publisher, URIRef(f"{BASE}#department-labour")))


def published_by_a_text(made: Graph) -> None:
    made.set((URIRef(f"{BASE}#tax-arrears"), DCTERMS.publisher, Literal("Tax Service")))


def issued_twice(made: Graph) -> None:
    made.add((URIRef(f"{BASE}#tax-arrears"), DCTERMS.issued, Literal("2020-01-01", datatype=XSD.date)))


def served_nowhere(made: Graph) -> None:
    made.remove((URIRef(f"{URL}/graphql"), DCAT.endpointURL, None))


def nameless(made: Graph) -> None:
    made.remove((URIRef(f"{BASE}#department-tax"), FOAF.name, None))


@pytest.mark.parametrize(
    "fault", [untitled, undescribed, of_two_publishers, published_by_a_text, issued_twice, served_nowhere, nameless]
)
def test_a_planted_fault_is_found(shapes: Graph, fault: Callable[[Graph], None]) -> None:
    made = graph(shown())
    fault(made)
    assert wrong(made, shapes) != ""


def test_each_published_dataset_is_there_with_its_rights_and_nothing_else_is() -> None:
    of = shown()
    made = graph(of)
    there = {str(each).removeprefix(f"{BASE}#") for each in made.subjects(RDF.type, DCAT.Dataset)}
    assert there == set(of.catalogue.published) == {str(each).rpartition("#")[2] for each in listed(made)}
    assert "tax-awards" not in there
    assert "A secret" not in made.serialize()
    for dataset in of.catalogue.published.values():
        (rights,) = made.objects(URIRef(f"{BASE}#{dataset.id}"), DCTERMS.accessRights)
        expected = {"open": RIGHTS.PUBLIC, "shared": RIGHTS.RESTRICTED, "authorised": RIGHTS.NON_PUBLIC}
        assert rights == expected[dataset.disclosure]
    arrears = URIRef(f"{BASE}#tax-arrears")
    assert made.value(arrears, DCTERMS.issued) == Literal(AT)
    assert list(made.objects(arrears, DCATAP.applicableLegislation)) == [URIRef("https://laws.example/eli/2006/105")]
    (standard,) = made.objects(arrears, DCTERMS.conformsTo)
    assert made.value(standard, DCTERMS.title) == Literal("Tax Collection Act, Art. 45")


def listed(made: Graph) -> list[object]:
    return list(made.objects(URIRef(BASE), DCAT.dataset))


def test_a_policy_permits_what_each_purpose_lists_and_forbids_to_pass_on() -> None:
    of = shown()
    made = graph(of)
    for dataset in of.catalogue.published.values():
        policy = URIRef(f"{BASE}#{dataset.id}-policy")
        assert made.value(URIRef(f"{BASE}#{dataset.id}"), ODRL.hasPolicy) == policy
        found: dict[str, tuple[URIRef, set[str]]] = {}
        for each in made.objects(policy, ODRL.permission):
            purposes = [
                made.value(constraint, ODRL.rightOperand)
                for constraint in made.objects(each, ODRL.constraint)
                if made.value(constraint, ODRL.leftOperand) == ODRL.purpose
            ]
            (purpose,) = purposes
            assert purpose == made.value(each, DPV.hasPurpose)
            fields = {str(target).rpartition(".")[2] for target in made.objects(each, ODRL.target)}
            assert isinstance(purpose, URIRef)
            found[str(each).rpartition("-for-")[2]] = purpose, fields
        expected = {
            name: (DPV[purpose.dpv.removeprefix("dpv:")], set(purpose.fields[dataset.id].names))
            for name, purpose in of.purposes.items()
            if dataset.id in purpose.fields
        }
        assert found == expected
        (forbidden,) = made.objects(policy, ODRL.prohibition)
        assert made.value(forbidden, ODRL.action) == ODRL.distribute


def test_nobodys_name_is_in_it() -> None:
    text = msgspec.json.encode(dcat.document(shown(), URL)).decode()
    assert "Read it, t.weber" not in text
    assert "weber" not in text


def test_an_empty_catalogue_is_one_too(shapes: Graph) -> None:
    assert wrong(graph(Open(Catalogue({}, {}, {}, "0"), {}, History((), 0))), shapes) == ""
