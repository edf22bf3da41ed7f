"""The Civil Court: an Apollo Federation v2 subgraph on strawberry, over its own SQLite file.

A debtor is an entity, `Debtor @key(fields: "idScheme idNumber")`: several of the court's datasets, for several debtors,
come in one `_entities` request. `_service` tells the schema. A debtor that the court does not know has no files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.serve import arguments, serve


@strawberry.type
class Party:
    """Whom a file is about."""

    id_scheme: str
    id_number: str


@strawberry.type
class Money:
    """An amount, as decimal text, and its ISO 4217 currency."""

    value: str
    unit: str


@strawberry.type
class EnforcementFile:
    """One enforcement before the court."""

    docket: str
    issue: str
    writ: str | None
    in_force: str | None
    debtor: Party
    file_no: str
    claim: Money
    state: str
    opened: str


@strawberry.type
class InsolvencyFile:
    """One insolvency proceeding before the court."""

    docket: str
    issue: str
    ruling: str | None
    in_force: str | None
    debtor: Party
    file_no: str
    stage: str
    opened: str


Info = strawberry.Info[sqlite3.Connection, None]


@strawberry.federation.type(keys=["idScheme idNumber"])
class Debtor:
    """A party as the court names it."""

    id_scheme: str
    id_number: str

    @classmethod
    def resolve_reference(cls, idScheme: str, idNumber: str) -> Debtor:
        """strawberry hands over the key as it stands in the representation."""
        return cls(id_scheme=idScheme, id_number=idNumber)

    @strawberry.field
    def enforcements(self, info: Info) -> list[EnforcementFile]:
        """Files of enforcement, in the order of their dockets."""
        return [
            EnforcementFile(
                docket=row["docket"],
                issue=row["issue"],
                writ=row["writ"],
                in_force=row["in_force"],
                debtor=Party(id_scheme=row["debtor_scheme"], id_number=row["debtor"]),
                file_no=row["file_no"],
                claim=Money(value=row["claim"], unit=row["currency"]),
                state=row["state"],
                opened=row["opened"],
            )
            for row in self._rows(
                info, "SELECT * FROM enforcement WHERE debtor_scheme = ? AND debtor = ? ORDER BY docket"
            )
        ]

    @strawberry.field
    def insolvencies(self, info: Info) -> list[InsolvencyFile]:
        """Files of insolvency, in the order of their dockets."""
        return [
            InsolvencyFile(
                docket=row["docket"],
                issue=row["issue"],
                ruling=row["ruling"],
                in_force=row["in_force"],
                debtor=Party(id_scheme=row["debtor_scheme"], id_number=row["debtor"]),
                file_no=row["file_no"],
                stage=row["stage"],
                opened=row["opened"],
            )
            for row in self._rows(
                info, "SELECT * FROM insolvency WHERE debtor_scheme = ? AND debtor = ? ORDER BY docket"
            )
        ]

    def _rows(self, info: Info, statement: str) -> Iterator[sqlite3.Row]:
        return iter(info.context.execute(statement, (self.id_scheme, self.id_number)))


@strawberry.type
class Query:
    """The court's own entry; federated clients use `_entities`."""

    @strawberry.field
    def debtor(self, id_scheme: str, id_number: str) -> Debtor:
        """A party by its identifier; always an object, known or not."""
        return Debtor(id_scheme=id_scheme, id_number=id_number)


SCHEMA = strawberry.federation.Schema(query=Query, types=[Debtor])


def build(file: Path) -> Starlette:
    """The subgraph over the SQLite `file`, opened for reading only."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    calls: list[dict[str, Any]] = []

    async def graphql(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
            query, variables = body["query"], body.get("variables")
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": [{"message": "the body must be JSON with a `query`"}]}, 400)
        calls.append({"query": query, "variables": variables})
        result = await SCHEMA.execute(query, variables, context_value=connection)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return JSONResponse(answer)

    async def asked(request: Request) -> Response:
        return JSONResponse(calls)

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"]), Route("/_calls", asked)])


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Civil Court, a GraphQL subgraph.").parse_args()
    serve(build(options.data / "courts.sqlite"), options.port)


if __name__ == "__main__":
    main()
