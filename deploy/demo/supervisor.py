"""Start and stop the whole region: departments, registries, authorization server and, last, the gateway.

What it starts ends with it: in order on a regular end, by the guard where this process is killed.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx

from deploy.demo import founding, seed, stores
from deploy.demo.clients import REGISTERED, cases
from deploy.demo.configuration import (
    DEPARTMENTS,
    RECIPIENTS,
    SIGNING,
    TERMS,
    USUAL,
    Place,
    choose_ports,
    recipient,
    today,
    write,
)
from deploy.demo.guard import Guard
from deploy.demo.persons import login_as
from deploy.demo.processes import ROOT, Child, NotReady, Ports, descendants
from deploy.demo.region import NAMED
from gateway.ledger.entry.registry import COMMANDS, RECALLS, SERVING
from gateway.ledger.entry.registry import ROOT as ROOT_SHARD
from gateway.ledger.proof import key_files
from gateway.ledger.stored.read import heads
from gateway.storage.store import open_copy

Say = Callable[[str], None]


class AlreadyRunning(Exception):
    """Another demo runs over the same folder."""


class Region:
    """A running region, as a context manager: up when it is entered, down and tidied when it is left.

    `var` is the folder that it may write to; of each server, `usual` is the port that it has where it is free (0: any).
    Raises `AlreadyRunning`, or `NotReady` with the log of what failed.
    """

    def __init__(self, var: Path, say: Say, usual: Mapping[str, int] = USUAL) -> None:
        self._say = say
        var.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(var / "demo.lock")
        self._ports = Ports()
        self.place = Place(var.resolve(), choose_ports(self._ports, usual))
        self.guard = Guard()
        self.secrets: dict[str, str] = {}
        self.shard = self.origin = ""
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        place, say = self.place, self._say
        place.told.unlink(missing_ok=True)
        day = today()
        began = time.monotonic()
        fresh = stores.prepare(place.data, day)
        say(f"invented 10,000 organisations and 2,000 people for {day} ({_since(began)}{'' if fresh else ', kept'})")
        shutil.rmtree(place.run, ignore_errors=True)
        place.run.mkdir(mode=0o700)
        self.secrets = write(place)
        keys = founding.keys_of(place.policies)
        private = key_files.generate(place.run / "ledger.key")
        began = time.monotonic()
        for name, child in self._servers().items():
            self.children[name] = child
            child.start()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            seeding = pool.submit(self._founded, keys)
            for name, child in self.children.items():
                child.ready()
                say(f"{_TITLES[name]} at {self.address(name)} (pid {child.pid})")
            say(f"{seeding.result():,} consents, objections and withdrawals stand in the gateway's store")
            say("two officers signed the first rule set, and it is active")
        gateway = self.children["gateway"] = self._child(
            "gateway", ["-m", "gateway.cli", "serve", "--config", str(place.config)]
        )
        gateway.start()
        self._healthy(gateway)
        with_store = open_copy(place.store)
        try:
            with contextlib.closing(with_store.reader()) as reader:
                found = [head for head in heads(reader) if head.name in SERVING]
        finally:
            with_store.close()
        if not found:
            raise NotReady(f"another server answers at {place.url('gateway')}; end it, or see {gateway.log}")
        head = found[0]
        self.shard, self.origin = head.name, head.origin.removesuffix(f"/{head.name}")
        shards = [ROOT_SHARD, COMMANDS[0], RECALLS[0], head.name]
        key_files.write_verifiers(place.public_key, private, self.origin, shards)
        say(f"the gateway at {place.url('gateway')} (pid {gateway.pid}); everything is up ({_since(began)})")

    def _founded(self, keys: founding.Keys) -> int:
        """What stands in the gateway's store before it starts; gives how many facts."""
        place = self.place
        count = seed.seed(place.store, stores.facts(place.data), place.url("issuer"))
        founding.found(place, keys)
        return count

    def _servers(self) -> dict[str, Child]:
        data = ["--data", str(self.place.data)]
        servers = {
            name: self._child(name, ["-m", f"deploy.demo.departments.{name}", *data, *self._port(name)])
            for name in DEPARTMENTS
        }
        servers["archives"] = self._child(
            "archives", ["-m", "deploy.demo.departments.archives", *data, *self._port("archives")]
        )
        for registry in ("market", "courts"):
            name = f"registry_{registry}"
            options = [*data, *self._port(name), "--registry", registry]
            servers[name] = self._child(name, ["-m", "deploy.demo.registry", *options])
        options = [*data, *self._port("portal"), "--secret", str(self.place.policies / SIGNING)]
        servers["portal"] = self._child("portal", ["-m", "deploy.demo.portal", *options])
        options = ["--data", str(self.place.run), *self._port("issuer"), "--audience", self.place.url("gateway")]
        servers["issuer"] = self._child("issuer", ["-m", "deploy.demo.issuer", *options])
        return servers

    def _port(self, name: str) -> list[str]:
        return ["--port", str(self.place.ports[name])]

    def _child(self, name: str, options: list[str]) -> Child:
        return Child(name, [sys.executable, *options], self.place.run, self.guard)

    def recipient(self, client: str) -> Child:
        """A client's own recipient of recalls, not started yet: `dutybound recalls client`."""
        official = REGISTERED[client].officials[0]
        file = recipient(self.place, client, self.secrets[client], official)
        name = RECIPIENTS[client]
        made = self.children[name] = self._child(
            name, ["-m", "gateway.cli", "recalls", "client", "--config", str(file)]
        )
        return made

    def end(self, child: Child) -> None:
        """End one that is needed no more."""
        child.stop()
        del self.children[child.name]

    def _healthy(self, gateway: Child) -> None:
        patience = time.monotonic() + 60
        gateway.ready(port=self.place.ports["gateway"])
        while True:
            with contextlib.suppress(httpx.HTTPError):  # it may still be starting
                if httpx.get(self.place.url("gateway") + "/health/ready").status_code == 200:
                    return
            gateway.ready(port=self.place.ports["gateway"])  # says why where it has ended
            if time.monotonic() > patience:
                raise NotReady(f"the gateway is up but not ready; see {gateway.log}")
            time.sleep(0.05)

    def address(self, name: str) -> str:
        """The address of one server: a department's own form, else plain http."""
        if name in DEPARTMENTS:
            return DEPARTMENTS[name][1].format(port=self.place.ports[name])
        return self.place.url(name)

    def tell(self) -> dict[str, Any]:
        """Write `demo.json` and give it: from then on scripts join in, so every department has to be up."""
        told = self.facts()
        self.guard.remove(self.place.told)
        draft = self.place.told.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(told, indent=1) + "\n")
        draft.replace(self.place.told)
        return told

    def facts(self) -> dict[str, Any]:
        """What a script needs to join in."""
        place = self.place
        return {
            "gateway": place.url("gateway"),
            "manage": place.url("manage"),
            "pids": {"gateway": descendants(self.children["gateway"].pid)},
            "store": f"sqlite:///{place.store}",
            "issuer": place.url("issuer"),
            "token_url": place.url("issuer") + "/token",
            "jwks_url": place.url("issuer") + "/jwks",
            "ledger": {"origin": self.origin, "shard": self.shard, "public_key_file": str(place.public_key)},
            "clients": {
                name: {"secret": self.secrets[name], "department": client.department, "roles": list(client.roles),
                       "purposes": list(client.purposes), "scopes": list(client.scopes),
                       "officials": list(client.officials)}
                for name, client in REGISTERED.items()
            },
            "recall_terms": dict(TERMS),
            "pages": {"my": place.url("gateway") + "/my/", "console": place.url("gateway") + "/console/",
                      "login_as": login_as(place.url("issuer"))},
            "cases": {name: case.told() for name, case in cases().items()},
            "subjects": {
                name: dict(zip(("scheme", "value"), named.who.identifier, strict=True)) for name, named in NAMED.items()
            },
            "departments": {
                name: {"kind": kind, "url": self.address(name), "pid": self.children[name].pid}
                for name, (kind, _) in DEPARTMENTS.items()
            },
        }  # fmt: skip

    def ended(self) -> list[str]:
        """The servers that are not running (any more)."""
        return [name for name, child in self.children.items() if child.ended() is not None]

    def _stop(self) -> None:
        self.place.told.unlink(missing_ok=True)
        for child in reversed(self.children.values()):
            child.stop()
        self.guard.close()
        self._ports.close()
        self._lock.close()


_TITLES = {
    "market": "the Market Regulation Authority, REST over JSON lines,",
    "tax": "the Tax Service, PostgreSQL,",
    "courts": "the Civil Court, a GraphQL subgraph over SQLite,",
    "environment": "the Environment Agency, paged REST over CSV,",
    "labour": "the Labour Office, PostgreSQL,",
    "archives": "the Building Archives, which nobody is connected to yet,",
    "registry_market": "the regulator's case registry",
    "registry_courts": "the court's case registry",
    "portal": "the citizens' portal",
    "issuer": "the authorization server",
}


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"


def _lock(file: Path) -> IO[str]:
    """Hold the file's lock for as long as it is open; the system lets go of it however this process ends."""
    held = file.open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise AlreadyRunning(f"another demo already runs in {file.parent}; end it with Ctrl-C first") from None
    os.set_inheritable(held.fileno(), False)
    return held


__all__ = ["ROOT", "AlreadyRunning", "NotReady", "Region"]
