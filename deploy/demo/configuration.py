"""Where everything of a running demo is: ports, folders, and the gateway's files with these filled in."""

from __future__ import annotations

import base64
import datetime
import json
import secrets
import shutil
import sys
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from deploy.demo.clients import REGISTERED
from deploy.demo.persons import PERSONS
from deploy.demo.processes import Ports
from gateway.documents import read
from gateway.errors import Problem
from gateway.init import shipped
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
    "recipient_market": 8090,
    "recipient_courts": 8091,
    "recipient_environment": 8092,
    "archives": 8093,
    "manage": 9464,
}
"""The ports of a demo that finds them free."""

SIGNING = "notices.secret"
"""The file, beside the requesters, whose secret signs what clients are told."""

RECIPIENTS: Mapping[str, str] = {
    "market-regulator": "recipient_market",
    "civil-court": "recipient_courts",
    "environment-agency": "recipient_environment",
}
"""Whose systems are told of recalls, and where: by client, the server."""

TERMS: Mapping[str, str] = {"environment-agency": "PT3S"}
"""Who has little time to answer a recall, so that a scene can show what comes of it."""

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
        """What a running demo writes down for scripts."""
        return self.var / "demo.json"

    @property
    def policies(self) -> Path:
        """The shipped policies, and where this run's clients are notified of what waits."""
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
    node = read(shipped.policies() / "calendar.yaml", problems)
    zone = node.mapping(any_key=True)["time_zone"].text() if node is not None else "UTC"
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date()


def write(place: Place) -> dict[str, str]:
    """Write `gateway.yaml`, `sources.yaml` and the clients' new secrets; gives the secrets by client id."""
    made = {client: secrets.token_urlsafe(18) for client in REGISTERED}
    values = {server: str(port) for server, port in place.ports.items()} | {"logins": _logins(place, made)}
    _policies(place)
    for name in ("gateway.yaml", "sources.yaml"):
        template = Template((Path(__file__).parent / name).read_text())
        (place.run / name).write_text(template.substitute(values))
    key_files.generate(place.run / "webhooks.key")
    _private(place.run / "clients.json", json.dumps(made))
    return made


def _logins(place: Place, made: Mapping[str, str]) -> str:
    """How people sign in, as a list of `gateway.yaml`, with a file for each client's secret."""
    folder = place.run / "logins"
    folder.mkdir(mode=0o700)
    found = []
    for client in dict.fromkeys(each.client for each in PERSONS.values()):
        _private(folder / client, made[client])
        first = next(each for each in PERSONS.values() if each.client == client)
        found.append(
            {
                "issuer": place.url("issuer"), "client_id": client, "client_secret_file": f"logins/{client}",
                "title": "Citizens and organisations" if first.identifier else first.role, "scopes": [first.scope],
            }
        )  # fmt: skip
    return json.dumps(found)


def _policies(place: Place) -> None:
    """The shipped policies, with where this run's clients are told that something waits for them."""
    shutil.copytree(shipped.policies(), place.policies)
    file = place.policies / "requesters.yaml"
    text = file.read_text()
    keys = {"citizen-portal": f'notices: {{url: "{place.url("portal")}/notices", secret_file: {SIGNING}}}'}
    for client, server in RECIPIENTS.items():
        term = f", term: {TERMS[client]}" if client in TERMS else ""
        keys[client] = f'recalls: {{url: "{place.url(server)}/recalls", secret_file: {SIGNING}{term}}}'
    for client, key in keys.items():
        line = f"    client: {client}\n"
        text = text.replace(line, f"{line}    {key}\n")
    file.write_text(text)
    _private(place.policies / SIGNING, f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}\n")


def recipient(place: Place, client: str, secret: str, official: str) -> Path:
    """Write the `client.yaml` of a client's recipient of recalls, which notes its recalls; gives the file."""
    folder = place.run / f"recipient-{client}"
    folder.mkdir(mode=0o700)
    _private(folder / "client.secret", secret)
    shutil.copyfile(place.policies / SIGNING, folder / "webhook.secret")
    (folder / "webhook.secret").chmod(0o600)
    said = {
        "gateway": place.url("gateway"),
        "register": "register.db",
        "poll": "30s",
        "token": {
            "url": place.url("issuer") + "/token", "client_id": client, "secret_file": "client.secret",
            "scopes": {"receipts": "inquire"}, "parameters": {"official": official},
        },
        "webhook": {"listen": f"127.0.0.1:{place.ports[RECIPIENTS[client]]}", "secret_file": "webhook.secret"},
        "command": [sys.executable, "-m", "deploy.demo.applied", str(folder / "applied.jsonl")],
    }  # fmt: skip
    file = folder / "client.yaml"
    file.write_text(json.dumps(said, indent=1))
    return file


def _private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
