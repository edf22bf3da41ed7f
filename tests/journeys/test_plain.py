"""What a running gateway tells without a subject: catalogue, metadata, health, metrics; and how it takes new keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import pytest

from gateway import cli
from tests.journeys.asking import CATALOGUE, inquire, post, send
from tests.waiting import until

if TYPE_CHECKING:
    from tests.conftest import World

FULL = """{ catalogue { id title department subjects information disclosure nature basis { law article }
  display { min max from } restorable fields { name type title } } }"""


def test_the_catalogue_is_what_is_published(world: World) -> None:
    rows = {row["id"]: row for row in world.ask("market-regulator", FULL).data["catalogue"]}
    assert "market-inspections" not in rows  # a draft
    assert rows["tax-arrears"] == {
        "id": "tax-arrears",
        "title": "Notices of tax arrears",
        "department": "tax",
        "subjects": ["organisation"],
        "information": "public",
        "disclosure": "shared",
        "nature": "adverse",
        "basis": [{"law": "Tax Collection Act", "article": "45"}],
        "display": {"min": "P3M", "max": "P3Y", "from": "effective"},
        "restorable": True,
        "fields": [
            {"name": "period", "type": "String", "title": "Tax period"},
            {"name": "amount", "type": "Decimal", "title": "Amount due"},
            {"name": "currency", "type": "String", "title": "Currency (ISO 4217)"},
        ],
    }
    for row in rows.values():
        assert row["information"] == "public" or row["disclosure"] == "authorised"
        assert row["nature"] != "adverse" or row["display"]


def test_the_open_catalogue_needs_no_token(world: World) -> None:
    at = f"{world.told['gateway']}/open/catalogue"
    response = httpx.get(at, headers={"accept": "application/json"})
    assert response.status_code == 200
    asked = {row["id"] for row in world.ask("market-regulator", CATALOGUE).data["catalogue"]}
    text = json.dumps(response.json())
    assert all(f'"{dataset}"' in text for dataset in asked)
    assert "market-inspections" not in text
    page = httpx.get(at, headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "Notices of tax arrears" in page.text


def test_metadata_and_challenge_point_at_each_other(world: World) -> None:
    metadata = httpx.get(f"{world.told['gateway']}/.well-known/oauth-protected-resource").json()
    assert metadata["resource"] == world.told["gateway"]
    assert metadata["authorization_servers"] == [world.told["issuer"]]
    assert {"inquire", "inquire:tax-arrears", "self"} <= set(metadata["scopes_supported"])
    response = send(world.graphql, b'{"query": "{ __typename }"}')
    assert response.status_code == 401
    challenge = response.headers["www-authenticate"]
    assert f'resource_metadata="{world.told["gateway"]}/.well-known/oauth-protected-resource"' in challenge


def test_the_playground_has_nothing_from_outside(world: World) -> None:
    page = httpx.get(world.graphql)
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_open_pages_lead_to_each_other(world: World) -> None:
    own = world.told["gateway"]
    places = {f"{own}/{at}" for at in ("graphql", "open/catalogue", "open/organisations", "open/transparency")}
    for start in ("/", "/graphql", "/open/catalogue"):
        page = httpx.get(f"{own}{start}", headers={"accept": "text/html"})
        assert places <= {urljoin(f"{own}{start}", at) for at in re.findall(r'<li><a href="([^"]+)"', page.text)}
    for place in places:
        found = httpx.get(place, headers={"accept": "text/html"})
        assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8"), place


def test_health(world: World) -> None:
    assert httpx.get(f"{world.told['gateway']}/health/live").status_code == 200
    ready = httpx.get(f"{world.told['gateway']}/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert httpx.get(f"{world.told['gateway']}/metrics").status_code == 404
    manage = world.told["manage"]

    def healthy() -> Any:
        told = httpx.get(f"{manage}/health")
        return told.status_code == 200 and told.json()

    (process,) = until("the gateway to tell that it is healthy", healthy)["processes"]
    assert {"ledger", "rules", "clock"} <= set(process["checks"])
    assert all(process["checks"].values())


def test_the_demos_configuration_is_fine(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", str(world.region.place.config)]) == 0
    said = capsys.readouterr()
    assert "fine" in said.out
    assert not said.err


def test_metrics_and_log_name_no_subject(world: World) -> None:
    """Invariant 12, after answers, denials, refusals and wrong identifiers."""
    person, wrong = world.subject("person_with_consent"), "9DBX00P78EZM4408ME18"
    tender = "{ name taxArrears { amount } }"
    reply = inquire(world, "market-regulator", "TENDER_QUALIFICATION", tender, world.subject("ordinary"))
    held = [reply.data["organisation"]["name"], *(row["amount"] for row in reply.data["organisation"]["taxArrears"])]
    own = inquire(world, "labour-office", "SUBSIDY_ASSESSMENT", "{ name incomeStatements { taxableIncome } }", person)
    held += [own.data["person"]["name"], *(row["taxableIncome"] for row in own.data["person"]["incomeStatements"])]
    inquire(world, "market-regulator", "LICENCE_RENEWAL", "{ name }", {"scheme": "LEI", "value": wrong})
    inquire(world, "market-regulator", "LICENCE_RENEWAL", "{ nothing }", world.subject("ordinary"))
    values = {wrong, *held, *(subject["value"] for subject in world.told["subjects"].values())}

    def counted() -> str:
        told = httpx.get(f"{world.told['manage']}/metrics").text
        return "" if 'outcome="OK"} 0.0' in told else told

    metrics = until("the inquiries to be counted", counted)
    log = (world.region.place.run / "gateway.log").read_text()
    assert 'dutybound_inquiries_total{outcome="OK"}' in metrics
    for value in values | set(world.told["cases"]):
        assert value not in metrics
        assert value not in log
    assert "Traceback" not in log


def test_the_issuer_rotates_its_keys_and_nobody_notices(world: World) -> None:
    """A token of the new key is good within the second in which an issuer is asked once, one of the old key until it
    expires (two keys are published).
    """
    before = world.token("market-regulator", "m.ivanova")
    old, new = (httpx.get(world.told["jwks_url"]).json(), httpx.post(f"{world.told['issuer']}/rotate").json())
    assert {key["kid"] for key in old["keys"]} != {key["kid"] for key in new["keys"]}
    after = world.token("market-regulator", "m.ivanova")
    until("the new key to be read", lambda: post(world.graphql, after, "{ __typename }").status == 200)
    for bearer in (after, before):
        assert post(world.graphql, bearer, "{ __typename }").status == 200
    assert world.ask("civil-court", "{ __typename }").status == 200  # another client, another algorithm
