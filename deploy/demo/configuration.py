"""Where everything of a running demo is: ports, folders, and the gateway's files with these filled in."""

from __future__ import annotations

import base64
import datetime
import json
import secrets
import shutil
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from deploy.demo.clients import CLIENTS
from deploy.demo.processes import ROOT, Ports
from gateway.documents import read
from gateway.errors import Problem
from gateway.ledger.proof import key_files

USUAL: Mapping[str, int] = {
    "gateway": 8080,
    "issuer": 8081,
    "market": 8082,
    "tax": 8083,
    "courts": 8084,
    "environment": 8085,
    "labour": 8086,
    "registry_market": 8087,
    "registry_courts": 8088,
    "portal": 8089,
    "manage": 9464,
}
"""The ports of a demo that finds them free."""

SIGNING = "notices.secret"
"""The file, beside the requesters, whose secret signs what clients are told."""

DEPARTMENTS: Mapping[str, tuple[str, str]] = {
    "market": ("rest", "http://127.0.0.1:{port}/api"),
    "tax": ("sql", "postgresql://gateway@127.0.0.1:{port}/tax"),
    "courts": ("graphql", "http://127.0.0.1:{port}/graphql"),
    "environment": ("rest", "http://127.0.0.1:{port}/v2"),
    "labour": ("sql", "postgresql://gateway@127.0.0.1:{port}/labour"),
}
"""Kind and address of each department's server."""


class Place(NamedTuple):
    """One demo's files and ports. `var` holds what outlives it."""

    var: Path
    ports: Mapping[str, int]

    @property
    def data(self) -> Path:
        """The departments' stores, kept for the day."""
        return self.var / "demo" / "data"

    @property
    def run(self) -> Path:
        """This run's own files: configuration, store, key, logs."""
        return self.var / "demo" / "run"

    @property
    def told(self) -> Path:
        """What a running demo tells."""
        return self.var / "demo.json"

    @property
    def policies(self) -> Path:
        """The shipped policies, and where this run's clients are told of what waits."""
        return self.run / "policies"

    @property
    def public_key(self) -> Path:
        """The verifier key of the ledger's shard."""
        return self.var / "ledger.pub"

    @property
    def store(self) -> Path:
        """The gateway's store."""
        return self.run / "gateway.db"

    @property
    def config(self) -> Path:
        """The gateway's configuration."""
        return self.run / "gateway.yaml"

    def url(self, server: str) -> str:
        """The loopback address of one server."""
        return f"http://127.0.0.1:{self.ports[server]}"


FREE: Mapping[str, int] = dict.fromkeys(USUAL, 0)
"""Any ports, for demos and tests beside each other."""


def choose_ports(ports: Ports, usual: Mapping[str, int]) -> dict[str, int]:
    """A port for every server: the usual one where it is free."""
    return {server: ports.take(port) for server, port in usual.items()}


def today() -> datetime.date:
    """The day in the time zone that the policies count days in."""
    problems: list[Problem] = []
    node = read(ROOT / "policies" / "calendar.yaml", problems)
    zone = node.mapping(any_key=True)["time_zone"].text() if node is not None else "UTC"
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date()


def write(place: Place) -> dict[str, str]:
    """Write `gateway.yaml`, `sources.yaml` and the clients' new secrets; gives the secrets by client id."""
    values = {server: str(port) for server, port in place.ports.items()}
    _policies(place)
    for name in ("gateway.yaml", "sources.yaml"):
        template = Template((Path(__file__).parent / name).read_text())
        (place.run / name).write_text(template.substitute(values))
    key_files.generate(place.run / "webhooks.key")
    made = {client: secrets.token_urlsafe(18) for client in CLIENTS}
    file = place.run / "clients.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(made))
    return made


def _policies(place: Place) -> None:
    """The shipped policies, with where this run's clients are told that something waits for them."""
    shutil.copytree(ROOT / "policies", place.policies)
    file = place.policies / "requesters.yaml"
    text = file.read_text()
    for client, key in {
        "citizen-portal": f'notices: {{url: "{place.url("portal")}/notices", secret_file: {SIGNING}}}'
    }.items():
        line = f"    client: {client}\n"
        text = text.replace(line, f"{line}    {key}\n")
    file.write_text(text)
    signing = place.policies / SIGNING
    signing.touch(mode=0o600)
    signing.write_text(f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}\n")
