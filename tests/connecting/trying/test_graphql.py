"""`source test` finds and explains what a GraphQL department has otherwise than its mapping, by a real schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from graphql import build_schema, graphql_sync

from tests.connecting.trying import asked
from tests.connecting.trying.planted import TITLE, VALUE
from tests.connectors.servers import Handler, Request, answer, serve

SCHEMA = """
    type Query { holder(type: String!, number: ID!): Holder }
    type Holder { awards: [Award!] }
    type Award {
        no: String, rev: Int, paper: String, type: String, number: String,
        name: String, workers: Int, open: Boolean, amount: Amount, day: String, at: String
    }
    type Amount { total: String }
"""
AWARD = {
    "no": "A-1", "rev": 7, "paper": "P-1", "type": "LEI", "number": VALUE, "name": TITLE, "workers": 3, "open": True,
    "amount": {"total": "1.50"}, "day": "2026-03-31", "at": "2026-03-31T08:30:00Z",
}  # fmt: skip


def config(url: str) -> dict[str, Any]:
    """What `sources.yaml` says of the department."""
    return {
        "kind": "graphql", "url": f"{url}/graphql", "limits": {"timeout": "20s", "retries": 0},
        "query": "holder(type: $scheme, number: $value)", "variables": {"value": "ID!"},
        "datasets": {asked.NAME: {
            "field": "awards",
            "record": {"id": "no", "version": "rev", "document": "paper",
                       "subject": {"scheme": "type", "value": "number"}},
            "fields": {"title": "name", "workers": "workers", "open": "open", "amount": "amount.total", "day": "day",
                       "at": "at"},
        }},
    }  # fmt: skip


def department(schema: str, award: dict[str, Any], status: int = 400) -> Handler:
    """A server of the schema, whose one holder, `VALUE`, has the award; a document that is refused has this status."""
    built = build_schema(schema)

    def holder(_: Any, **asked_for: Any) -> Any:
        if award.get("fails"):
            raise ValueError(f"cannot read {VALUE}")
        if VALUE not in asked_for.values():
            return None
        return {"awards": [award], "honours": [award]}

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        asked_for = json.loads(request.body)
        result = graphql_sync(built, asked_for["query"], {"holder": holder}, variable_values=asked_for["variables"])
        refused = result.errors is not None and result.data is None and not any(each.path for each in result.errors)
        writer.write(answer(result.formatted, status if refused else 200))

    return handle


class Case(NamedTuple):
    """One difference: of the schema, of the award, or of the configuration."""

    name: str
    key: str
    words: str
    schema: tuple[str, str] = ("", "")
    award: dict[str, Any] = {}  # noqa: RUF012
    config: Callable[[dict[str, Any]], Any] | None = None


def _fails(*_: Any) -> Any:
    raise ValueError(VALUE)


def _dataset(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["datasets"][asked.NAME].update(changes)


CASES = (
    Case("a field that is not there", "fields.title", "has no field `name`", ("name: String", "caption: String")),
    Case("a list of another name", "field", "has no field `awards`", ("awards: [Award!]", "honours: [Award!]")),
    Case("another query field", "query", "has no field `holder`", ("{ holder(", "{ owner(")),
    Case("an argument of another name", "query", "has no argument `number`", ("number: ID!)", "id: ID)")),
    Case("a new argument that is needed", "query", "needs the argument `lang`",
         ("number: ID!)", "number: ID!, lang: String!)")),
    Case("a variable of another type", "variables", "the department expects `ID!`",
         config=lambda config: config.pop("variables")),
    Case("a plain value where an object was", "fields.amount", "nothing stands below it",
         ("amount: Amount", "amount: String")),
    Case("an object where a plain value was", "fields.title", "is an object", ("name: String", "name: Amount")),
    Case("a type of a variable that there is not", "variables", "there is no type `Kind`",
         config=lambda config: config.update(variables={"scheme": "Kind!", "value": "ID!"})),
    Case("an error of one field", "fields.title", "reports an error while it answers", award={"name": _fails}),
    Case("an error of its own", "field", "reports an error while it answers", award={"fails": True}),
    Case("another type", "fields.workers", "text that holds a whole number", ("workers: Int", "workers: String"),
         award={"workers": "3"}),
    Case("another scheme", "record.subject.scheme", "another scheme", award={"type": "VAT"}),
    Case("another address", "url", "no GraphQL answer", config=lambda config: config.update(url="OTHER")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("status", [200, 400])
async def test_a_planted_difference_is_found_and_explained(case: Case, status: int, tmp_path: Path) -> None:
    schema = SCHEMA.replace(*case.schema) if case.schema[0] else SCHEMA
    assert (schema != SCHEMA) == bool(case.schema[0])

    async def other(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer({"status": "up"}))

    written = config("")
    if case.config is not None:
        case.config(written)
    elsewhere = written["url"] == "OTHER"
    async with serve(other if elsewhere else department(schema, {**AWARD, **case.award}, status)) as server:
        written["url"] = f"{server.url}/graphql"
        trial, places = await asked.trial(asked.department(written, tmp_path))
    told = [str(place) for place in places]
    found = next((each for each in trial.found if case.words in each.what), None) or pytest.fail(str(told))
    assert ".".join(found.key[2:] if found.key[0] == "datasets" else found.key) == case.key
    for secret in (VALUE, TITLE):
        assert not any(secret in said for said in told), told


async def test_a_department_that_fits_has_nothing_to_mend(tmp_path: Path) -> None:
    async with serve(department(SCHEMA, AWARD)) as server:
        trial, places = await asked.trial(asked.department(config(server.url), tmp_path))
    assert (places, trial.records) == ([], 1)
