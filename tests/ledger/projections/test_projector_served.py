"""`dutybound serve` has a projector beside it, whichever server it is, and `/metrics` tells how far that is behind."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.processes import descendants
from gateway.config.oauth import IssuerSettings
from gateway.ledger.entry.registry import RECALLS
from gateway.storage.projections.tables import NAMES
from tests.connectors.certificates import Authority
from tests.oauth.serving import Serving
from tests.waiting import until

LAG = ("dutybound_projection_lag_entries", "dutybound_projection_lag_seconds")


def lags(url: str) -> dict[tuple[str, str, str], float]:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return {
        (sample.name, sample.labels["projection"], sample.labels["shard"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in LAG
    }


def projectors(pid: int) -> list[int]:
    """Those among the processes below one."""
    found = []
    for each in descendants(pid):
        file = Path(f"/proc/{each}/cmdline")
        if file.exists() and b"gateway.ledger.projections.worker" in file.read_bytes():
            found.append(each)
    return found


@pytest.mark.long_cases("certificates")
@pytest.mark.parametrize("direct", [False, True], ids=["plain", "certificates"])
def test_it_is_started_catches_up_and_ends_with_the_server(tmp_path: Path, direct: bool) -> None:
    tls, verify = None, True
    if direct:
        authority = Authority(tmp_path, "authority")
        certificate, key = authority.issue("server")
        tls = {"cert_file": str(certificate), "key_file": str(key), "client_ca_file": str(authority.ca_file)}
        verify = ssl.create_default_context(cafile=str(authority.ca_file))
    started = Serving(tmp_path, IssuerSettings("http://127.0.0.1:9", "login"), "https://gateway.example", tls)
    try:
        started.ready(verify)
        first = until("lags to be told", lambda: lags(started.manage))
        shards = ("root", "1", "commands")  # and a moment later that of the process that recalls
        assert {key[1:] for key in first if key[2] != RECALLS[0]} == {(name, of) for name in NAMES for of in shards}
        until("a projector", lambda: projectors(started.pid))
        until("all to be projected", lambda: not any(lags(started.manage).values()))
        [one] = projectors(started.pid)
        assert httpx.get(f"{started.url}/health/ready", verify=verify, trust_env=False).status_code == 200
    finally:
        started.stop()
    assert not Path(f"/proc/{one}").exists()
