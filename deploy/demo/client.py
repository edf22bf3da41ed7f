"""A client of the demo's gateway, as a department would write one: a token, a question, an answer. Nothing cached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx


class Reply(NamedTuple):
    """What the gateway answered."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Any:
        """`data`, or `None`."""
        return self.body.get("data")

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """`errors`, empty where there is none."""
        return list(self.body.get("errors") or ())

    @property
    def codes(self) -> list[str]:
        """Each error's code."""
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def inquiry(self) -> Mapping[str, Any]:
        """`extensions.inquiry`."""
        found: Mapping[str, Any] = self.body.get("extensions", {}).get("inquiry") or {}
        return found


class TokenRefused(Exception):
    """The authorization server gave no token; the message is its own."""


def token(
    told: Mapping[str, Any], client: str, official: str | None = None, scope: str | None = None, **more: str
) -> str:
    """An access token for `client`, from what `demo.json` has. Raises `TokenRefused`."""
    secret = told["clients"][client]["secret"]
    form = {"grant_type": "client_credentials", "scope": scope or told["clients"][client]["scopes"][0], **more}
    if official:
        form["official"] = official
    answer = httpx.post(told["token_url"], data=form, auth=(client, secret), timeout=15)
    body = answer.json()
    if answer.status_code != 200:
        raise TokenRefused(f"{body['error']}: {body.get('error_description', '')}")
    access: str = body["access_token"]
    return access


def ask(told: Mapping[str, Any], bearer: str, query: str, variables: Mapping[str, Any]) -> Reply:
    """Ask the gateway one question."""
    answer = httpx.post(
        told["gateway"] + "/graphql",
        json={"query": query, "variables": variables},
        headers={"authorization": f"Bearer {bearer}", "accept": "application/graphql-response+json"},
        timeout=15,
    )
    return Reply(answer.status_code, answer.json())


def curl(told: Mapping[str, Any], bearer: str, query: str, variables: Mapping[str, Any]) -> str:
    """The same question as a command for a terminal."""
    body = json.dumps({"query": " ".join(query.split()), "variables": variables})
    return (
        f"curl -s {told['gateway']}/graphql -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {bearer}' \\\n  -d '{body}'"
    )
