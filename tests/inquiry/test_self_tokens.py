"""A subject's own token: one human, for one subject, and for nothing else; and when two tokens are one human's."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.oauth import SCOPES
from gateway.errors import Unfit
from gateway.inquiry.beside import claims
from gateway.inquiry.types import Requester

OWN = {"scheme": "PIN", "value": "1234567890"}
NOW = time.time()


def made(person_claim: str | None = None, official_claim: str | None = None, **changes: Any) -> Requester:
    payload = {
        "iss": "i",
        "aud": "a",
        "exp": NOW + 60,
        "iat": NOW,
        "sub": "citizen-7",
        "client_id": "portal",
        **changes,
    }
    terms = claims.Terms("a", person_claim=person_claim, official_claim=official_claim)
    return claims.requester({name: value for name, value in payload.items() if value is not ...}, terms, NOW)[0]


def test_its_sub_is_a_person_and_never_an_official() -> None:
    for more in ({}, {"official_claim": "staff", "staff": "s-1"}, {"act": {"sub": "portal"}}):
        own = made(scope="self", identifier=OWN, **more)
        assert (own.person, own.official, own.identifier) == ("citizen-7", None, ("PIN", "1234567890"))
        assert own.is_subject


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scope": "self inquire"}, "no other of this gateway, and not `inquire`"),
        ({"scope": "self inquire:tax-arrears"}, "not `inquire:tax-arrears`"),
        *(({"scope": f"{other} self"}, f"not `{other}`") for other in SCOPES if other != "self"),
        ({"identifier": ...}, "in `identifier`, Expected `object`"),
        ({"identifier": None}, "in `identifier`, Expected `object`"),
        ({"identifier": "PIN:1234567890"}, "in `identifier`, Expected `object`"),
        ({"identifier": [OWN, OWN]}, "in `identifier`, Expected `object`"),
        ({"identifier": {**OWN, "also": "LEI"}}, "`also`"),
        ({"identifier": {**OWN, "scheme": "pin"}}, "`scheme`"),
        ({"identifier": {**OWN, "scheme": "PIN\n"}}, "`scheme`"),
        ({"identifier": {**OWN, "value": ""}}, "`value`"),
        ({"identifier": {**OWN, "value": "12 34"}}, "`value`"),
        ({"identifier": {**OWN, "value": "1234567890\n"}}, "`value`"),
        ({"identifier": {**OWN, "value": "1" * 65}}, "`value`"),
        ({"identifier": {**OWN, "value": 1234567890}}, "`value`"),
        ({"sub": "portal"}, "must name in `sub` the human"),
        ({"sub": " "}, "person cannot be entered"),
        ({"act": {"sub": "s.teward"}}, "must name no actor"),
        ({"act": {"sub": "portal", "act": {"sub": "employer"}}}, "must name no actor"),
    ],
)
def test_what_is_more_or_less_than_that_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Unfit) as caught:
        made(**{"scope": "self", "identifier": OWN, **changes})
    assert told in caught.value.message


def test_another_apis_scope_beside_it_says_nothing_here() -> None:
    assert made(scope="openid self profile", identifier=OWN).is_subject


@given(
    st.lists(st.sampled_from([*SCOPES, "inquire:tax-arrears", "openid"])),
    st.sampled_from(["citizen-7", "portal"]),
    st.none() | st.sampled_from(["portal", "s.teward"]),
    st.sampled_from([None, OWN, {"scheme": "PIN"}]),
)
def test_none_that_is_taken_opens_anything_else(
    scopes: list[str], sub: str, actor: str | None, identifier: Any
) -> None:
    more = {"act": {"sub": actor}} if actor is not None else {}
    try:
        who = made(scope=" ".join(scopes), sub=sub, identifier=identifier, **more)
    except Unfit:
        return
    if who.is_subject:
        assert who.scopes <= {"self", "openid"}
        assert (who.official, who.person, who.identifier) == (None, "citizen-7", ("PIN", "1234567890"))
    else:
        assert (who.person, who.identifier) == (None, None)


def test_when_a_human_signed_in() -> None:
    assert made().auth_time is None
    assert not made().signed_in(0)
    own = made(scope="self", identifier=OWN, auth_time=NOW - 600)
    assert own.signed_in(NOW - 600)
    assert not own.signed_in(NOW - 599)
    assert made(auth_time=NOW + 4).auth_time == NOW + 4, "the clocks may differ by five seconds"


def test_two_tokens_are_of_one_human_by_the_same_name_at_the_same_issuer() -> None:
    citizen = made(scope="self", identifier=OWN)
    steward, colleague = (made(client_id="stewards", sub=name, scope="steward") for name in ("citizen-7", "other"))
    system = made(client_id="stewards", sub="stewards", scope="steward")
    assert citizen.people & steward.people, "who filed as a citizen decides nothing as a steward"
    assert not citizen.people & colleague.people
    assert not steward.people & made(iss="another", client_id="stewards", scope="steward").people
    assert not system.people, "a system is nobody: it confirms nothing"


def test_an_issuers_person_claim_tells_one_human_with_two_accounts() -> None:
    def who(sub: str, **changes: Any) -> Requester:
        return made("pid", sub=sub, **changes)

    citizen = who("citizen-7", scope="self", identifier=OWN, pid="P1")
    steward = who("s.teward", client_id="stewards", scope="steward", pid="P1")
    again = who("s.teward-2", client_id="stewards", scope="steward", pid="P1")
    colleague = who("c.olleague", client_id="stewards", scope="steward", pid="P2")
    assert (steward.official, steward.person) == ("s.teward", "P1")
    assert citizen.people & steward.people
    assert steward.people & again.people
    assert not steward.people & colleague.people
    assert who("stewards", client_id="stewards", scope="steward").person is None, "a system has none"


@pytest.mark.parametrize("named", [..., None, "", 5, ["P1"], {"id": "P1"}])
@pytest.mark.parametrize("own", [True, False])
def test_where_an_issuer_has_a_person_claim_a_human_without_it_is_refused(own: bool, named: Any) -> None:
    more = {"scope": "self", "identifier": OWN} if own else {"client_id": "stewards", "scope": "steward"}
    with pytest.raises(Unfit, match="`pid` must name the person"):
        made("pid", pid=named, **more)
