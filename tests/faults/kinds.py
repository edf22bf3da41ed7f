"""A gateway whose five departments are all of one kind of connector, and the faults that its departments can have.

`Kinds` is a `Bad` of `tests.faults.conftest`: REST (both transports) and GraphQL are told their moods by HTTP; a
database's mood is another definition of its dataset's view, or a proxy before it that falls silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from deploy.demo.organisations import organisation
from gateway.catalogue.load import load
from gateway.catalogue.model import Dataset
from tests.connectors.silence import Proxy
from tests.faults.conftest import LIMITS, Bad
from tests.faults.department import MOODS, POLICIES, SLOW
from tests.services import Postgres

HTTP = ("rest", "rest-httpx", "graphql")
KINDS = (*HTTP, "sqlite", "postgresql")
DATASETS = {
    "labour": "wage-arrears",
    "market": "business-licences",
    "tax": "tax-arrears",
    "environment": "emission-permits",
    "courts": "enforcement-cases",
}
"""Of each department the dataset that the matrix asks for; the first is the one that fails alone."""
SUBJECTS = range(20_001, 26_001)
WELL = {
    "m_id": "'R-1'", "m_version": "'1'", "m_document": "'D-' || value", "m_effective": "{date}'2026-10-01'",
    "m_scheme": "scheme", "m_subject": "value",
}  # fmt: skip
TYPES = {
    "String": "'text'", "Int": "7", "Boolean": "{true}", "Decimal": "12.5", "Date": "{date}'2026-01-02'",
    "DateTime": "{moment}'2026-01-02T03:04:05+00:00'",
}  # fmt: skip
WORDS = {
    "sqlite": {"date": "", "moment": "", "true": "1"},
    "postgresql": {"date": "date ", "moment": "timestamptz ", "true": "true"},
}

Rows = tuple[Mapping[str, str], str]
"""What a mood changes of a view: columns, and what stands behind its FROM."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
COLUMNS: Mapping[str, Mapping[str, Rows]] = {
    "sqlite": {
        "no id": ({"m_id": "NULL"}, ""),
        "no day": ({"m_effective": "'2026-02-31'"}, ""),
        "infinity": ({"m_effective": "'infinity'"}, ""),
        "five digits": ({"m_effective": "'12026-01-02'"}, ""),
        "an overflow": ({"m_version": "abs(-9223372036854775807 - 1)"}, ""),
        "not UTF-8": ({"m_document": "CAST(x'ff6f' AS TEXT)"}, ""),
        "a blob": ({"m_document": "x'6162'"}, ""),
        "100 MB": ({"m_document": "replace(hex(zeroblob(50000000)), '0', 'x')"}, ""),
        "many rows": ({}, f", ({_NUMBERS} SELECT i FROM n LIMIT 5000)"),
        "endless": ({}, f", ({_NUMBERS} SELECT i FROM n WHERE i < 0)"),
        "two contents": ({"m_document": "i"}, ", (SELECT 'a' AS i UNION SELECT 'b')"),
    },
    "postgresql": {
        "no id": ({"m_id": "NULL::text"}, ""),
        "infinity": ({"m_effective": "date 'infinity'"}, ""),
        "before Christ": ({"m_effective": "date '0044-03-15 BC'"}, ""),
        "five digits": ({"m_effective": "date '12026-01-02'"}, ""),
        "a division by zero": ({"m_version": "(1 / (length(value) - length(value)))::text"}, ""),
        "bytes": ({"m_document": "'\\x6162'::bytea"}, ""),
        "100 MB": ({"m_document": "repeat('x', 100000000)"}, ""),
        "many rows": ({}, ", generate_series(1, 5000)"),
        "endless": ({}, ", pg_sleep(60)"),
        "two contents": ({"m_document": "i"}, ", (VALUES ('a'), ('b')) AS n(i)"),
    },
}  # fmt: skip
OTHER_WAYS = {"postgresql": ("no table", "silent"), "sqlite": ("no table",)}
AMOUNT = ("NaN", "infinity", "the same key twice")
"""Moods that only a dataset with an amount can have."""


def faults(kind: str) -> list[str]:
    """All that can be wrong with a department of the kind."""
    if kind in HTTP:
        return [mood for mood in (*MOODS, *SLOW) if mood != "well"]
    return [*COLUMNS[kind], *OTHER_WAYS[kind]]


class Kinds(Bad):
    """`folder` is its own; `server` is for the kind `postgresql`."""

    def __init__(self, folder: Path, kind: str, server: Postgres | None = None) -> None:
        self.kind, self._server = kind, server
        self._all = load(POLICIES, []).published
        self._database = server.database() if server else ""
        self._loop = asyncio.new_event_loop()
        self._proxies: dict[str, Proxy] = {}
        self._stack = contextlib.AsyncExitStack()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        folder.mkdir(exist_ok=True)
        if server is not None:
            for department in DATASETS:
                self._proxies[department] = self._do(self._stack.enter_async_context(Proxy(server.port).serving()))
        super().__init__(folder)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        super().stop()
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def sources(self) -> dict[str, Any]:
        departments: dict[str, Any] = {}
        for dataset in self._all.values():
            entry = departments.setdefault(dataset.department, {**self._department(dataset.department), "datasets": {}})
            about = {name.removeprefix("m_"): name for name in WELL if name not in ("m_scheme", "m_subject")}
            entry["datasets"][dataset.id] = {
                **self._place(dataset),
                "record": {**about, "subject": {"scheme": "m_scheme", "value": "m_subject"}},
                "fields": {field: field for field in dataset.fields},
            }
            if self.kind == "graphql":
                entry["url"] = f"http://127.0.0.1:{self.department_port}/graphql/{DATASETS[dataset.department]}"
        return {"departments": departments}

    def _department(self, name: str) -> dict[str, Any]:
        limits = dict(LIMITS)
        if self.kind in ("rest", "rest-httpx"):
            transport = "pooled" if self.kind == "rest" else "httpx"
            base = f"http://127.0.0.1:{self.department_port}"
            return {"kind": "rest", "base_url": base, "transport": transport, "limits": limits}
        if self.kind == "graphql":
            query = "subject(scheme: $scheme, value: $value)"
            return {"kind": "graphql", "query": {"organisation": query, "person": query}, "limits": limits}
        limits.pop("retries")
        if self.kind == "sqlite":
            return {"kind": "sql", "url": f"sqlite:///{name}.db", "limits": limits}
        url = f"postgresql+psycopg://postgres@127.0.0.1:{self._proxies[name].port}/{self._database}"
        return {"kind": "sql", "url": url, "limits": limits}

    def _place(self, dataset: Dataset) -> dict[str, str]:
        if self.kind in ("rest", "rest-httpx"):
            return {"path": f"/{dataset.id}/{{scheme}}/{{value}}", "records": "items"}
        return {"field": dataset.graphql_name} if self.kind == "graphql" else {"table": dataset.id.replace("-", "_")}

    def start(self) -> None:
        for dataset in self._all.values() if self.kind not in HTTP else ():
            if dataset.id in DATASETS.values():
                self._run(dataset.department, *self._view(dataset.id, {}, ""))
        super().start()

    def _run(self, department: str, *statements: str) -> None:
        if self._server is not None:
            with self._server.connect(self._database) as connection:
                self._fill(lambda text, rows: connection.cursor().executemany(text.replace("?", "%s").encode(), rows),
                           lambda text: connection.execute(text.encode()), statements)  # fmt: skip
            return
        with contextlib.closing(sqlite3.connect(self.folder / f"{department}.db", timeout=30)) as file, file:
            self._fill(file.executemany, file.execute, statements)

    def _fill(self, many: Callable[..., Any], one: Callable[..., Any], statements: tuple[str, ...]) -> None:
        one("CREATE TABLE IF NOT EXISTS subject (scheme text, value text PRIMARY KEY)")
        if not one("SELECT 1 FROM subject LIMIT 1").fetchall():
            many("INSERT INTO subject VALUES (?, ?)", [("LEI", organisation(number).lei) for number in SUBJECTS])
        for statement in statements:
            one(statement)

    def _view(self, dataset: str, changes: Mapping[str, str], behind: str) -> list[str]:
        fields = {field.name: TYPES[str(field.type)] for field in self._all[dataset].fields.values()}
        columns = {**WELL, **fields, **changes}
        words = WORDS[self.kind]
        listed = ", ".join(f'{_filled(value, words)} AS "{name}"' for name, value in columns.items())
        name = dataset.replace("-", "_")
        return [f"DROP VIEW IF EXISTS {name}", f"CREATE VIEW {name} AS SELECT {listed} FROM subject{behind}"]

    def mood(self, dataset: str, mood: str = "well") -> None:
        if self.kind in HTTP:
            super().mood(dataset, "hangs up" if mood in AMOUNT and "amount" not in self._all[dataset].fields else mood)
            return
        department = self._all[dataset].department
        if department in self._proxies:
            proxy = self._proxies[department]
            proxy.mute = mood == "silent"
            if proxy.mute:
                self._loop.call_soon_threadsafe(proxy.silence)
        changes, behind = COLUMNS[self.kind].get(mood, ({}, ""))
        statements = self._view(dataset, changes, behind)
        self._run(department, *(statements[:1] if mood == "no table" else statements))


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace(f"{{{word}}}", meant)
    return text


def expected(dataset: str, value: str) -> list[dict[str, Any]]:
    """What the matrix asks for of a dataset, where nothing is wrong."""
    fields: dict[str, Any] = {
        "wage-arrears": {"workersAffected": 7, "amount": "12.5"},
        "business-licences": {"number": "text", "validUntil": "2026-01-02"},
        "tax-arrears": {"period": "text", "amount": "12.5"},
        "emission-permits": {"annualLimitTonnes": "12.5"},
        "enforcement-cases": {"claim": "12.5", "status": "text"},
    }[dataset]
    return [{**fields, "record": {"document": f"D-{value}"}}]


def selection(*datasets: str) -> str:
    """The GraphQL selection of it."""
    parts = []
    for dataset in datasets:
        first, *rest = dataset.split("-")
        (record,) = expected(dataset, "")
        fields = " ".join(field for field in record if field != "record")
        parts.append(f"{first}{''.join(map(str.title, rest))} {{ {fields} record {{ document }} }}")
    return json.loads(json.dumps("{ " + " ".join(parts) + " }"))
