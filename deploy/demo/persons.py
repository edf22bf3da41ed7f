"""Who can sign in at the demo's authorization server, with one click each: the region's people, by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deploy.demo.clients import CLIENTS
from deploy.demo.region import NAMED

_TITLES = {
    "market": "Market Regulation Authority",
    "tax": "Tax Service",
    "courts": "Civil Court",
    "environment": "Environment Agency",
    "labour": "Labour Office",
}


class Person(NamedTuple):
    """Somebody who signs in through one client. A subject has an identifier, for whose records they sign in."""

    id: str
    name: str
    client: str
    scope: str
    role: str
    identifier: tuple[str, str] | None = None

    @property
    def home(self) -> str:
        """The page of the gateway that is theirs."""
        return "/my/" if self.identifier else "/console/"


def _officials(client: str, scope: str, role: str) -> list[Person]:
    return [
        Person(name, f"{name[0].upper()}. {name[2:].title()}", client, scope, role)
        for name in CLIENTS[client].officials
    ]


def _subjects() -> list[Person]:
    with_consent, without = NAMED["person_with_consent"].who, NAMED["person_without_consent"].who
    ordinary = NAMED["ordinary"].who
    return [
        Person("subject", with_consent.name, "citizen-portal", "self", "A person", with_consent.identifier),
        Person("other-subject", without.name, "citizen-portal", "self", "Another person", without.identifier),
        Person(
            "representative", f"For {ordinary.name}", "citizen-portal", "self",
            "Somebody who acts for an organisation", ordinary.identifier,
        ),
    ]  # fmt: skip


PERSONS: Mapping[str, Person] = {
    each.id: each
    for each in [
        *_subjects(),
        *(
            each
            for department, title in _TITLES.items()
            for each in _officials(f"{department}-stewards", "steward", f"Data steward, {title}")
        ),
        *_officials("policy-office", "officer", "Policy officer"),
        *_officials("oversight", "oversight", "Oversight"),
        *_officials("market-regulator", "receipts", "Asks for the Market Regulation Authority"),
    ]
}
"""By what stands in `login_hint`."""

ROLES: Mapping[str, str] = {
    "subject": "subject",
    "other-subject": "other-subject",
    "organisation": "representative",
    "steward": "t.weber",
    "second-steward": "t.nowak",
    "labour-steward": "l.horvat",
    "officer": "p.olsen",
    "second-officer": "p.costa",
    "third-officer": "p.ilves",
    "oversight": "o.keller",
    "second-oversight": "o.marin",
    "requester": "m.ivanova",
}
"""Of each role that a script can have signed in, the person."""


def login_as(issuer: str) -> dict[str, str]:
    """Of each role the address that signs it in with one click."""
    return {role: f"{issuer}/as/{person}" for role, person in ROLES.items()}
