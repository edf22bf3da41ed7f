"""The client systems that the demo's authorization server knows, and the cases in the two registries.

Requesters, grants and registries are policy and stand in `policies/requesters.yaml`. Here is what an authorization
server holds of the same clients: who may act on whose behalf, and which scopes each may ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from deploy.demo.organisations import organisation
from deploy.demo.region import NAMED
from deploy.demo.values import DATASETS

_ASKS = ("inquire", *(f"inquire:{dataset}" for dataset in DATASETS), "recalls")
_STEWARDS: Mapping[str, tuple[str, ...]] = {
    "market": ("m.petrov", "m.dubois"),
    "tax": ("t.weber", "t.nowak"),
    "courts": ("c.santos", "c.berg"),
    "environment": ("e.rossi", "e.virtanen"),
    "labour": ("l.horvat", "l.jansen"),
}
"""Of each department, those who answer for its records, at their desks (`steward`) and at its counter (`counter`)."""


class Client(NamedTuple):
    """One registered client. `purposes` are those it has a grant in force for; `algorithm` signs its tokens."""

    department: str
    roles: tuple[str, ...]
    purposes: tuple[str, ...]
    scopes: tuple[str, ...]
    officials: tuple[str, ...]
    algorithm: str = "ES256"


CLIENTS: Mapping[str, Client] = {
    "market-regulator": Client(
        "market",
        ("department",),
        ("TENDER_QUALIFICATION", "LICENCE_RENEWAL"),
        (*_ASKS, "receipts"),
        ("m.ivanova", "p.sorel"),
    ),
    "environment-agency": Client("environment", ("department",), ("LICENCE_RENEWAL",), _ASKS, ("e.lind",)),
    "labour-office": Client("labour", ("department",), ("SUBSIDY_ASSESSMENT",), _ASKS, ("l.moreau",)),
    "tax-service": Client("tax", ("department",), ("SUBSIDY_ASSESSMENT",), (*_ASKS, "steward"), ()),
    "civil-court": Client(
        "courts", ("court",), ("COURT_ENFORCEMENT",), _ASKS, ("j.okafor", "r.haas"), algorithm="RS256"
    ),
    "citizen-portal": Client("portal", ("portal",), ("SUBJECT_ACCESS",), ("self",), ()),
    **{
        f"{department}-stewards": Client(department, ("department",), (), ("steward", "counter"), stewards)
        for department, stewards in _STEWARDS.items()
    },
    "oversight": Client("oversight", ("oversight",), (), ("oversight",), ("o.keller", "o.marin")),
    "policy-office": Client("policy", ("policy",), (), ("officer",), ("p.olsen", "p.costa", "p.ilves")),
}
"""By client id."""

AWAITED: Mapping[str, Client] = {
    "building-inspectors": Client("market", ("department",), ("BUILDING_SAFETY",), ("inquire",), ("i.brandt",)),
}
"""Registered at the authorization server, and in no policies yet: whom the walk of `policies/README.md` adds."""

REGISTERED: Mapping[str, Client] = {**CLIENTS, **AWAITED}


class Case(NamedTuple):
    """One proceeding in a registry, as the registry and `var/demo.json` have it."""

    registry: str
    open: bool
    scheme: str
    value: str
    official: str

    def told(self) -> dict[str, Any]:
        """The form it has in `var/demo.json`."""
        subject = {"scheme": self.scheme, "value": self.value}
        return {"registry": self.registry, "open": self.open, "subject": subject, "official": self.official}


_PREFIX = {"market-regulator": "MR", "civil-court": "CC"}
OTHER = organisation(6)
"""A subject that no case of the named subjects is about."""


def cases() -> dict[str, Case]:
    """Every case, by id: an open one for each named subject, then one for each way in which a case can fail."""
    found: dict[str, Case] = {}
    for client, prefix in _PREFIX.items():
        registry, officials = CLIENTS[client].department, CLIENTS[client].officials
        for number, named in enumerate(NAMED.values(), 1):
            scheme, value = named.who.identifier
            if scheme == "LEI" or client == "civil-court":
                found[f"{prefix}-2026-{number:04d}"] = Case(registry, True, scheme, value, officials[0])
        ordinary, other = NAMED["ordinary"].who.identifier, OTHER.identifier
        found[f"{prefix}-2026-0101"] = Case(registry, False, *ordinary, officials[0])
        found[f"{prefix}-2026-0102"] = Case(registry, True, *ordinary, officials[1])
        found[f"{prefix}-2026-0103"] = Case(registry, True, *other, officials[0])
    inspectors = AWAITED["building-inspectors"]
    found["MR-2026-0201"] = Case(inspectors.department, True, *ordinary, inspectors.officials[0])
    return found
