"""The invented world of the bench: policies, sources, an issuer's keys, tokens and bodies, written at run time.

One purpose without a case, twenty clients with a grant for it and ten tokens each, and one client without a grant.
Every dataset is adverse, with a display period and a source document, so that each restraint has something to check.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests import configured
from tests.bench import data
from tests.bench.processes import ROOT

PURPOSE = "BENCH_CHECK"
AUDIENCE = "http://127.0.0.1/bench"
CLIENTS = 20
TOKENS = 200
STRANGER = "bench-stranger"
DIRECTIVE = f"@inquiry(purpose: {PURPOSE})"
BASIS = '[{law: Bench Act, article: "1"}]'


def client(index: int) -> str:
    """The client id of the index-th token."""
    return f"bench-{index % CLIENTS:02d}"


class Issuer:
    """The authorization server's key. `jwks` is served by the departments' process."""

    def __init__(self, folder: Path) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "bench", "use": "sig", "alg": "RS256"})
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps(KeySet([self.key]).as_dict(private=False)))

    def token(self, issuer: str, client_id: str, scope: str = "inquire", **more: Any) -> str:
        """An access token (RFC 9068) that no other equals, with more claims where they are given."""
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": client_id,
            "client_id": client_id,
            "scope": scope,
            "iat": now,
            "exp": now + 7200,
            "jti": uuid.uuid4().hex,
            **more,
        }
        return jwt.encode({"alg": "RS256", "kid": "bench", "typ": "at+jwt"}, claims, self.key)


def _catalogue(department: str) -> str:
    fields = "\n".join(f"      {name}: {{type: {kind}, title: Bench {name}}}" for name, kind in data.FIELDS.items())
    return f"""department: {department}
title: Department {department}
datasets:
  {data.dataset(department)}:
    title: Notices of {department}
    status: published
    subjects: [organisation]
    information: public
    disclosure: shared
    nature: adverse
    basis: {BASIS}
    display: {{min: P3M, max: P3Y, from: effective}}
    restorable: true
    fields:
{fields}
"""


def _source(department: str, url: str) -> str:
    fields = "\n".join(f"          {name}: {path}" for name, path in data.SOURCE_FIELDS.items())
    return f"""  {department}:
    kind: rest
    base_url: {url}
    limits: {{timeout: 5s, concurrency: 64, max_bytes: 1MiB}}
    datasets:
      {data.dataset(department)}:
        path: /subjects/{{scheme}}/{{value}}/notices
        records: items
        record:
          id: noticeNo
          version: rev
          document: decisionNo
          effective: issuedOn
          subject: {{scheme: idType, value: idNo}}
        fields:
{fields}
"""


def _purposes() -> str:
    names = ", ".join(data.FIELDS)
    fields = "\n".join(
        f"    {data.dataset(department)}: {{names: [{names}], because: The bench measures it., basis: {BASIS}}}"
        for department in data.DEPARTMENTS
    )
    return f"""{PURPOSE}:
  title: Measuring what an inquiry costs
  articles: ["19"]
  basis: {BASIS}
  dpv: dpv:LegalCompliance
  subjects: [organisation]
  frequency: {{max: 1000000, per: P1D}}
  quotas: {{official: {{hour: 1000000, day: 1000000}}, requester: {{hour: 1000000, day: 1000000}}}}
  delete_after: P90D
  fields:
{fields}
"""


def _requesters() -> str:
    datasets = ", ".join(data.dataset(department) for department in data.DEPARTMENTS)
    grant = f"""
      - purpose: {PURPOSE}
        datasets: [{datasets}]
        from: 2026-01-01
        until: 2099-12-31
        agreed_by: The bench"""
    listed = "\n".join(
        f"""  - issuer: login
    client: {name}
    title: Bench client {name}
    department: alpha
    roles: [department]
    grants:{grant if name != STRANGER else " []"}"""
        for name in [*(client(index) for index in range(CLIENTS)), STRANGER]
    )
    return f"roles:\n  department: A department in its own administrative duties\nrequesters:\n{listed}\n"


RULE = f"""@id("bench-check")
@article("22(1)")
@basis("Bench Act, article 1")
@advice("{{purpose}} is open to departments, for public information.")
permit (principal, action == Action::"{PURPOSE}", resource)
when {{
  principal.roles.contains(Role::"department") &&
  resource.information == Information::"public"
}};
"""


def write(folder: Path, urls: dict[str, str], issuer: str, port: int, **settings: Any) -> Path:
    """Write a gateway's whole configuration below `folder`; gives its `gateway.yaml`, with what is set otherwise."""
    policies = folder / "policies"
    (policies / "catalogue").mkdir(parents=True, exist_ok=True)
    (policies / "rules").mkdir(exist_ok=True)
    for department in data.DEPARTMENTS:
        (policies / "catalogue" / f"{department}.yaml").write_text(_catalogue(department))
    (policies / "identifiers.yaml").write_text(
        "LEI:\n  title: Legal Entity Identifier\n  subjects: [organisation]\n  module: stdnum.lei\n"
    )
    (policies / "calendar.yaml").write_text("time_zone: UTC\n")
    (policies / "purposes.yaml").write_text(_purposes())
    (policies / "requesters.yaml").write_text(_requesters())
    for shipped in (ROOT / "policies" / "rules").glob("*.cedar"):
        if "Action::" not in (text := shipped.read_text()):  # the project's own, for every purpose
            (policies / "rules" / shipped.name).write_text(text)
    (policies / "rules" / "bench-check.cedar").write_text(RULE)
    sources = "departments:\n" + "".join(_source(name, urls[name]) for name in data.DEPARTMENTS)
    (folder / "sources.yaml").write_text(sources)
    key = folder / "ledger.key"
    key.touch(0o600)
    key.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    url = f"http://127.0.0.1:{port}"
    oauth = {"audience": AUDIENCE, "issuers": [{"issuer": issuer, "name": "login"}]}
    usual = {"listen": f"127.0.0.1:{port}", "public_url": url, "oauth": oauth}
    ledger = {"origin": "bench.example/ledger", **settings.pop("ledger", {})}
    return configured.write(folder, **{**usual, "ledger": ledger, **settings})


def bodies(file: Path, group: data.Group, directive: str = "", alias: str = "") -> Path:
    """Write one request body per line, each for one subject."""
    document = data.document(group, directive, alias)
    lines = (
        json.dumps({"query": document, "variables": {"id": {"scheme": "LEI", "value": subject}}})
        for subject in data.subjects(group)
    )
    file.write_text("\n".join(lines))
    return file


def tokens(file: Path, issuer: Issuer, url: str, *, stranger: bool = False) -> Path:
    """Write the tokens, a line each."""
    names = [STRANGER if stranger else client(index) for index in range(TOKENS)]
    file.write_text("\n".join(issuer.token(url, name) for name in names))
    return file
