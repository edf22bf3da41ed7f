"""Signing in: an ID token counts where all of it is right, and a code with what the same browser was given."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt

from gateway.config.oauth import IssuerSettings, LoginSettings
from gateway.console.login import WITHIN, Begun, NotSignedIn, SignIn
from gateway.console.sessions import FRESH
from gateway.identity.issuers import Issuer, new_client
from tests.configured import secret
from tests.inquiry.issuer import TestIssuer

AUDIENCE, RETURNS = "https://gateway.example", "https://gateway.example/login/return"


@pytest.fixture
def issuer() -> Iterator[TestIssuer]:
    served = TestIssuer()
    # Where it answers with what a test says is taken for its token endpoint.
    served.metadata = {
        "authorization_endpoint": f"{served.url}/authorize",
        "token_endpoint": f"{served.url}/introspect",
    }
    yield served
    served.close()


class Now:
    at = time.time()

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def told() -> list[tuple[str, str | None]]:
    """What the operator hears."""
    return []


@pytest.fixture
async def sign_in(
    issuer: TestIssuer, tmp_path: Path, now: Now, told: list[tuple[str, str | None]]
) -> AsyncIterator[SignIn]:
    settings = LoginSettings(
        issuer.url, "portal", secret(tmp_path / "login.secret", "s3cret\n"), "citizens", "Citizens", ("self",)
    )
    async with new_client() as client:
        client.timeout = 20.0  # type: ignore[assignment]
        served = Issuer(IssuerSettings(issuer.url, "login"), lambda: client, now)
        yield SignIn(settings, served, AUDIENCE, RETURNS, now, lambda name, why: told.append((name, why)))


def answering(
    issuer: TestIssuer, begun: Begun, change: Callable[[dict[str, Any]], object] = lambda claims: None, **more: Any
) -> list[dict[str, list[str]]]:
    """Have the issuer answer to a code; gives the forms that it gets."""
    forms: list[dict[str, list[str]]] = []
    claims: dict[str, Any] = {
        "iss": issuer.url, "aud": "portal", "sub": "person-1", "name": "Runa", "nonce": begun.nonce,
        "iat": int(Now.at), "exp": int(Now.at) + 60, "auth_time": int(Now.at),
    }  # fmt: skip
    change(claims)
    key = issuer.keys[1]
    header = {"alg": "ES256", "kid": "ec"}
    signed = jwt.encode(header, {name: value for name, value in claims.items() if value is not None}, key)

    def answer(form: bytes) -> dict[str, Any]:
        forms.append(parse_qs(form.decode()))
        return {"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": signed, **more}

    issuer.introspected = answer
    return forms


async def test_who_comes_back_is_signed_in(sign_in: SignIn, issuer: TestIssuer) -> None:
    place, begun = await sign_in.begin("/my/", "runa", fresh=False)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
    assert place.startswith(f"{issuer.url}/authorize?")
    assert asked == {
        "response_type": "code", "client_id": "portal", "redirect_uri": RETURNS, "scope": "openid self",
        "state": begun.state, "nonce": begun.nonce, "code_challenge": create_s256_code_challenge(begun.verifier),
        "code_challenge_method": "S256", "resource": AUDIENCE, "login_hint": "runa",
    }  # fmt: skip
    forms = answering(issuer, begun, scope="openid self")
    session = await sign_in.finish(begun, {"state": begun.state, "code": "c", "iss": issuer.url})
    assert (session.subject, session.name, session.token) == ("person-1", "Runa", "at")
    assert session.roles == ("self",)
    (form,) = forms
    assert form["code_verifier"] == [begun.verifier]
    assert form["redirect_uri"] == [RETURNS]


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"}, {"aud": "other"}, {"aud": None}, {"nonce": "other"}, {"nonce": None},
        {"exp": 1}, {"exp": None}, {"sub": None}, {"azp": "other"}, {"iat": None}, {"auth_time": "now"}, {"sub": 5},
    ],
    ids=str,
)  # fmt: skip
async def test_an_id_token_that_is_not_right_counts_for_nothing(
    sign_in: SignIn, issuer: TestIssuer, told: list[tuple[str, str | None]], change: dict[str, Any]
) -> None:
    """The operator hears which claim it is, and no value."""
    _, begun = await sign_in.begin("/my/", None, fresh=False)
    answering(issuer, begun, lambda claims: claims.update(change))
    with pytest.raises(NotSignedIn, match="unfit"):
        await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    ((name, why),) = told
    (claim, value), *_ = change.items()
    assert name == "citizens"
    assert why is not None
    assert f"`{claim}` of the ID token" in why or value == 5, why
    assert "person-1" not in why
    answering(issuer, begun)
    await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    assert told[1:] == [("citizens", None)]


@pytest.mark.parametrize(
    "more",
    [{"id_token": "x.y.z"}, {"id_token": "eyJhbGciOiJub25lIn0.e30."}, {"token_type": "DPoP"}, {"access_token": None}],
    ids=str,
)
async def test_an_answer_that_is_not_right_counts_for_nothing(
    sign_in: SignIn, issuer: TestIssuer, told: list[tuple[str, str | None]], more: dict[str, Any]
) -> None:
    _, begun = await sign_in.begin("/my/", None, fresh=False)
    answering(issuer, begun, **more)
    with pytest.raises(NotSignedIn, match="unfit"):
        await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    ((_, why),) = told
    assert why is not None
    assert "ID token" in why if "id_token" in more else "answer to a code" in why, why


async def test_what_comes_back_otherwise_is_not_asked_about(sign_in: SignIn, issuer: TestIssuer, now: Now) -> None:
    _, begun = await sign_in.begin("/my/", None, fresh=False)
    forms = answering(issuer, begun)
    good = {"state": begun.state, "code": "c"}
    for given, why in (
        ({**good, "state": "x"}, "stale"), ({"code": "c"}, "stale"), ({**good, "iss": "https://evil.example"}, "unfit"),
        ({**good, "error": "access_denied"}, "refused"), ({"state": begun.state}, "refused"),
    ):  # fmt: skip
        with pytest.raises(NotSignedIn, match=why):
            await sign_in.finish(begun, given)
    now.at += WITHIN + 1
    with pytest.raises(NotSignedIn, match="stale"):
        await sign_in.finish(begun, good)
    assert forms == []


async def test_who_comes_back_without_the_name_that_their_issuer_promises_is_not_signed_in(
    sign_in: SignIn, issuer: TestIssuer
) -> None:
    """RFC 9207, 2.4: else a code of one issuer could be taken to another."""
    issuer.metadata["authorization_response_iss_parameter_supported"] = True
    _, begun = await sign_in.begin("/my/", None, fresh=False)
    forms = answering(issuer, begun)
    for given in ({"code": "c"}, {"error": "access_denied"}):
        with pytest.raises(NotSignedIn, match="unfit"):
            await sign_in.finish(begun, {"state": begun.state, **given})
    assert forms == []
    good = {"state": begun.state, "code": "c", "iss": issuer.url}
    assert (await sign_in.finish(begun, good)).subject == "person-1"


async def test_a_code_that_the_issuer_refuses_is_stale_and_the_issuer_is_not_called_out_of_reach(
    sign_in: SignIn, issuer: TestIssuer
) -> None:
    _, begun = await sign_in.begin("/my/", None, fresh=False)
    issuer.answer = (400, {}, b'{"error": "invalid_grant"}')
    with pytest.raises(NotSignedIn, match="stale"):
        await sign_in.finish(begun, {"state": begun.state, "code": "used before"})
    issuer.answer = (401, {}, b'{"error": "invalid_client"}')
    with pytest.raises(NotSignedIn, match="unreachable"):
        await sign_in.finish(begun, {"state": begun.state, "code": "c"})


async def test_an_issuer_out_of_reach_is_told_as_that(sign_in: SignIn, issuer: TestIssuer) -> None:
    issuer.answer = (500, {}, b"")
    with pytest.raises(NotSignedIn, match="unreachable"):
        await sign_in.begin("/my/", None, fresh=False)


async def test_who_has_to_show_it_again_did_so_just_now(sign_in: SignIn, issuer: TestIssuer, now: Now) -> None:
    place, begun = await sign_in.begin("/my/", None, fresh=True)
    asked = parse_qs(urlsplit(place).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], [str(FRESH)])
    answering(issuer, begun, lambda claims: claims.update(auth_time=int(now.at) - FRESH - 5))
    with pytest.raises(NotSignedIn, match="unfit"):
        await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    answering(issuer, begun, lambda claims: claims.update(auth_time=None))
    with pytest.raises(NotSignedIn, match="unfit"):
        await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    answering(issuer, begun)
    session = await sign_in.finish(begun, {"state": begun.state, "code": "c"})
    assert session.fresh(now.at)
    assert not session.fresh(now.at + FRESH + 1)
