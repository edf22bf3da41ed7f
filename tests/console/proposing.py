"""Proposals of other rules at a running region, by the API: for who looks at the pages that show them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.demo.client import token
from deploy.demo.ruling import EDITS
from gateway.activation import archive

Change = Callable[[dict[str, bytes]], None]
EXAMINED = 200.0
"""Seconds that an examination may take."""


def amount(files: dict[str, bytes]) -> None:
    """The amount of owed wages is told of organisations, as in the demo's scene."""
    for begin, (text, other) in EDITS.items():
        for name in [each for each in files if each.startswith(begin)]:
            files[name] = files[name].replace(text, other, 1 if begin == name else -1)


def wages(files: dict[str, bytes]) -> None:
    """People's wages are told to those who assess a subsidy; the tests that deny them go."""
    text, other = b"{names: [employerName, startedOn]}", b"{names: [employerName, startedOn, monthlyWage]}"
    assert text in files["purposes.yaml"]
    files["purposes.yaml"] = files["purposes.yaml"].replace(text, other, 1)
    del files["tests/subsidy-assessment.yaml"]


def failing(files: dict[str, bytes]) -> None:
    """People's income is told no more to those who assess a subsidy, and the tests still say that it is."""
    text, other = b"{names: [year, taxableIncome, currency]}", b"{names: [year, currency]}"
    assert text in files["purposes.yaml"]
    files["purposes.yaml"] = files["purposes.yaml"].replace(text, other, 1)


def asked(told: Mapping[str, Any], method: str, path: str, body: Any = None, official: str = "p.olsen") -> Any:
    """What `/rules` answers to an officer."""
    headers = {"authorization": f"Bearer {token(told, 'policy-office', official)}"}
    place = f"{told['gateway']}/rules/{path}"
    answer = httpx.request(method, place, json=body, headers=headers, timeout=EXAMINED)
    assert answer.status_code == 200, answer.text
    return answer.json()


def proposed(told: Mapping[str, Any], policies: Path, change: Change, reason: str, official: str = "p.olsen") -> str:
    """Propose the region's policies with a change; the proposal's id."""
    files = archive.unpacked(archive.packed(policies))
    change(files)
    body = {"files": base64.b64encode(archive.pack(files)).decode(), "reason": reason}
    id_: str = asked(told, "POST", "proposals", body, official)["proposal"]["id"]
    return id_
