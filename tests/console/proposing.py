"""Proposals of other rules at a running region, by the API: for who looks at the pages that show them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.demo.client import token
from deploy.demo.ruling import EDITS
from gateway.activation import archive
from tests.rules.policies import FEW

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
    """Propose the region's policies with a change, and with few of their tests; the proposal's id."""
    files = archive.unpacked(archive.packed(policies))
    files = {name: each for name, each in files.items() if not name.startswith("tests/") or Path(name).name in FEW}
    change(files)
    body = {"files": base64.b64encode(archive.pack(files)).decode(), "reason": reason}
    id_: str = asked(told, "POST", "proposals", body, official)["proposal"]["id"]
    return id_


def closing(files: dict[str, bytes]) -> None:
    """Each purpose keeps the first field of a kind of record, so that nearly everything closes; the tests go."""
    files["purposes.yaml"] = re.sub(rb"names: \[(\w+),[^]]*\]", rb"names: [\1]", files["purposes.yaml"])
    for name in [each for each in files if each.startswith("tests/")]:
        del files[name]


def signed(keys: Mapping[str, Ed25519PrivateKey]) -> Change:
    """Approvals are signed, with these officers' keys."""

    def change(files: dict[str, bytes]) -> None:
        lines = ["approvals: signed", "officers:"]
        for name, key in keys.items():
            public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
            lines.append(f"  {name}: {{issuer: login, sub: p.{name}, key: {public}}}")
        files["officers.yaml"] = "\n".join([*lines, ""]).encode()

    return change


def approved(told: Mapping[str, Any], id_: str, *officials: str) -> None:
    """Have officers approve a proposal, and the first of them activate it."""
    it = asked(told, "GET", f"proposals/{id_}")
    given = {"digest": it["digest"], "base": it["base"], "until": it["you"]["until"], "reason": "As in the Act."}
    for official in officials:
        asked(told, "POST", f"proposals/{id_}/approve", given, official)
    asked(told, "POST", f"proposals/{id_}/activate", {}, officials[0])


def served(told: Mapping[str, Any]) -> bool:
    """Whether every process goes by what is active."""
    status = asked(told, "GET", "status")
    return all(each["digest"] == status["active"]["digest"] and each["serves"] for each in status["replicas"])
