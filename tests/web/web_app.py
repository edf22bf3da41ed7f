"""The routes as a server runs them, over a small catalogue. `WEB_DOWN` names a file that says what is out of reach."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette

from connectors.base import FieldType
from gateway.catalogue.model import Basis, Catalogue, Dataset, Display, Field, IdentifierScheme, Period, Status
from gateway.inquiry.http.request import refused_at_once
from gateway.telemetry.log import Log
from gateway.texts import words
from gateway.texts.words import Words
from gateway.web.health import Readiness
from gateway.web.open.opened import History, Open
from gateway.web.routes import routes
from gateway.web.start import start_route


def dataset(id: str, title: str, status: Status, display: Display | None) -> Dataset:
    """One of the departments' datasets."""
    return Dataset(
        id=id,
        department="tax",
        department_title="Tax Service",
        title=title,
        status=status,
        subjects=("organisation",),
        information="public",
        disclosure="shared",
        nature="adverse" if display else "neutral",
        category="tax",
        basis=(Basis("Tax Collection Act", "45" if display else None),),
        display=display,
        restorable=True,
        shape="list",
        fields={"amount": Field("amount", FieldType.DECIMAL, "Amount due")},
    )


DISPLAY = Display(Period("P3M", 3, 0), Period("P3Y", 36, 0))
CATALOGUE = Catalogue(
    datasets={
        "tax-arrears": dataset("tax-arrears", "Notices of tax <arrears>", Status.PUBLISHED, DISPLAY),
        "organisation-register": dataset("organisation-register", "Register", Status.PUBLISHED, None),
        "market-inspections": dataset("market-inspections", "Inspections", Status.DRAFT, None),
    },
    schemes={"LEI": IdentifierScheme("LEI", "Legal Entity Identifier", ("organisation",), str)},
    departments={"tax": "Tax Service", "empty": "Nobody"},
    digest="abc123",
)


WORDS = Words(words.read())


def _down() -> str:
    file = Path(os.environ["WEB_DOWN"])
    return file.read_text() if file.exists() else ""


async def ledger() -> bool:
    """Whether the ledger is in reach, as the file says."""
    down = _down()
    if down == "error":
        raise RuntimeError("lost while reading 5299000J2N45DDNE4Y28")
    return down != "ledger"


async def opened() -> Open:
    """What the open catalogue shows."""
    return Open(CATALOGUE, {}, History((), 0))


app = Starlette(
    routes=[
        *routes(
            public_url="https://gateway.example",
            issuers=["https://login.example"],
            catalogue=lambda: CATALOGUE,
            opened=opened,
            readiness=Readiness({"ledger": ledger, "rules": lambda: True}, Log().check_failed),
            refuse=refused_at_once,
            words=WORDS,
        ),
        start_route(WORDS),
    ]
)
