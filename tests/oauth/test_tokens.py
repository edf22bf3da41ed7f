"""JWTs of a real authorization server: keys that rotate, several issuers, and what a token narrows, to the answer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from stdnum.iso7064 import mod_97_10

from connectors.base import Subject
from gateway.config.oauth import IssuerSettings
from gateway.inquiry.types import Requester
from tests import world as worlds
from tests.inquiry.issuer import TestIssuer
from tests.oauth.authority import Authority
from tests.oauth.gate import Gate, settings
from tests.world import Ask, Case, World

LEI, OTHER_LEI = (base + mod_97_10.calc_check_digits(base) for base in ("549300TESTTESTTEST", "549300OTHEROTHEROT"))
CASE = "C-1"
KNOWN = Case("market", frozenset({Subject("organisation", "LEI", LEI)}), frozenset({"m.ivanova"}))
QUERY = """query Q($id: IdentifierInput!) @inquiry(purpose: TENDER_QUALIFICATION, case: "C-1") {
  organisation(id: $id) { name businessLicences { number } taxArrears { period } }
}"""


@pytest.fixture
def gate(http: httpx.AsyncClient, authority: Authority) -> Gate:
    return Gate(http, [settings(authority)])


async def test_both_of_its_algorithms_are_taken(gate: Gate, authority: Authority) -> None:
    """ES256 for one client, RS256 for another; each showed who it is by `private_key_jwt`."""
    for client in ("market-regulator", "tax-service"):
        requester = await gate(f"Bearer {authority.token(client, scope='inquire:tax-arrears recalls')}")
        assert (requester.issuer, requester.client) == (authority.url, client)
        assert requester.scopes == {"inquire:tax-arrears", "recalls"}


async def test_a_rotation_refuses_nobody_and_a_dropped_key_stops(http: httpx.AsyncClient) -> None:
    authority = Authority()
    try:
        gate = Gate(http, [settings(authority)])
        before = f"Bearer {authority.token()}"
        await gate(before)
        gate.ahead = 10
        authority.rotate()
        after = f"Bearer {authority.token()}"
        both = await asyncio.gather(*(gate(token) for token in [before, after] * 10))
        assert {requester.client for requester in both} == {"market-regulator"}
        gate.ahead = 20
        authority.rotate(drop=True)
        assert (await gate(f"Bearer {authority.token()}")).client == "market-regulator"
        for token in (before, after):
            refusal = await gate.refusal(token)
            assert "does not publish" in refusal.message
            assert 'error="invalid_token"' in refusal.headers["WWW-Authenticate"]
    finally:
        authority.close()


async def test_issuers_are_told_apart_and_one_that_is_down_refuses_only_its_own(
    http: httpx.AsyncClient, authority: Authority
) -> None:
    """Another issuer's signature is none of this one's, though its token says so."""
    other = TestIssuer()
    gate = Gate(http, [settings(authority), IssuerSettings(other.url, "other")])
    assert (await gate(f"Bearer {authority.token()}")).issuer == authority.url
    assert (await gate(other.token().decode())).issuer == other.url
    posing = other.token(iss=authority.url, header={"kid": "ES256-1"}, key=1).decode()
    assert "signature is wrong" in (await gate.refusal(posing)).message
    other.close()
    gate.ahead = 7 * 3600
    late = other.token(exp=gate.now() + 60, iat=gate.now()).decode()
    assert (await gate.refusal(late)).extensions == {"retryable": True}
    gate.ahead = 0
    assert (await gate(f"Bearer {authority.token()}")).issuer == authority.url


async def test_the_outermost_actor_is_the_official_and_the_chain_is_kept(gate: Gate, authority: Authority) -> None:
    requester = await gate(f"Bearer {authority.token()}")
    assert (requester.official, requester.actors) == ("m.ivanova", ("portal",))
    assert (await gate(f"Bearer {authority.token('tax-service')}")).actors == ()


@pytest.fixture(scope="module")
def inside() -> Iterator[World]:
    with worlds.opened() as opened:
        opened.registries.known[CASE] = KNOWN
        yield opened


def inquire(inside: World, token: Requester) -> worlds.Reply:
    """The inquiry of a requester whose token narrows and delegates as this one does."""
    who = inside.requester("market-regulator", official=token.official)
    who = msgspec.structs.replace(who, narrowing=token.narrowing, actors=token.actors, acr=token.acr)
    return inside.ask(Ask(who, QUERY, {"id": {"scheme": "LEI", "value": LEI}}))


@pytest.mark.parametrize(
    ("detail", "opened"),
    [
        ({}, {"organisation-register", "business-licences", "tax-arrears"}),
        ({"purpose": "TENDER_QUALIFICATION"}, {"organisation-register", "business-licences", "tax-arrears"}),
        ({"purpose": "LICENCE_RENEWAL"}, set()),
        ({"case": CASE}, {"organisation-register", "business-licences", "tax-arrears"}),
        ({"case": "C-2"}, set()),
        ({"datasets": ["tax-arrears"]}, {"tax-arrears"}),
        ({"datasets": []}, set()),
        ({"identifier": f"LEI:{LEI}"}, {"organisation-register", "business-licences", "tax-arrears"}),
        ({"identifier": f"LEI:{OTHER_LEI}"}, set()),
        ({"datasets": ["tax-arrears"], "case": "C-2"}, set()),
    ],
)
def test_each_member_of_authorization_details_narrows_what_departments_are_asked_for(
    inside: World, authority: Authority, detail: dict[str, Any], opened: set[str]
) -> None:
    async def token() -> Requester:
        async with httpx.AsyncClient() as http:
            details = [{"type": "subject-inquiry", **detail}]
            return await Gate(http, [settings(authority)])(f"Bearer {authority.token(details=details)}")

    reply = inquire(inside, asyncio.run(token()))
    asked = {part.dataset for requests in reply.asked.values() for request in requests for part in request.datasets}
    assert asked == opened
    reasons = {error["extensions"]["reason"] for error in reply.denials}
    assert reasons == (set() if len(opened) == 3 else {"TOKEN_NARROWED"})
    assert reply.entries[-1].oversight.actors == ("portal",)
    assert reply.entries[-1].oversight.official == "m.ivanova"


def test_a_purpose_that_demands_a_class_denies_a_token_without_it(authority: Authority, tmp_path: Path) -> None:
    """RFC 9470's class, by the contract's denial; `market-regulator`'s tokens have `acr` loa-3."""

    async def token() -> Requester:
        async with httpx.AsyncClient() as http:
            return await Gate(http, [settings(authority)])(f"Bearer {authority.token()}")

    requester = asyncio.run(token())
    for demanded, reasons in (("loa-3", set()), ("loa-4", {"STEP_UP_REQUIRED"})):
        policies = tmp_path / demanded
        shutil.copytree("policies", policies)
        file = policies / "purposes.yaml"
        text = file.read_text("utf-8")
        head = "TENDER_QUALIFICATION:\n"
        assert head in text
        file.write_text(text.replace(head, f"{head}  step_up: {demanded}\n", 1), "utf-8")
        with worlds.opened(rules=worlds.rule_set(str(policies))) as world:
            world.registries.known[CASE] = KNOWN
            reply = inquire(world, requester)
            assert {error["extensions"]["reason"] for error in reply.denials} == reasons
            assert bool(reply.asked) == (not reasons)
