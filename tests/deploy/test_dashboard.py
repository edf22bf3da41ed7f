"""Every query of the dashboard has an answer at a real Prometheus that scrapes a real gateway; every alert is taken."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway.config.managing import ManageSettings
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Report
from gateway.manage.server import served
from gateway.manage.sources import Deliveries, Drifts
from gateway.manage.states import Trouble
from gateway.telemetry.metrics import Metrics
from tests.deploy.files import DEPLOY
from tests.docs.reading import code, section, table
from tests.journeys.asking import inquire
from tests.ports import free_port
from tests.waiting import until

if TYPE_CHECKING:
    from tests.conftest import World

DASHBOARD = json.loads((DEPLOY / "grafana" / "dutybound.json").read_text("utf-8"))
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
APART = re.compile("dutybound_(source|delivery|invalid|dry_run|out_of_order)")
"""What a gateway has only where sources are watched, files delivered, a dry run is on, or something is out of order."""
CHANCE = "Time of each step, 95th of 100 A"
"""Published 32 timed inquiries at a time: after a few there is a series, and no number in it."""


class Prometheus:
    """A running one, which scrapes gateways four times per second and knows the alerts."""

    def __init__(self, folder: Path, *gateways: str) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1"
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(DEPLOY / "prometheus" / "alerts.yml")],
            "scrape_configs": [{"job_name": "dutybound", "static_configs": [{"targets": gateways}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        self.process = subprocess.Popen(command)

    def get(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        assert self.process.poll() is None, "Prometheus ended"
        answer = httpx.get(f"{self._url}/{path}", params=parameters, trust_env=False)
        answer.raise_for_status()
        return answer.json()["data"]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        found: list[dict[str, Any]] = self.get("query", query=query)["result"]
        return found


@pytest.fixture
def prometheus(tmp_path: Path, world: World) -> Iterator[Prometheus]:
    """One that scrapes the region's gateway, and a second one's management address."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(Hub(1))
        links = [Link(os.environ[SUPERVISOR], lambda: None) for _ in range(3)]
        stack.enter_context(served(ManageSettings("127.0.0.1", port), hub, "gateway.yaml"))
        tell_apart(hub, links)
        running = Prometheus(tmp_path, world.told["manage"].removeprefix("http://"), f"127.0.0.1:{port}")
        stack.callback(running.stop)
        until("Prometheus to answer", lambda: running.ask("vector(1)"), despite=(httpx.HTTPError,))
        yield running
        for each in links:
            each._socket.shutdown(socket.SHUT_RDWR)


def tell_apart(hub: Hub, links: list[Link]) -> None:
    """Have a second gateway tell what the region has no reason to: drift, deliveries, unusable answers, a dry run."""
    counts = Metrics(["tax"]).counts()
    counts.dry_run = {"market WORK same": 3}
    counts.invalid = {"tax tax-arrears record": 1}
    links[0].tell(Report(1, "1", {"ledger": True}, counts, [], [Trouble("witness", "w1", "it is away")]))
    links[1].tell(Deliveries({"labour taken": 1}, {"labour": time.time()}))
    links[2].tell(Drifts({"tax tax-arrears field": 1}, time.time()))
    until("the supervisor to hear", lambda: hub.heard == len(links))


def test_every_query_has_an_answer(world: World, prometheus: Prometheus) -> None:
    gateway = world.told["manage"].removeprefix("http://")

    def filled(query: str) -> str:
        query = query.replace("$__rate_interval", "1m").replace("$instance", ".*" if APART.search(query) else gateway)
        assert "$" not in query
        return query

    def silent() -> list[str]:
        inquire(world, "market-regulator", "LICENCE_RENEWAL", "{ name }", world.subject("ordinary"))
        answers = {name: prometheus.ask(filled(query)) for name, query in QUERIES.items()}
        numbers = {name: [float(each["value"][1]) for each in found] for name, found in answers.items()}
        return [
            name for name, found in numbers.items()
            if not found or (name != CHANCE and any(map(math.isnan, found)))
        ]  # fmt: skip

    left: list[str] = []

    def all_answer() -> bool:
        left[:] = silent()
        return not left

    until(f"an answer to each query; none yet to {left}", all_answer)
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules if rule["health"] != "ok"} == set()
    assert [rule["name"] for rule in rules if rule["labels"]["severity"] == "page" and rule["state"] == "firing"] == []
    variable = next(each for each in DASHBOARD["templating"]["list"] if each["name"] == "instance")
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
    assert gateway in [each["metric"][label] for each in prometheus.ask(metric)]


def test_the_dashboard_has_every_metric_and_alerts_know_no_other() -> None:
    page = section(DEPLOY / "README.md", "Watch over it")
    told = {name for row in table(page.partition("Neither has anything")[2]) for name in code(row[0])}
    used = set(re.findall(r"dutybound_\w+", " ".join(QUERIES.values())))
    parts = {f"{name}_{part}": name for name in told for part in ("bucket", "count", "sum")}  # of a histogram
    assert {parts.get(name, name) for name in used} == told
    alerts = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
    assert {name.removesuffix("_bucket") for name in re.findall(r"dutybound_[a-z_]+", alerts)} <= told
