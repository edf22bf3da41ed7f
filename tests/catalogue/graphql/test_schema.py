"""The schema: its nullability is the contract's, drafts are nowhere, and graphql-core answers over it."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pytest
import strawberry.federation
from graphql import GraphQLSchema, build_schema, execute_sync, get_introspection_query, parse, validate, validate_schema
from graphql.utilities import strip_ignored_characters

from gateway.catalogue.graphql.schema import build_schema as build
from gateway.catalogue.graphql.schema import catalogue_rows, core, described
from gateway.catalogue.load import load
from gateway.catalogue.model import Catalogue, Status
from gateway.errors import Problem
from gateway.inquiry.document.acts import ACT_QUERIES
from tests.catalogue.policies import catalogue_of, dataset

ROOT = Path(__file__).parents[3]
PURPOSES = {"TENDER_QUALIFICATION": "Qualification of tenderers", "COURT_ENFORCEMENT": "Enforcement"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    problems: list[Problem] = []
    found = load(ROOT / "policies", problems)
    assert problems == []
    return found


@pytest.fixture(scope="module")
def schema(catalogue: Catalogue) -> strawberry.federation.Schema:
    return build(catalogue, PURPOSES)


@pytest.fixture(scope="module")
def graphql(schema: strawberry.federation.Schema) -> GraphQLSchema:
    return core(schema)


def signature(graphql: GraphQLSchema, type_name: str) -> dict[str, str]:
    """Each field of a type: its arguments in brackets where it has any, and its type."""
    type_: Any = graphql.type_map[type_name]
    signatures = {}
    for name, field in type_.fields.items():
        arguments = ", ".join(f"{key}: {argument.type}" for key, argument in getattr(field, "args", {}).items())
        signatures[name] = f"({arguments}): {field.type}" if arguments else str(field.type)
    return signatures


SHARED = {
    "RecordMeta": "id: String! version: String! dataset: String! source: String! document: String effective: Date "
    "displayUntil: Date disputed: Boolean! mitigation: String",
    "Permission": "subject: String! dataset: String! field: String! permitted: Boolean! reason: String rule: String "
    "articles: [String!]! advice: String needs: [String!]!",
    "Dataset": "id: String! title: String! department: String! subjects: [String!]! information: String! "
    "disclosure: String! nature: String! basis: [Basis!]! display: Display restorable: Boolean! "
    "fields: [DatasetField!]!",
    "Basis": "law: String! article: String",
    "Display": "min: String max: String from: String!",
    "DatasetField": "name: String! type: String! title: String!",
    "Record": "record: RecordMeta!",
    "IdentifierInput": "scheme: IdentifierScheme! value: String!",
    "InquiryReceipt": "id: String! receipt: String! obligations: [Obligation!]! cautions: [Caution!]! ruleSet: String! "
    "time: DateTime! cursor: String!",
    "Caution": "dataset: String! record: String! disputed: Boolean! mitigation: String",
    "Obligation": "id: String! type: String! properties: [Property!]!",
    "Property": "name: String! value: String!",
}


@pytest.mark.parametrize("name", SHARED)
def test_the_shared_types_are_the_contracts(graphql: GraphQLSchema, name: str) -> None:
    words = SHARED[name].split()
    assert signature(graphql, name) == {
        key.rstrip(":"): type_ for key, type_ in zip(words[::2], words[1::2], strict=True)
    }


def test_the_query_fields_are_the_contracts(graphql: GraphQLSchema) -> None:
    acts = set(ACT_QUERIES)  # see `test_act_schema`
    assert {name: of for name, of in signature(graphql, "Query").items() if name not in acts} == {
        "_entities": "(representations: [_Any!]!): [_Entity]!",
        "_service": "_Service!",
        "organisation": "(id: IdentifierInput!): Organisation!",
        "organisations": "(ids: [IdentifierInput!]!): [Organisation!]!",
        "person": "(id: IdentifierInput!): Person!",
        "permissions": "(purpose: Purpose!): [Permission!]!",
        "catalogue": "[Dataset!]!",
        "receipts": "(after: String, first: Int): [InquiryReceipt!]!",
    }
    assert graphql.subscription_type is None


def test_datasets_and_their_fields_are_nullable_and_records_are_not(
    graphql: GraphQLSchema, catalogue: Catalogue
) -> None:
    organisation = signature(graphql, "Organisation")
    assert organisation["scheme"] == "IdentifierScheme!"
    assert organisation["value"] == "String!"
    assert organisation["taxArrears"] == "[TaxArrears!]"
    assert organisation["name"] == "String"
    assert organisation["registeredOn"] == "Date"
    assert "incomeStatements" not in organisation
    assert signature(graphql, "Person")["enforcementCases"] == "[EnforcementCases!]"
    assert signature(graphql, "TaxArrears") == {
        "record": "RecordMeta!",
        "period": "String",
        "amount": "Decimal",
        "currency": "String",
    }
    for published in catalogue.published.values():
        if published.shape == "list":
            fields = signature(graphql, published.type_name)
            assert fields.pop("record") == "RecordMeta!"
            assert fields == {name: str(field.type) for name, field in published.fields.items()}


def test_the_inquiry_directive_stands_on_queries_only(graphql: GraphQLSchema) -> None:
    directive = graphql.get_directive("inquiry")
    assert directive is not None
    assert {name: str(argument.type) for name, argument in directive.args.items()} == {
        "purpose": "Purpose!",
        "case": "String",
        "document": "String",
        "consent": "ID",
        "reference": "String",
        "recall": "ID",
    }
    assert [location.name for location in directive.locations] == ["QUERY"]
    assert not directive.is_repeatable


def test_enums_are_made_from_the_policies(graphql: GraphQLSchema) -> None:
    purpose: Any = graphql.type_map["Purpose"]
    scheme: Any = graphql.type_map["IdentifierScheme"]
    assert {name: value.description for name, value in purpose.values.items()} == PURPOSES
    assert list(scheme.values) == ["LEI", "PIN"]


def test_each_argument_of_a_declaration_is_described(graphql: GraphQLSchema) -> None:
    inquiry = graphql.get_directive("inquiry")
    assert inquiry is not None
    assert {name for name, argument in inquiry.args.items() if not argument.description} == set()


def test_descriptions_tell_law_disclosure_nature_and_display(graphql: GraphQLSchema) -> None:
    field = graphql.type_map["Organisation"].fields["taxArrears"]  # type: ignore[attr-defined]
    for text in (
        "Notices of tax arrears",
        "Tax Service",
        "Tax Collection Act, Art. 45",
        "shared between authorities",
        "adverse",
        "at least 3 months and at most 3 years",
    ):
        assert text in field.description
        assert text in (graphql.type_map["TaxArrears"].description or "")
    name = graphql.type_map["Organisation"].fields["name"]  # type: ignore[attr-defined]
    assert "Business Registration Act, Art. 4" in name.description


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PUBLISHED])
def test_only_published_datasets_are_anywhere_in_the_schema(tmp_path: Path, status: Status) -> None:
    hidden = dataset(status=str(status), title="Whispers about markets", fields={"whisper": "String"})
    made = build(catalogue_of(tmp_path, {"shown": dataset(), "market-whispers": hidden}), PURPOSES)
    printed = made.as_str().lower() + str(made.introspect()).lower()
    assert "whisper" not in printed
    assert "shown" in printed
    rows = execute_sync(core(made), parse("{ catalogue { id } }")).data
    assert rows == {"catalogue": [{"id": "shown"}]}


def test_a_kind_of_subject_without_datasets_still_has_its_type(tmp_path: Path) -> None:
    made = core(build(catalogue_of(tmp_path, {"shown": dataset()}), PURPOSES))
    assert validate_schema(made) == []
    assert signature(made, "Person") == {"scheme": "IdentifierScheme!", "value": "String!"}


def test_a_catalogue_with_nothing_published_still_has_a_schema(tmp_path: Path) -> None:
    made = core(build(catalogue_of(tmp_path, {"plan": dataset(status="draft")}), PURPOSES))
    assert validate_schema(made) == []
    assert signature(made, "Record") == {"record": "RecordMeta!"}


def test_without_a_purpose_there_is_no_schema(catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="at least one purpose"):
        build(catalogue, {})


def test_fields_may_have_the_names_of_pythons_own_words(tmp_path: Path) -> None:
    made = core(
        build(
            catalogue_of(tmp_path, {"class": dataset(fields={"from": "String", "id": "Int", "self": "Date"})}), PURPOSES
        )
    )
    assert signature(made, "Class") == {"record": "RecordMeta!", "from": "String", "id": "Int", "self": "Date"}


def test_it_is_a_federation_2_subgraph(schema: strawberry.federation.Schema, graphql: GraphQLSchema) -> None:
    answer = execute_sync(graphql, parse("{ _service { sdl } }"))
    assert answer.errors is None
    sdl = (answer.data or {})["_service"]["sdl"]
    compact = strip_ignored_characters(sdl)
    assert "https://specs.apollo.dev/federation/v2" in compact
    for type_name in ("Organisation", "Person"):
        assert f'type {type_name}@key(fields:"scheme value"' in compact
    assert 'directive@inquiry("""The purpose.""" purpose:Purpose!' in compact
    assert graphql.type_map["_Entity"].types == (  # type: ignore[attr-defined]
        graphql.type_map["Organisation"],
        graphql.type_map["Person"],
    )


def test_introspection_gives_a_schema_that_builds(graphql: GraphQLSchema, schema: strawberry.federation.Schema) -> None:
    assert validate_schema(graphql) == []
    answer = execute_sync(graphql, parse(get_introspection_query()))
    assert answer.errors is None
    sdl = schema.as_str()
    without_federation = sdl[sdl.index('"""') :].replace(' @key(fields: "scheme value", resolvable: true)', "")
    assert "TaxArrears" in build_schema(without_federation).type_map


META = {
    "id": "N-1",
    "version": "3",
    "dataset": "tax-arrears",
    "source": "tax",
    "document": "D-9",
    "effective": datetime.date(2026, 1, 31),
    "displayUntil": "2029-01-31",
    "disputed": False,
    "mitigation": None,
}


def test_the_reference_executor_reads_values_by_graphql_name(graphql: GraphQLSchema) -> None:
    document = parse(
        """
        query ($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "C-1") {
          them: organisation(id: $id) {
            __typename scheme value name registeredOn
            owed: taxArrears { __typename amount record { ...meta } ... on Record { record { version } } }
            businessLicences { number }
            enforcementCases { openedAt }
          }
        }
        fragment meta on RecordMeta { id effective displayUntil disputed mitigation }
        """
    )
    assert validate(graphql, document) == []
    moment = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    values = {
        "organisation": {
            "scheme": "LEI",
            "value": "213800KUD8LAJWSQ9D15",
            "name": "Ahorn",
            "registeredOn": "2020-02-29",
            "taxArrears": [{"amount": decimal.Decimal("10.50"), "record": META}],
            "businessLicences": [],
            "enforcementCases": [{"openedAt": moment}],
        }
    }
    variables = {"id": {"scheme": "LEI", "value": "213800KUD8LAJWSQ9D15"}}
    answer = execute_sync(graphql, document, root_value=values, variable_values=variables)
    assert answer.errors is None
    assert answer.data == {
        "them": {
            "__typename": "Organisation",
            "scheme": "LEI",
            "value": "213800KUD8LAJWSQ9D15",
            "name": "Ahorn",
            "registeredOn": "2020-02-29",
            "owed": [
                {
                    "__typename": "TaxArrears",
                    "amount": "10.50",
                    "record": {
                        "id": "N-1",
                        "effective": "2026-01-31",
                        "displayUntil": "2029-01-31",
                        "disputed": False,
                        "mitigation": None,
                        "version": "3",
                    },
                }
            ],
            "businessLicences": [],
            "enforcementCases": [{"openedAt": "2026-02-03T04:05:06Z"}],
        }
    }


def test_a_value_may_be_a_function_of_the_arguments(graphql: GraphQLSchema) -> None:
    def organisation(_info: Any, id: dict[str, str]) -> dict[str, str]:
        return {"scheme": id["scheme"], "value": id["value"], "name": f"Name of {id['value']}"}

    document = parse(
        '{ a: organisation(id: {scheme: LEI, value: "A"}) { name } '
        'b: organisation(id: {scheme: LEI, value: "B"}) { scheme name } }'
    )
    answer = execute_sync(graphql, document, root_value={"organisation": organisation})
    assert answer.errors is None
    assert answer.data == {"a": {"name": "Name of A"}, "b": {"scheme": "LEI", "name": "Name of B"}}


def test_entities_are_told_apart_by_their_typename(graphql: GraphQLSchema) -> None:
    document = parse(
        "query ($them: [_Any!]!) { _entities(representations: $them) "
        "{ __typename ... on Organisation { value } ... on Person { name } } }"
    )
    assert validate(graphql, document) == []
    found = [{"__typename": "Person", "name": "Ana"}, {"__typename": "Organisation", "value": "X"}, None]
    answer = execute_sync(
        graphql, document, root_value={"_entities": found}, variable_values={"them": [{"__typename": "Person"}]}
    )
    assert answer.errors is None
    assert answer.data == {
        "_entities": [{"__typename": "Person", "name": "Ana"}, {"__typename": "Organisation", "value": "X"}, None]
    }


def test_permissions_and_receipts_come_from_the_root_value(graphql: GraphQLSchema) -> None:
    permission = {"subject": "person", "dataset": "tax-arrears", "field": "amount", "permitted": False, "articles": []}
    receipt = {"id": "1", "receipt": "r", "ruleSet": "d", "time": "2026-01-01T00:00:00Z", "obligations": []}
    document = parse(
        "{ permissions(purpose: COURT_ENFORCEMENT) { dataset permitted reason articles } "
        "receipts(first: 1) { id time } }"
    )
    answer = execute_sync(graphql, document, root_value={"permissions": [permission], "receipts": [receipt]})
    assert answer.errors is None
    assert answer.data == {
        "permissions": [{"dataset": "tax-arrears", "permitted": False, "reason": None, "articles": []}],
        "receipts": [{"id": "1", "time": "2026-01-01T00:00:00Z"}],
    }


def test_the_catalogue_answers_by_itself(graphql: GraphQLSchema, catalogue: Catalogue) -> None:
    document = parse(
        "{ catalogue { id title department subjects information disclosure nature basis { law article } "
        "display { min max from } restorable fields { name type title } } }"
    )
    answer = execute_sync(graphql, document)
    assert answer.errors is None
    assert answer.data == {"catalogue": catalogue_rows(catalogue)}
    row = next(row for row in (answer.data or {})["catalogue"] if row["id"] == "tax-arrears")
    assert row["display"] == {"min": "P3M", "max": "P3Y", "from": "effective"}
    assert row["fields"][1] == {"name": "amount", "type": "Decimal", "title": "Amount due"}


def test_a_missing_declaration_of_purpose_or_an_unknown_one_does_not_validate(graphql: GraphQLSchema) -> None:
    for directive in ("@inquiry", "@inquiry(purpose: CURIOSITY)", '@inquiry(purpose: "TENDER_QUALIFICATION")'):
        errors = validate(graphql, parse(f"query {directive} {{ catalogue {{ id }} }}"))
        assert errors, directive


def test_a_schema_is_described_as_if_it_had_been_made_so(catalogue: Catalogue) -> None:
    made = build(catalogue, PURPOSES)
    before = made.as_str()
    others = {name: f"{title}.\n\n- Rests on: a law." for name, title in PURPOSES.items()}
    assert described(core(made), others) == build(catalogue, others).as_str() != before
    assert made.as_str() == before
