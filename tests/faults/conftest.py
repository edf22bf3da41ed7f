"""`bad`: a gateway of its own, with the repository's policies, over departments that can be told to misbehave."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.client import Reply
from deploy.demo.guard import Guard
from deploy.demo.organisations import organisation
from deploy.demo.processes import Child
from gateway.catalogue.load import load
from gateway.ledger.entry import entries
from gateway.ledger.proof import key_files
from gateway.ledger.stored import read
from gateway.storage.store import open_copy
from tests import configured
from tests.faults.department import POLICIES
from tests.inquiry.issuer import TestIssuer
from tests.ports import free_port
from tests.waiting import until

LIMITS = {"timeout": "1500ms", "retries": 0, "max_bytes": "1MiB", "breaker": {"failures": 100000, "open_for": "1s"}}


class Bad:
    """A running gateway, its departments (one process) and its issuer. Each question is about a new subject."""

    def __init__(self, folder: Path, **issuer: Any) -> None:
        """`issuer` are keys of the issuer in `gateway.yaml`."""
        self.folder, self.guard, self.issuer = folder, Guard(), TestIssuer()
        self.port, self.department_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._subject = 20_000
        folder.mkdir(exist_ok=True)
        (folder / "sources.yaml").write_text(json.dumps(self.sources()))
        registry = {"kind": "case-rest", "url": f"http://127.0.0.1:{self.department_port}"}
        config = configured.write(
            folder,
            listen=f"127.0.0.1:{self.port}",
            public_url=self.url,
            store="sqlite:///gateway.db",
            policies=str(POLICIES),
            ledger={"origin": "bad.example/ledger"},
            oauth={"issuers": [{"issuer": self.issuer.url, "name": "login", **issuer}]},
            case_registries={"market": registry, "courts": registry},
        )
        key_files.generate(folder / "ledger.key")
        self.department = self._child("department", "tests.faults.department", str(self.department_port))
        serve = ("serve", "--config", str(config))
        self.gateway = self._child("gateway", "gateway.cli", *serve)

    def sources(self) -> dict[str, Any]:
        """`sources.yaml`: every published dataset by REST, from the one process."""
        departments: dict[str, Any] = {}
        about = {"id": "m_id", "version": "m_version", "document": "m_document", "effective": "m_effective"}
        for dataset in load(POLICIES, []).published.values():
            base = {"kind": "rest", "base_url": f"http://127.0.0.1:{self.department_port}", "limits": LIMITS}
            entry = departments.setdefault(dataset.department, {**base, "datasets": {}})
            entry["datasets"][dataset.id] = {
                "path": f"/{dataset.id}/{{scheme}}/{{value}}",
                "records": "items",
                "record": {**about, "subject": {"scheme": "m_scheme", "value": "m_subject"}},
                "fields": {field: field for field in dataset.fields},
            }
        return {"departments": departments}

    def _child(self, name: str, module: str, *options: str) -> Child:
        return Child(name, [sys.executable, "-m", module, *options], self.folder, self.guard)

    def start(self) -> None:
        """Departments, then the gateway; back when it is ready."""
        self.department.start()
        self.gateway.start()
        self.department.ready()
        self.gateway.ready(port=self.port)
        until("the gateway to be ready", lambda: httpx.get(f"{self.url}/health/ready").status_code == 200)

    def stop(self) -> None:
        """End all of it."""
        self.gateway.stop()
        self.department.stop()
        self.guard.close()
        self.issuer.close()

    def mood(self, dataset: str, mood: str = "well") -> None:
        """How the dataset's department answers from now on."""
        assert httpx.get(f"http://127.0.0.1:{self.department_port}/mood/{dataset}/{mood}").status_code == 200

    def subject(self) -> dict[str, str]:
        """An organisation that nobody asked about yet."""
        self._subject += 1
        return {"scheme": "LEI", "value": organisation(self._subject).lei}

    def wrap(self, subjects: int) -> None:
        """Begin again with the first subject after so many."""
        if self._subject >= 20_000 + subjects:
            self._subject = 20_000

    def request(self, selection: str) -> tuple[dict[str, str], str]:
        """Headers and body of a new subject's own inquiry: it needs no case and may see every field."""
        subject = self.subject()
        claims = {"aud": self.url, "client_id": "citizen-portal", "sub": "a citizen", "scope": "self"}
        bearer = self.issuer.token(1, identifier=subject, **claims).decode()
        headers = {
            "authorization": bearer if bearer.startswith("Bearer ") else f"Bearer {bearer}",
            "content-type": "application/json",
            "accept": "application/graphql-response+json",
        }
        query = (
            f"query($id: IdentifierInput!) @inquiry(purpose: SUBJECT_ACCESS) {{ organisation(id: $id) {selection} }}"
        )
        return headers, json.dumps({"query": query, "variables": {"id": subject}})

    def ask(self, selection: str) -> Reply:
        """One inquiry."""
        headers, body = self.request(selection)
        response = httpx.post(f"{self.url}/graphql", content=body, headers=headers, timeout=60)
        return Reply(response.status_code, response.json())

    def entered(self) -> dict[str, entries.Told]:
        """What the store's entries say was asked, by the number of each: a subject's own answers have no receipt."""
        store = open_copy(self.folder / "gateway.db")
        try:
            with contextlib.closing(store.reader()) as reader:
                found = [
                    each for head in read.heads(reader) for each in read.read_entries(reader, head.id, 0, head.size)
                ]
        finally:
            store.close()
        told = [each.read_told() for each in found]
        return {each.id: each for each in told if isinstance(each, entries.Operation)}

    def waiting(self) -> int:
        """How many calls the departments are being slow about."""
        count: int = httpx.get(f"http://127.0.0.1:{self.department_port}/waiting").json()
        return count

    def entries(self) -> int:
        """How many entries the ledger's checkpoint commits to."""
        return int(httpx.get(f"{self.url}/ledger/1/checkpoint").text.splitlines()[1])


@pytest.fixture(scope="module")  # else it does its rounds beside all that comes after
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bad]:
    """One for all the tests of a module."""
    started = Bad(tmp_path_factory.mktemp("bad"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bad]:
    """One that a test may end."""
    started = Bad(tmp_path / "own")
    try:
        started.start()
        yield started
    finally:
        started.stop()
