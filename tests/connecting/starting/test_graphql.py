"""What is made of GraphQL schemas, by their introspection: of a subgraph, and of one with a field for subjects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, graphql_sync

from deploy.demo.departments import courts
from gateway.connecting.starting import graphql
from tests.configured import secret
from tests.connecting.starting.making import Made, gateway, run
from tests.connecting.starting.test_hostile import Server, server

__all__ = ["server"]

SCHEMA = """
scalar Date
scalar BigDecimal
scalar JSON
enum State { OPEN CLOSED }
type Query {
  "Everybody"
  debtors: [Debtor!]!
  debtor(idType: IdType!, idNumber: ID!): Debtor
  court(name: String!): Court
  health(id: ID!): Debtor
  version: String
}
enum IdType { LEI }
type Court { name: String }
type Party { idType: String! idNumber: String! parent: Party }
type Debtor {
  "Enforcement of judgments"
  enforcements: [Enforcement!]!
  proceedings(first: Int, after: String): ProceedingConnection!
  visits(on: Date!): [Enforcement!]!
  medicalRecords: [Enforcement!]!
  contact: String
}
type ProceedingConnection { edges: [ProceedingEdge!]! }
type ProceedingEdge { cursor: String! node: Proceeding! }
type Proceeding { docket: ID! revision: Int! debtor: Party! opened: Date stage: State notes: [String!] }
type Enforcement {
  docket: ID! version: Int! writ: String debtor: Party! claim: BigDecimal email: String raw: JSON paid: Boolean
  total(currency: String!): Float amount: Float
}
"""


def introspected(sdl: str) -> dict[str, Any]:
    result = graphql_sync(build_schema(sdl), json.loads(graphql.QUESTION)["query"])
    assert result.errors is None
    return {"data": result.data}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path)


def of_file(config: Path, document: Any) -> Made:
    file = config.parent / "schema.json"
    file.write_text(json.dumps(document))
    return run("tax", "--graphql", file, "--config", config)


def test_a_field_of_query_that_finds_a_subject(config: Path) -> None:
    made = of_file(config, introspected(SCHEMA))
    department = made.parts[0]["tax"]
    assert department["url"] is None
    assert department["query"] == "debtor(idType: $scheme, idNumber: $value)"
    assert department["variables"] == {"scheme": "IdType!", "value": "ID!"}
    enforcements, proceedings = department["datasets"].values()
    assert enforcements["field"] == "enforcements"
    assert enforcements["record"] == {
        "id": "docket", "version": "version", "document": "writ",
        "subject": {"scheme": "debtor.idType", "value": "debtor.idNumber"},
    }  # fmt: skip
    assert enforcements["fields"] == {
        "docket": "docket", "writ": "writ", "claim": "claim", "raw": "raw", "paid": "paid", "amount": "amount",
    }  # fmt: skip
    assert proceedings["field"] == "proceedings > edges"
    assert proceedings["record"]["subject"]["value"] == "node.debtor.idNumber"
    assert proceedings["fields"]["nodeStage"] == "node.stage"
    fields = made.parts[1]["datasets"]["tax-enforcements"]["fields"]
    assert {name: each["type"] for name, each in fields.items()} == {
        "docket": "String", "writ": "String", "claim": "Decimal", "raw": None, "paid": "Boolean", "amount": "Decimal",
    }  # fmt: skip
    assert made.parts[1]["datasets"]["tax-enforcements"]["title"] == "Enforcement of judgments"
    for what, why in [
        ("`Query.debtors`", "no single object"),
        ("`Query.court`", "names one subject"),
        ("`Query.health`", "health data"),
        ("`Debtor.visits`", "needs `on`"),
        ("`Debtor.medicalRecords`", "health data"),
        ("`email`", "communications"),
        ("`total`", "needs `currency`"),
        ("`node.notes`", "is a list"),
        ("it may answer in pages", "that one has all"),
    ]:
        assert why in made.line(f"passed over: {what}")


def test_a_subgraph_of_a_federation(config: Path) -> None:
    result = courts.SCHEMA.execute_sync(json.loads(graphql.QUESTION)["query"])
    made = of_file(config, {"data": result.data})
    department = made.parts[0]["tax"]
    assert department["entities"] is True
    assert department["keys"] == {"scheme": "idScheme", "value": "idNumber"}
    assert department["types"] == {"organisation": "Debtor", "person": "Debtor"}
    assert [each["field"] for each in department["datasets"].values()] == ["enforcements", "insolvencies"]


def test_an_endpoint_is_asked_once_with_its_token(config: Path, server: Server, tmp_path: Path) -> None:
    server.answers["/graphql"] = (200, {}, json.dumps(introspected(SCHEMA)).encode())
    token = secret(tmp_path / "token", "wort\n")
    made = run("tax", "--graphql", f"{server.url}/graphql", "--config", config, "--token-file", token)
    assert made.parts[0]["tax"]["url"] == f"{server.url}/graphql"
    assert [(path, authorization) for path, authorization, _ in server.asked] == [("/graphql", "Bearer wort")]


def test_the_query_of_an_endpoint_is_sent_and_not_written(config: Path, server: Server) -> None:
    server.answers["/graphql?token=geheim"] = (200, {}, json.dumps(introspected(SCHEMA)).encode())
    made = run("tax", "--graphql", f"{server.url}/graphql?token=geheim", "--config", config)
    assert made.parts[0]["tax"]["url"] == f"{server.url}/graphql"
    assert "its query is left out" in made.out
    assert "geheim" not in made.out + made.err


@pytest.mark.parametrize("answer", [(400, {}, b'{"errors": [{"message": "no"}]}'), (200, {}, b'{"data": null}')])
def test_introspection_that_is_switched_off_is_named(config: Path, server: Server, answer: Any) -> None:
    server.answers["/graphql"] = answer
    made = run("tax", "--graphql", f"{server.url}/graphql", "--config", config)
    assert (made.status, made.out) == (1, "")
    assert "switched off there: then have it saved as JSON, and name the file" in made.err


def _schema(*types: Any) -> dict[str, Any]:
    return {"__schema": {"types": list(types), "queryType": {"name": "Query"}}}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"errors": [{"message": "no"}], "data": None}, "may need a token"),
        ({}, "is no introspection"),
        (_schema(), "no field of `Query`"),
        (_schema(*({"name": f"T{n}"} for n in range(5_001))), "more than 5000 types"),
        (_schema({"name": "Query", "fields": [{"name": "x y(z: 1) {"}]}), "no field of `Query`"),
        (introspected("type Query { debtor(id: ID!): A } type A { a: A }"), "no list of objects"),
    ],
)
def test_what_finds_no_subject_is_refused(config: Path, document: Any, why: str) -> None:
    made = of_file(config, document)
    assert (made.status, made.out) == (1, "")
    assert why in made.err


def test_types_that_hold_each_other_are_gone_into_so_often_and_no_more(config: Path) -> None:
    fields = [f"t{n}: T{n}" for n in range(60)]
    types = "".join(f"type T{n} {{ {' '.join(fields)} }}" for n in range(60))
    lists = "".join(f" list{n}: [T{n}]" for n in range(60))
    made = of_file(
        config,
        introspected(f"type Query {{ s(id: ID!): S }} type S {{ all: [R] {lists} }} type R {{ no: ID }} {types}"),
    )
    assert list(made.datasets()["tax-all"]["fields"]) == ["no"]


def test_types_that_hold_each_other_end(config: Path) -> None:
    names = [f"a{number}" for number in range(10)]
    inner = " ".join(f"{name}: T" for name in names)
    made = of_file(
        config, introspected(f"type Query {{ t(id: ID!): S }} type S {{ all: [T] }} type T {{ no: ID {inner} }}")
    )
    [found] = made.datasets().values()
    assert found["fields"] == {"no": "no"}
