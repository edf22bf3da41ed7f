"""A department over REST: its configuration, a row of it, and where that is."""

from __future__ import annotations

from typing import Any

from connectors.base import Subject
from tests.connectors.asking import ACME

RECORD = {
    "id": "noticeNo",
    "version": "rev",
    "document": "decisionNo",
    "effective": "issuedOn",
    "subject": {"scheme": "idType", "value": "idNo"},
}
ARREARS: dict[str, Any] = {
    "path": "/subjects/{scheme}/{value}/arrears",
    "records": "items",
    "record": RECORD,
    "fields": {"period": "taxPeriod", "amount": "amt.total", "secret": "innerNote"},
}
AWARDS: dict[str, Any] = {
    "path": "/awards/{value}", "records": "items", "record": RECORD, "fields": {"title": "name"},
}  # fmt: skip
BATCH = {"batch": {"path": "/arrears?type={scheme}&ids={values}", "max": 2}}


def config(url: str, arrears: Any = None, awards: Any = None, **limits: Any) -> dict[str, Any]:
    return {
        "kind": "rest",
        "base_url": url,
        "limits": {"retries": 0, **limits},
        "datasets": {"arrears": {**ARREARS, **(arrears or {})}, "awards": {**AWARDS, **(awards or {})}},
    }


def row(number: int = 1, subject: Subject = ACME, **more: Any) -> dict[str, Any]:
    return {
        "noticeNo": f"N-{number}",
        "rev": "1",
        "decisionNo": "D",
        "issuedOn": "2026-01-01",
        "idType": subject.scheme,
        "idNo": subject.value,
        "taxPeriod": f"2025-{number}",
        "amt": {"total": "10.50", "currency": "EUR"},
        "innerNote": "never to be seen",
        "name": "Prize",
        **more,
    }


def path(subject: Subject = ACME) -> str:
    return f"/subjects/{subject.scheme}/{subject.value}/arrears"


def arrears(**changes: Any) -> dict[str, Any]:
    return {"arrears": {**ARREARS, **changes}}
