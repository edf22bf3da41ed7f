"""How the journeys ask: documents made from the published catalogue, requests of any shape, and the ledger's length.

`World.ask` asks as a well-behaved client does; `send` sends what a test wants to get wrong. `entries` counts what the
ledger holds by its public checkpoint, so that a test sees an entry without opening the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from deploy.demo.client import Reply

if TYPE_CHECKING:
    from tests.conftest import World

ACCEPT = "application/graphql-response+json"
CATALOGUE = "{ catalogue { id department subjects nature information disclosure fields { name type } } }"

OFFICIALS: Mapping[str, str | None] = {
    "market-regulator": "m.ivanova",
    "environment-agency": "e.lind",
    "labour-office": "l.moreau",
    "tax-service": None,
    "civil-court": "j.okafor",
}
"""Who stands behind each client's questions."""

CASES: Mapping[str, str] = {"TENDER_QUALIFICATION": "market-regulator", "COURT_ENFORCEMENT": "civil-court"}
"""Who has a grant in force for a purpose that wants a case."""


def send(url: str, content: Any, bearer: str | None = None, method: str = "POST", /, **headers: str) -> httpx.Response:
    """One request with exactly these bytes; underscores in `headers` are hyphens."""
    sent = {"content-type": "application/json", "accept": ACCEPT}
    if bearer is not None:
        sent["authorization"] = f"Bearer {bearer}"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, url, content=content, headers=sent, timeout=60)


def post(
    url: str, bearer: str | None, query: str, variables: Mapping[str, Any] | None = None, /, **headers: str
) -> Reply:
    """One GraphQL operation, with further headers."""
    response = send(url, json.dumps({"query": query, "variables": variables or {}}), bearer, **headers)
    return Reply(response.status_code, response.json())


def camel(dataset: str) -> str:
    """A dataset's field in GraphQL."""
    first, *rest = dataset.split("-")
    return first + "".join(part.capitalize() for part in rest)


def catalogue(world: World) -> list[dict[str, Any]]:
    """The published catalogue."""
    rows: list[dict[str, Any]] = world.ask("market-regulator", CATALOGUE).data["catalogue"]
    return rows


def selection(rows: Sequence[Mapping[str, Any]], kind: str, fields: Mapping[str, Sequence[str]] | None = None) -> str:
    """All fields of every dataset about a kind of subject, or just `fields` by dataset, as a selection set."""
    parts = []
    for row in rows:
        if kind not in row["subjects"] or (fields is not None and row["id"] not in fields):
            continue
        names = " ".join(fields[row["id"]] if fields is not None else [field["name"] for field in row["fields"]])
        parts.append(names if row["id"] == f"{kind}-register" else f"{camel(row['id'])} {{ {names} }}")
    return "{ " + " ".join(parts) + " }"


def document(purpose: str, kind: str, body: str) -> str:
    """An inquiry about one subject, with an optional case."""
    return (
        f"query($id: IdentifierInput!, $case: String) @inquiry(purpose: {purpose}, case: $case)"
        f" {{ {kind}(id: $id) {body} }}"
    )


def inquire(world: World, client: str, purpose: str, body: str, subject: Mapping[str, str], **token: Any) -> Reply:
    """Ask about one subject, with the case that the purpose wants where the client has one."""
    kind = "person" if subject["scheme"] == "PIN" else "organisation"
    variables: dict[str, Any] = {"id": dict(subject)}
    if CASES.get(purpose) == client:
        variables["case"] = world.case(client, subject)
    token.setdefault("official", OFFICIALS.get(client))
    return world.ask(client, document(purpose, kind, body), variables, **token)


def entries(world: World) -> int:
    """How many entries the ledger's public checkpoint commits to."""
    text = httpx.get(f"{world.told['gateway']}/ledger/{world.told['ledger']['shard']}/checkpoint").text
    return int(text.splitlines()[1])


@contextmanager
def entered(world: World, count: int = 1) -> Iterator[None]:
    """Exactly `count` entries are made meanwhile."""
    before = entries(world)
    yield
    assert entries(world) - before == count
