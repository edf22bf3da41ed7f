"""A start that the store refuses ends, with the reason and a status; a worker that once served is tried again."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config.oauth import IssuerSettings
from gateway.errors import LedgerUnavailable
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.messages import MAX_LINE
from tests.connectors.certificates import Authority
from tests.oauth.serving import Serving, plain_environment
from tests.waiting import until

LOGIN = IssuerSettings("http://127.0.0.1:9", "login")
AUDIENCE = "https://gateway.example"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a gateway that was served once leaves in its folder."""
    folder = tmp_path_factory.mktemp("served")
    serving = Serving(folder, LOGIN, AUDIENCE, None)
    serving.ready()
    serving.stop()
    return folder


@pytest.mark.long_cases("certificates")
@pytest.mark.parametrize(("direct", "workers"), [(False, 2), (True, 1)], ids=["plain", "certificates"])
def test_a_start_that_the_store_refuses_ends(served: Path, tmp_path: Path, direct: bool, workers: int) -> None:
    shutil.copytree(served, tmp_path, dirs_exist_ok=True)
    tls = None
    if direct:
        authority = Authority(tmp_path, "authority")
        certificate, key = authority.issue("server")
        tls = {"cert_file": str(certificate), "key_file": str(key), "client_ca_file": str(authority.ca_file)}
    serving = Serving(tmp_path, LOGIN, AUDIENCE, tls, workers=workers, begin=False)
    shutil.copy(served / "ledger.key", tmp_path)
    other = {**plain_environment(), "DUTYBOUND_LEDGER__ORIGIN": "other.example/ledger"}
    ended = subprocess.run(serving.command, env=other, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "nothing is served: " in ended.stderr.splitlines()[-1]
    assert "other.example/ledger" in ended.stderr.splitlines()[-1]


def test_only_a_start_is_ended() -> None:
    with Hub(2) as hub:
        stopped: list[str | None] = []
        hub.stop = lambda: stopped.append(hub.refused)
        one, two = (Link(os.environ[SUPERVISOR], lambda: None) for _ in range(2))
        one.up()
        refuse(two, LedgerUnavailable("every shard is held"))
        until("the refusal to be told", lambda: stopped == ["every shard is held"])
    with Hub(1) as hub:
        hub.stop = lambda: stopped.append("again")
        served = Link(os.environ[SUPERVISOR], lambda: None)
        served.up()
        refuse(served, LedgerUnavailable("the store is away"))
        served.up()
        until("the hub to hear", lambda: hub.heard >= 3)
        assert (hub.refused, stopped) == (None, ["every shard is held"])


def test_what_is_no_refusal_of_ours_is_told_by_its_kind() -> None:
    with Hub(1) as hub:
        refuse(Link(os.environ[SUPERVISOR], lambda: None), ValueError("of 5299000J2N45DDNE4Y28"))
        until("the refusal", lambda: hub.refused is not None)
        assert hub.refused == "something has not the form that is expected"


def test_a_worker_that_says_what_nobody_understands_is_cut_off() -> None:
    for nonsense in (b"x" * (MAX_LINE + 1), b"no message\n"):
        with Hub(1):
            ended: list[bool] = []
            link = Link(os.environ[SUPERVISOR], lambda ended=ended: ended.append(True))  # type: ignore[misc]
            link._socket.sendall(nonsense)
            until("the start to end", lambda ended=ended: ended == [True])  # type: ignore[misc]


def refuse(link: Link, error: Exception) -> None:
    with pytest.raises(type(error)), link.starting():
        raise error
