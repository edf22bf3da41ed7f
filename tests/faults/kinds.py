"""A gateway whose departments are all of a kind of connector, or each of its own, with faults of `tests.faults.table`.

`Kinds` is a `Bad` of `tests.faults.conftest`: departments over HTTP are told their moods, and a database's mood is
another definition of its dataset's view, or a proxy before it that falls silent. The department that fails alone is a
process of its own, so that what it is busy with holds up no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import urllib.parse
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx

from connectors.base import DatasetShape
from deploy.demo.organisations import organisation
from gateway.catalogue.load import load
from gateway.catalogue.model import Dataset
from tests.configured import secret
from tests.connectors.asking import written
from tests.connectors.silence import Proxy
from tests.faults.conftest import LIMITS, Bad
from tests.faults.delivered import Delivery
from tests.faults.department import POLICIES
from tests.faults.table import FAULTS, TOLD
from tests.faults.views import MORE, WELL, definition
from tests.faults.views import SUBJECTS as TABLE
from tests.mariadb import MariaDB
from tests.ports import free_port
from tests.services import Postgres

KINDS = tuple(FAULTS)
"""`rest-paged` has pages by link, and a token from an authorization server; `entities` are of a source that does not
name its subjects, and is asked about several at once besides."""
SERVICE = "EE/GOV/70000002/registry/all"
DATABASES = ("sqlite", "postgresql", "postgresql-ascii", "mariadb")
DATASETS = {
    "labour": "wage-arrears",
    "market": "business-licences",
    "tax": "tax-registrations",
    "environment": "emission-permits",
    "courts": "enforcement-cases",
}
"""Of each department the dataset that the matrix asks for; the first is the one that fails alone."""
ALL = tuple(DATASETS.values())
LICENCES = (DATASETS["market"], DATASETS["environment"], DATASETS["tax"])
"""What a licensing authority may ask of several organisations at once."""
SUBJECTS = range(20_001, 34_001)


class Kinds(Bad):
    """`folder` is its own; `kind` is that of all departments, or by department. `server` is that of its databases,
    where it is not SQLite. `subjects` are who has records, by number."""

    def __init__(
        self,
        folder: Path,
        kind: str | Mapping[str, str],
        server: Postgres | MariaDB | None = None,
        subjects: range = SUBJECTS,
    ) -> None:
        self._kinds = dict.fromkeys(DATASETS, kind) if isinstance(kind, str) else dict(kind)
        self._server, self.subjects = server, subjects
        catalogue = load(POLICIES, [])
        self._all, self._schemes = catalogue.published, catalogue.schemes
        on_server = [name for name, each in self._kinds.items() if each in DATABASES and each != "sqlite"]
        self._database = _made(server, self._kinds[on_server[0]]) if server else ""
        self._loop = asyncio.new_event_loop()
        self._stack = contextlib.AsyncExitStack()
        self._proxies: dict[str, Proxy] = {}
        self._alone_port = free_port()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        if server is not None:
            for department in on_server:
                self._proxies[department] = self._do(self._stack.enter_async_context(Proxy(server.port).serving()))
        folder.mkdir(parents=True, exist_ok=True)
        self._deliveries = self._delivering(folder)
        super().__init__(folder)
        self._alone = self._child("alone", "tests.faults.department", str(self._alone_port))

    def kind(self, dataset: str) -> str:
        """The kind of a dataset's department."""
        return self._kinds[self._all[dataset].department]

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        super().stop()
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _at(self, department: str) -> str:
        return f"http://127.0.0.1:{self._alone_port if department == next(iter(DATASETS)) else self.department_port}"

    def sources(self) -> dict[str, Any]:
        departments: dict[str, Any] = {}
        for dataset in self._all.values():
            entry = departments.setdefault(dataset.department, {**self._department(dataset.department), "datasets": {}})
            about = {name.removeprefix("m_"): name for name in WELL if name not in ("m_scheme", "m_subject")}
            whose = {"scheme": "m_scheme", "value": "m_subject"}
            if self.kind(dataset.id) == "entities":
                whose = {"not_returned": "the matrix tries what nothing in an answer would tell"}
            entry["datasets"][dataset.id] = {
                **self._place(dataset),
                "record": {**about, "subject": whose},
                "fields": {field: field for field in dataset.fields},
            }
        return {"departments": departments}

    def _department(self, name: str) -> dict[str, Any]:
        kind, limits, at = self._kinds[name], dict(LIMITS), self._at(name)
        if kind == "graphql":
            query = "subject(scheme: $scheme, value: $value)"
            by_kind = {"organisation": query, "person": query}
            return {"kind": "graphql", "url": f"{at}/graphql", "query": by_kind, "limits": limits}
        if kind == "entities":
            return {"kind": "graphql", "url": f"{at}/graphql", "entities": True, "limits": limits}
        if kind == "files":
            limits.pop("retries")
            return {**self._deliveries[name].config(), "limits": limits}
        if kind in DATABASES:
            limits.pop("retries")
            if kind == "sqlite":
                return {"kind": "sql", "url": f"sqlite:///{name}.db", "limits": limits}
            account = "mariadb+pymysql://gateway" if kind == "mariadb" else "postgresql+psycopg://postgres"
            url = f"{account}@127.0.0.1:{self._proxies[name].port}/{self._database}"
            return {"kind": "sql", "url": url, "limits": limits}
        if kind == "xroad":
            named = {"client": "EE/GOV/70000001/gateway", "service": SERVICE}
            return {"kind": "xroad", "security_server": at, **named, "limits": limits}
        transport = "httpx" if kind == "rest-httpx" else "pooled"
        made = {"kind": "rest", "base_url": at, "transport": transport, "limits": limits}
        if kind == "rest-paged":
            made["auth"] = {
                "kind": "client_credentials",
                "token_url": f"{at}/token/{DATASETS[name]}",
                "client_id": "gateway",
                "client_secret_file": str(secret(self.folder / "client", "s" * 40)),
            }
        return made

    def _place(self, dataset: Dataset) -> dict[str, Any]:
        kind = self.kind(dataset.id)
        if kind in ("graphql", "entities"):
            return {"field": dataset.graphql_name}
        if kind == "files":
            return {}
        if kind in DATABASES:
            return {"table": dataset.id.replace("-", "_")}
        if kind == "rest-post":
            look_up = {"method": "POST", "body": {"scheme": "{scheme}", "value": "{value}"}, "safe": True}
            return {**look_up, "path": f"/{dataset.id}", "records": "items"}
        if kind == "rest-xml":
            return {"format": "xml", "path": f"/xml/{dataset.id}/{{scheme}}/{{value}}", "records": "reply.items.item"}
        paging = {"paging": {"next": "next"}} if kind == "rest-paged" else {}
        return {"path": f"/{dataset.id}/{{scheme}}/{{value}}", "records": "items", **paging}

    def start(self) -> None:
        self._deliver_first()
        for dataset in ALL:
            if self.kind(dataset) in DATABASES:
                self._run(self._all[dataset].department, *definition(self.kind(dataset), self._all[dataset], "well"))
        if self._kinds[next(iter(DATASETS))] not in ("files", *DATABASES):
            self._alone.start()
            self._alone.ready()
        super().start()

    def _delivering(self, folder: Path) -> dict[str, Delivery]:
        subjects = [organisation(number).lei for number in self.subjects]
        departments = {each.department for each in self._all.values()}
        return {
            name: Delivery(folder / name, [each for each in self._all.values() if each.department == name], subjects)
            for name in departments
            if self._kinds[name] == "files"
        }

    def _shape(self, dataset: Dataset) -> DatasetShape:
        schemes = {
            kind: [name for name, scheme in self._schemes.items() if kind in scheme.subjects]
            for kind in dataset.subjects
        }
        return DatasetShape(dataset.id, {field.name: field.type for field in dataset.fields.values()}, schemes)

    def _deliver_first(self) -> None:
        for name, entry in self.sources()["departments"].items():
            if name not in self._deliveries:
                continue
            shapes = {each: self._shape(self._all[each]) for each in entry["datasets"]}
            self._deliveries[name].connect(written(entry, self.folder), shapes)
            self._deliveries[name].mood(DATASETS.get(name, next(iter(shapes))), "well")

    def _run(self, department: str, *statements: str) -> None:
        kind, server = self._kinds[department], self._server
        if isinstance(server, MariaDB) and kind == "mariadb":
            with server.connect(self._database) as opened, opened.cursor() as cursor:

                def one(text: str) -> Any:
                    cursor.execute(text)
                    return cursor

                self._fill(kind, lambda text, rows: cursor.executemany(text.replace("?", "%s"), rows), one, statements)
            return
        if isinstance(server, Postgres) and kind != "sqlite":
            with server.connect(self._database) as connection:
                self._fill(
                    kind,
                    lambda text, rows: connection.cursor().executemany(text.replace("?", "%s").encode(), rows),
                    lambda text: connection.execute(text.encode()),
                    statements,
                )
            return
        with contextlib.closing(sqlite3.connect(self.folder / f"{department}.db", timeout=30)) as file, file:
            self._fill(kind, file.executemany, file.execute, statements)

    def _fill(self, kind: str, many: Callable[..., Any], one: Callable[..., Any], statements: tuple[str, ...]) -> None:
        one(TABLE.format(more=MORE.get(kind, "")))
        if not one("SELECT 1 FROM subject LIMIT 1").fetchall():
            many(
                "INSERT INTO subject (scheme, value) VALUES (?, ?)",
                [("LEI", organisation(number).lei) for number in self.subjects],
            )
        for statement in statements:
            one(statement)

    def mood(self, dataset: str, mood: str = "well") -> None:
        department, kind = self._all[dataset].department, self.kind(dataset)
        if kind == "files":
            self._deliveries[department].mood(dataset, mood)
            return
        if kind not in DATABASES:
            url = f"{self._at(department)}/mood/{dataset}/{urllib.parse.quote(mood)}"
            assert httpx.get(url).status_code == 200
            return
        if department in self._proxies:
            proxy = self._proxies[department]
            proxy.mute = mood == "silent"
            if proxy.mute:
                self._loop.call_soon_threadsafe(proxy.silence)
        self._run(department, *definition(kind, self._all[dataset], mood))

    def several(self, count: int) -> tuple[dict[str, str], str, list[str]]:
        """Headers, body and subjects of an inquiry about so many new ones, as a licensing authority asks."""
        subjects = [self.subject() for _ in range(count)]
        claims: dict[str, Any] = {
            "aud": self.url,
            "client_id": "market-regulator",
            "sub": "market-regulator",
            "scope": "inquire",
        }
        bearer = self.issuer.token(1, **claims).decode()
        headers = {"authorization": bearer, "accept": "application/graphql-response+json"}
        query = (
            "query($ids: [IdentifierInput!]!) @inquiry(purpose: LICENCE_RENEWAL)"
            f" {{ organisations(ids: $ids) {selection(*LICENCES)} }}"
        )
        body = json.dumps({"query": query, "variables": {"ids": subjects}})
        return {**headers, "content-type": "application/json"}, body, [each["value"] for each in subjects]


def _made(server: Postgres | MariaDB, kind: str) -> str:
    name = server.database()
    if (
        isinstance(server, Postgres) and kind == "postgresql-ascii"
    ):  # a database without an encoding: it holds whatever it was given
        with server.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name}".encode())
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'".encode())
    return name


ASKED: dict[str, dict[str, tuple[str, Any]]] = {
    "wage-arrears": {"period": ("String", "text"), "workersAffected": ("Int", 7), "amount": ("Decimal", "12.5")},
    "business-licences": {"number": ("String", "text"), "validUntil": ("Date", "2026-01-02")},
    "tax-registrations": {"vatRegistered": ("Boolean", True), "status": ("String", "text")},
    "emission-permits": {"number": ("String", "text"), "annualLimitTonnes": ("Decimal", "12.5")},
    "enforcement-cases": {"courtFile": ("String", "text"), "claim": ("Decimal", "12.5")},
}


def expected(dataset: str, value: str, fault: str = "") -> list[dict[str, Any]]:
    """What the matrix asks for of a dataset, where nothing is wrong, or a fault that has values be other ones."""
    told = TOLD.get(fault, {})
    fields = {name: told.get(type_, well) for name, (type_, well) in ASKED[dataset].items()}
    return [{**fields, "record": {"document": f"D-{value}"}}]


def selection(*datasets: str) -> str:
    """The GraphQL selection of it."""
    parts = []
    for dataset in datasets:
        first, *rest = dataset.split("-")
        parts.append(f"{first}{''.join(map(str.title, rest))} {{ {' '.join(ASKED[dataset])} record {{ document }} }}")
    return "{ " + " ".join(parts) + " }"
