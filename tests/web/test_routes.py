"""The plain routes over real HTTP, behind the server that ships."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from gateway.web.open.catalogue import catalogue_document
from gateway.web.open.opened import History, Open
from gateway.web.routes import metadata_url
from tests.world import rule_set


def test_protected_resource_metadata(served: httpx.Client) -> None:
    response = served.get("/.well-known/oauth-protected-resource")
    content = response.json()
    assert response.headers["content-type"] == "application/json"
    assert content["resource"] == "https://gateway.example"
    assert content["authorization_servers"] == ["https://login.example"]
    assert content["bearer_methods_supported"] == ["header"]
    assert {"inquire", "self", "inquire:tax-arrears"} <= set(content["scopes_supported"])
    assert "inquire:market-inspections" not in content["scopes_supported"]


def test_where_the_metadata_is() -> None:
    assert metadata_url("https://g.example") == "https://g.example/.well-known/oauth-protected-resource"
    assert metadata_url("https://g.example:8443/a/b") == (
        "https://g.example:8443/.well-known/oauth-protected-resource/a/b"
    )


def test_health(served: httpx.Client) -> None:
    assert served.get("/health/live").json() == {"status": "live"}
    flag = Path(served.headers["x-down-file"])
    assert served.get("/health/ready").json() == {"status": "ready"}
    flag.write_text("ledger")
    response = served.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "not ready"})
    flag.write_text("error")
    response = served.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "not ready"})
    assert "5299000J2N45DDNE4Y28" not in response.text
    flag.unlink()
    assert served.get("/health/ready").status_code == 200


def test_metrics_and_details_are_not_here(served: httpx.Client) -> None:
    assert served.get("/metrics").status_code == served.get("/health").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_graphql_knows_get_and_post_only(served: httpx.Client, method: str) -> None:
    response = served.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert response.json()["errors"][0]["extensions"]["code"] == "REQUEST_INVALID"


@pytest.mark.parametrize("query", ["query={__typename}", "extensions={}", "operationName=A", "variables={}"])
def test_an_operation_by_get_is_refused(served: httpx.Client, query: str) -> None:
    response = served.get(f"/graphql?{query}", headers={"accept": "application/graphql-response+json"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.headers["content-type"] == "application/graphql-response+json; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/graphql", "/open/catalogue"])
def test_a_page_runs_and_loads_nothing_but_its_own(served: httpx.Client, path: str) -> None:
    response = served.get(path, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"(?i)(?:https?:)?//[a-z0-9]", response.text)
    assert not re.search(r"<style|<script(?! type=\"module\" src=\")|\s(?:on\w+|style)=|@import|\burl\(", response.text)
    assert '<html lang="en-GB" dir="ltr">' in response.text
    assert len(response.content) < 30_000
    for at in re.findall(r'(?:href|src)="([^"#:]+)"', response.text):
        if at.endswith(("open/organisations", "open/transparency")):
            continue  # of other folders: tests/journeys/test_plain.py follows them
        got = served.get(httpx.URL(path).join(at).raw_path.decode(), headers={"accept": "text/html, */*"})
        assert got.status_code == 200, at
        assert path == "/" or "static/" not in at or got.headers["cache-control"].endswith("immutable")


def test_every_field_of_the_playground_has_a_label(served: httpx.Client) -> None:
    page = served.get("/graphql").text
    labels = set(re.findall(r'<label for="([^"]+)"', page))
    fields = set(re.findall(r'<(?:input|textarea|select)[^>]* id="([^"]+)"', page))
    assert fields == labels
    assert len(fields) >= 5


def test_the_open_catalogue_as_json_and_as_a_page(served: httpx.Client) -> None:
    response = served.get("/open/catalogue")
    content = response.json()
    assert [dataset["id"] for dataset in content["datasets"]] == ["tax-arrears", "organisation-register"]
    assert re.fullmatch("[0-9a-f]{64}", content["datasets"][0].pop("definition"))
    assert content["supplements"] == []
    assert content["purposes"] == []
    assert content["datasets"][0] == {
        "id": "tax-arrears",
        "title": "Notices of tax <arrears>",
        "department": "tax",
        "subjects": ["organisation"],
        "information": "public",
        "disclosure": "shared",
        "nature": "adverse",
        "basis": [{"law": "Tax Collection Act", "article": "45"}],
        "display": {"min": "P3M", "max": "P3Y", "from": "effective"},
        "restorable": True,
        "fields": [{"name": "amount", "type": "Decimal", "title": "Amount due"}],
    }
    assert content["datasets"][1]["display"] is None
    page = served.get("/open/catalogue", headers={"accept": "text/html,application/xml;q=0.9,*/*;q=0.8"}).text
    assert "Notices of tax &lt;arrears&gt;" in page
    assert "Tax Collection Act, article 45" in page
    assert "market-inspections" not in page + response.text


def test_the_open_catalogue_is_cached_by_its_version(served: httpx.Client) -> None:
    first = served.get("/open/catalogue")
    assert first.headers["vary"] == "Accept"
    again = served.get("/open/catalogue", headers={"if-none-match": f'"old", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    page = served.get("/open/catalogue", headers={"if-none-match": first.headers["etag"], "accept": "text/html"})
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("text/html", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("*/*", False),
        ("application/json, text/html", True),
    ],
)
def test_who_gets_a_page(served: httpx.Client, accept: str, page: bool) -> None:
    response = served.get("/open/catalogue", headers={"accept": accept})
    assert response.headers["content-type"].startswith("text/html" if page else "application/json")


def test_the_open_catalogue_says_what_purposes_rest_on() -> None:
    policies = rule_set().policies
    content = catalogue_document(Open(policies.catalogue, policies.purposes, History((), 0)))
    named = {each["id"]: each for each in content["purposes"]}
    assert named.keys() == policies.purposes.keys()
    assert named["TENDER_QUALIFICATION"]["title"] == "Qualification of a tenderer for a public contract"
    assert named["TENDER_QUALIFICATION"]["basis"] == [{"law": "Public Procurement Act", "article": "54"}]
