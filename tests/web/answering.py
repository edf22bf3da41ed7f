"""A gateway's answers for the playground's tests: a real schema, and what each test wants told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from graphql import introspection_from_schema
from playwright.sync_api import Page, Route

from gateway.catalogue.graphql.schema import build_schema, core
from tests.web.web_app import CATALOGUE

PURPOSES = {"TENDER_QUALIFICATION": "Qualification of a tenderer.\n\n- Rests on: a law.\n- Needs a case: `case`."}
TOKEN = "eyJ-a-token-that-no-issuer-has-given"
ANSWER = {
    "data": {"organisation": {"taxArrears": [{"amount": "82191.57"}]}},
    "extensions": {"inquiry": {"id": "5707cc4a825ce3e4", "receipt": "c2sp.org/tlog-proof@v1\n", "obligations": []}},
}


def schema(purposes: Mapping[str, str] = PURPOSES) -> dict[str, Any]:
    """The schema as introspection tells it."""
    return dict(introspection_from_schema(core(build_schema(CATALOGUE, purposes))))


def answering(page: Page, answer: Any = ANSWER, told: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Have the page's questions answered; gives what it asked beside the schema, as it comes."""
    asked: list[dict[str, Any]] = []

    def answered(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        body = json.loads(route.request.post_data or "{}")
        if "__schema" in body["query"]:
            content: Any = {"data": told or schema()}
        else:
            asked.append({**body, "authorization": route.request.headers.get("authorization")})
            content = answer
        route.fulfill(body=json.dumps(content), content_type="application/json")

    page.route("**/graphql", answered)
    return asked


def opened(page: Page, at: str, wait: Callable[[Page], object] | None = None) -> Page:
    """The playground at a gateway's address, its schema read with `TOKEN`."""
    page.goto(f"{at}graphql")
    page.get_by_label("Access token").fill(TOKEN)
    (wait or (lambda it: it.locator("#schema").get_by_role("button", name="Query", exact=True).wait_for()))(page)
    return page
