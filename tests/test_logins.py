"""`oauth.login`: one way to sign in, or a list, each through an issuer that counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.oauth import PEOPLE, LoginSettings
from gateway.config.settings import load
from gateway.errors import ConfigurationError
from tests.configured import URL, secret, write

ISSUER = "http://127.0.0.1:9"
ONE: dict[str, Any] = {"issuer": ISSUER, "client_id": "portal", "client_secret_file": "login.secret"}


def logins(folder: Path, login: object) -> tuple[LoginSettings, ...]:
    secret(folder / "login.secret", "s3cret")
    issuers = [{"issuer": ISSUER, "name": "login"}]
    return load(write(folder, oauth={"audience": URL, "issuers": issuers, "login": login}), {}).oauth.login


def test_one_and_several(tmp_path: Path) -> None:
    file = tmp_path / "login.secret"
    portal = LoginSettings(ISSUER, "portal", file, "portal", "portal", PEOPLE)
    assert logins(tmp_path, ONE) == (portal,)
    other = {**ONE, "client_id": "tax-stewards", "name": "tax", "title": "Tax Service", "scopes": ["steward"]}
    assert logins(tmp_path, [ONE, other]) == (
        portal,
        LoginSettings(ISSUER, "tax-stewards", file, "tax", "Tax Service", ("steward",)),
    )


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ([ONE, ONE], "two ways to sign in are called `portal`"),
        ({**ONE, "issuer": "https://other.example"}, "is none of `oauth.issuers`"),
        ({**ONE, "client_secret_file": "none"}, "there is no file `none`"),
        ({**ONE, "client_id": "a b"}, "give it a `name`"),
        ({**ONE, "name": "a/b"}, "must be a short name"),
        ({**ONE, "scopes": ["inquire"]}, "unknown `inquire`"),
        ({**ONE, "more": 1}, "more"),
    ],
)
def test_what_will_not_do(tmp_path: Path, login: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        logins(tmp_path, login)
    assert any(told in str(problem) for problem in caught.value.problems), caught.value.problems
