"""The management address: who may ask, what it tells of all processes, and what the public address no longer does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.base import Fault
from deploy.demo.processes import descendants
from gateway.config.managing import ManageSettings
from gateway.config.oauth import IssuerSettings
from gateway.errors import ConfigurationError
from gateway.manage import hub as hubs
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import Report
from gateway.manage.server import TOGETHER, served
from gateway.telemetry.metrics import Lag, Metrics
from tests.connectors.certificates import Authority
from tests.ledger.projections.test_projector_served import projectors
from tests.oauth.serving import Serving
from tests.ports import free_port
from tests.waiting import until

TOKEN = "0123456789abcdef0123456789abcdef"


def told(pid: int, ok: int, *, fine: bool = True) -> Report:
    metrics = Metrics(["tax"])
    for _ in range(ok):
        metrics.inquiries["OK"].add()
        metrics.failures["tax", Fault.TIMEOUT].add()
    return Report(pid, str(pid), {"ledger": fine}, metrics.counts(), [Lag("looked", "1", 3, 0.5)])


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(2) as made:
        yield made


@contextlib.contextmanager
def at(hub: Hub, **settings: object) -> Iterator[int]:
    port = free_port()
    with served(ManageSettings("127.0.0.1", port, **settings), hub, "gateway.yaml"):  # type: ignore[arg-type]
        yield port


def samples(text: str) -> dict[str, float]:
    families = text_string_to_metric_families(text)
    return {
        f"{one.name} {' '.join(one.labels.values())}".strip(): one.value for each in families for one in each.samples
    }


def test_it_tells_of_all_processes_and_no_counter_falls_with_one_that_ends(hub: Hub) -> None:
    links = [Link(os.environ[SUPERVISOR], lambda: None) for _ in range(2)]
    with at(hub) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 503
        links[0].tell(told(1, 2))
        links[1].tell(told(2, 3))
        until("the hub to hear", lambda: hub.heard == 2)
        found = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        assert (found["dutybound_processes"], found["dutybound_inquiries_total OK"]) == (2, 5)
        assert found["dutybound_processes_ready"] == 2
        assert found["dutybound_projection_lag_entries looked 1"] == 3
        health = httpx.get(f"http://127.0.0.1:{port}/health")
        assert health.status_code == 200
        assert [each["pid"] for each in health.json()["processes"]] == [1, 2]
        links[0].tell(told(1, 7, fine=False))
        until("the hub to hear", lambda: hub.heard == 3)
        health = httpx.get(f"http://127.0.0.1:{port}/health")
        assert (health.status_code, health.json()["processes"][0]["checks"]) == (
            503,
            {"ledger": False, "reports": True},
        )
        found = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        assert (found["dutybound_processes"], found["dutybound_processes_ready"]) == (2, 1)
        links[0]._socket.shutdown(socket.SHUT_RDWR)
        until(
            "the processes to be counted",
            lambda: samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)["dutybound_processes"] == 1,
        )
        found = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        assert (
            found["dutybound_inquiries_total OK"]
            == found["dutybound_department_failures_total tax SOURCE_TIMEOUT"]
            == 10
        )
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 503


def test_a_process_that_says_nothing_is_not_ready(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "SILENT", 0.0)
    Link(os.environ[SUPERVISOR], lambda: None).tell(told(1, 1))
    until("the hub to hear", lambda: hub.heard == 1)
    assert hub.health()["processes"][0]["checks"]["reports"] is False


def test_a_token_is_asked_for_where_there_is_one(hub: Hub) -> None:
    with at(hub, token=TOKEN) as port:
        for path in ("/metrics", "/health", "/other"):
            url = f"http://127.0.0.1:{port}{path}"
            for wrong in (
                {},
                {"Authorization": f"Bearer {TOKEN}x"},
                {"Authorization": TOKEN},
                {"Authorization": "Bearer \xff"},
            ):
                raw = {name: value.encode("latin-1") for name, value in wrong.items()}
                assert httpx.get(url, headers=raw).status_code == 401
            assert httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"}).status_code != 401


def test_certificates_are_asked_for_where_there_is_an_authority(hub: Hub, tmp_path: Path) -> None:
    authority, strangers = Authority(tmp_path, "authority"), Authority(tmp_path, "strangers")
    certificate, key = authority.issue("server")
    with at(hub, cert_file=certificate, key_file=key, client_ca_file=authority.ca_file) as port:
        url = f"https://127.0.0.1:{port}/health"
        plain = ssl.create_default_context(cafile=str(authority.ca_file))
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=plain)
        stranger = ssl.create_default_context(cafile=str(authority.ca_file))
        stranger.load_cert_chain(*strangers.issue("them", client=True))
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=stranger)
        plain.load_cert_chain(*authority.issue("us", client=True))
        assert httpx.get(url, verify=plain).status_code == 503


def test_what_cannot_be_served_is_told(hub: Hub, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        there = ManageSettings("127.0.0.1", other.getsockname()[1])
        with pytest.raises(ConfigurationError, match="manage: `127"), served(there, hub, "gateway.yaml"):
            pass
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    bad = ManageSettings("127.0.0.1", free_port(), cert_file=nonsense, key_file=nonsense)
    with pytest.raises(ConfigurationError, match="its certificates cannot be used"), served(bad, hub, "gateway.yaml"):
        pass


def test_who_holds_connections_open_does_not_shut_others_out_for_long(hub: Hub) -> None:
    with at(hub) as port, contextlib.ExitStack() as held:
        for _ in range(TOGETHER + 4):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))

        def answered() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 503
            return False

        until("an answer", answered)
        assert httpx.post(f"http://127.0.0.1:{port}/metrics").status_code == 501
        assert httpx.get(f"http://127.0.0.1:{port}/graphql").status_code == 404


def test_a_served_gateway_is_told_of_there_and_not_in_public(tmp_path: Path) -> None:
    serving = Serving(
        tmp_path, IssuerSettings("http://127.0.0.1:9", "login"), "https://gateway.example", None, workers=2
    )
    try:
        serving.ready()
        for path in ("/metrics", "/health"):
            assert httpx.get(f"{serving.url}{path}").status_code == 404
        until(
            "the gateway to tell that it is healthy", lambda: httpx.get(f"{serving.manage}/health").status_code == 200
        )
        assert httpx.get(f"{serving.url}/health/ready").json() == {"status": "ready"}
        for _ in range(6):
            assert (
                httpx.post(f"{serving.url}/graphql", content=json.dumps({"query": "{ __typename }"})).status_code == 401
            )

        def counted() -> float:
            return samples(httpx.get(f"{serving.manage}/metrics").text)["dutybound_inquiries_total UNAUTHENTICATED"]

        until("all to be counted", lambda: counted() == 6)
        first = httpx.get(f"{serving.manage}/health").json()["processes"]
        for each in first:
            os.kill(each["pid"], signal.SIGKILL)
        old = {each["pid"] for each in first}
        until("new processes", lambda: not old & set(descendants(serving.pid)) and counted() == 6)
        until(
            "the gateway to tell that it is healthy", lambda: httpx.get(f"{serving.manage}/health").status_code == 200
        )
        assert counted() == 6
        until("a projector", lambda: bool(projectors(serving.pid)))
    finally:
        serving.stop()
