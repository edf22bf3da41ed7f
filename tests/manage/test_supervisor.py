"""Workers end with their supervisor, and there is one supervisor at an address and on a SQLite store."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.processes import descendants
from gateway.config.oauth import IssuerSettings
from gateway.errors import ConfigurationError
from gateway.manage.alone import listening, own, shared, taken
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.storage.sealing import key_file
from tests.connectors.certificates import Authority
from tests.oauth.serving import Serving, plain_environment
from tests.ports import free_port
from tests.waiting import until


class Started:
    """A gateway of two workers, plain or with client certificates; `asked` has a line each time a command prints its
    key."""

    def __init__(self, folder: Path, *, direct: bool) -> None:
        tls, self.verify = None, True
        if direct:
            authority = Authority(folder, "authority")
            certificate, key = authority.issue("server")
            tls = {"cert_file": str(certificate), "key_file": str(key), "client_ca_file": str(authority.ca_file)}
            self.verify = ssl.create_default_context(cafile=str(authority.ca_file))
        login = IssuerSettings("http://127.0.0.1:9", "login")
        key_file.generate(folder / "store.key")
        self.direct = direct
        self.asked, self.key = folder / "asked", folder / "store.key"
        command = ["sh", "-c", "echo asked >>asked; cat store.key"]
        self.serving = Serving(folder, login, "https://gateway.example", tls, workers=2, store_key_command=command)
        self.serving.ready(self.verify)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{self.serving.url}/health/live", verify=self.verify, trust_env=False)
            return True
        return False


KINDS = {"params": [False, True], "ids": ["plain", "certificates"]}


@pytest.fixture(**KINDS)
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Started]:
    """One for a test that ends it."""
    with _started(tmp_path, request.param) as made:
        yield made


@pytest.fixture(scope="module", **KINDS)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """One for all tests that leave it as it is."""
    with _started(tmp_path_factory.mktemp("shared"), request.param) as made:
        yield made


@contextlib.contextmanager
def _started(folder: Path, direct: bool) -> Iterator[Started]:
    made = Started(folder, direct=direct)
    yield made
    for pid in descendants(made.serving.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    made.serving.stop()


def beside(pid: int) -> int:
    """How many processes beside those that serve have begun."""
    found = 0
    for each in descendants(pid):
        with contextlib.suppress(OSError):  # it has ended since
            found += b"--parent" in Path(f"/proc/{each}/cmdline").read_bytes()
    return found


def gone(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.long_cases("certificates")
def test_workers_end_with_a_supervisor_that_is_killed(started: Started, tmp_path: Path) -> None:
    """And another can be started at once, while they still end. A signal that all of it hears ends that one well."""
    serving = started.serving
    until("all processes to run", lambda: len(descendants(serving.pid)) >= 4)  # it, two workers, and the projector
    below = set(descendants(serving.pid)) - {serving.pid}
    os.kill(serving.pid, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        log = tmp_path / "log"
        with (
            log.open("wb") as written,
            subprocess.Popen(serving.command, env=plain_environment(), stdout=written, stderr=written) as again,
        ):
            try:
                until("them to end", lambda: all(gone(pid) for pid in below))
                until("all processes to run", lambda: beside(again.pid) >= 2 and started.answers())
            finally:
                for pid in reversed(descendants(again.pid)):  # the supervisor last: it sees others end before it knows
                    os.kill(pid, number)
                assert again.wait(60) == 0
        assert not started.answers()
        assert '"started"' in log.read_text()
        assert "is started again" not in log.read_text(), "nothing is out of order where all is stopped"


def test_a_worker_that_is_killed_is_replaced_though_the_store_s_key_is_away(kept: Started, tmp_path: Path) -> None:
    serving = kept.serving
    assert kept.asked.read_text() == "asked\n", "once for all processes"
    kept.key.rename(tmp_path / "away")

    def workers() -> set[int]:
        told = httpx.get(f"{serving.manage}/health").json()
        return {each["pid"] for each in told["processes"]}

    before = until("two workers", lambda: len(workers()) == 2 and workers())
    os.kill(min(before), signal.SIGKILL)
    until("another in its place", lambda: len(workers()) == 2 and min(before) not in workers())
    assert kept.answers()
    assert kept.asked.read_text() == "asked\n"
    (tmp_path / "away").rename(kept.key)


def test_on_sighup_workers_are_replaced_one_after_the_other(kept: Started) -> None:
    serving = kept.serving

    def workers() -> set[int]:
        told = httpx.get(f"{serving.manage}/health").json()
        return {each["pid"] for each in told["processes"]}

    before = until("two workers", lambda: len(workers()) == 2 and workers())
    os.kill(serving.pid, signal.SIGHUP)
    until("two others", lambda: len(workers()) == 2 and not workers() & before)
    assert kept.answers()
    assert kept.asked.read_text() == "asked\n", "once for all processes"


def second(serving: Serving, **variables: str) -> subprocess.Popen[str]:
    environment = {**plain_environment(), **variables}
    return subprocess.Popen(serving.command, env=environment, stderr=subprocess.PIPE, text=True)


def refusal(started: subprocess.Popen[str]) -> str:
    """What one printed that does not start."""
    _, said = started.communicate(timeout=120)
    assert started.returncode == 1
    return said


@pytest.mark.long_cases("certificates")
def test_a_second_one_says_what_is_in_its_way(kept: Started, tmp_path: Path) -> None:
    serving = kept.serving
    linked = tmp_path / "linked.db"
    linked.symlink_to(serving.config.with_name("ledger.db"))
    # All at once: each of them waits a while for what is in its way.
    there = second(serving, DUTYBOUND_STORE=f"sqlite:///{tmp_path}/other.db")
    stores = [] if kept.direct else [str(serving.config.with_name("ledger.db")), str(linked)]  # the same on either
    beside = [
        second(serving, DUTYBOUND_LISTEN=f"127.0.0.1:{free_port()}", DUTYBOUND_STORE=f"sqlite:///{each}")
        for each in stores
    ]
    assert f"listen: `127.0.0.1:{serving.port}`: another process listens there" in refusal(there)
    for each in beside:
        assert "is served by another `dutybound serve`; stop it" in refusal(each)
    assert kept.answers()


def test_an_address_is_one_supervisors_before_its_workers_listen() -> None:
    port = free_port()
    with taken("127.0.0.1", port, "gateway.yaml") as held:
        shared(held)
        with pytest.raises(ConfigurationError, match="another process listens there"):
            taken("127.0.0.1", port, "gateway.yaml", patience=0)
        with own(held) as worker:
            worker.listen()
            with pytest.raises(ConfigurationError, match="another process listens there"):
                taken("127.0.0.1", port, "gateway.yaml", patience=0)
    taken("127.0.0.1", port, "gateway.yaml").close()


def test_connections_that_just_ended_hinder_no_later_start() -> None:
    for worker in (False, True):
        _ended_and_taken_again(free_port(), worker)


def _ended_and_taken_again(port: int, worker: bool) -> None:
    with taken("127.0.0.1", port, "gateway.yaml") as held, contextlib.ExitStack() as stack:
        if worker:
            shared(held)
            listener = stack.enter_context(own(held))
            listener.listen()
        else:
            listening(listener := held)
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            accepted.close()  # whoever ends it first is left with it for a minute
            assert client.recv(1) == b""
        with pytest.raises(ConfigurationError, match="another process listens there"):
            taken("127.0.0.1", port, "gateway.yaml", patience=0)
    with taken("127.0.0.1", port, "gateway.yaml", patience=0) as held:
        listening(held)


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"listen: `192\.0\.2\.1:1234`: cannot listen there"):
        taken("192.0.2.1", 1234, "gateway.yaml")


def test_a_link_ends_what_it_must_when_its_supervisor_is_gone_or_was() -> None:
    ended = threading.Event()
    with Hub(1):
        address = os.environ[SUPERVISOR]
        Link(address, ended.set)
        assert not ended.wait(0.2)
    assert ended.wait(60)
    late = threading.Event()
    Link(address, late.set)
    assert late.is_set()


FORKS = """
import os, sys, time
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
with Hub(1):
    for _ in range(3):
        if not os.fork():
            Link(os.environ[SUPERVISOR])
            os.write(1, f"{os.getpid()}\\n".encode())  # at once, so that three do not mix
            time.sleep(600)
    time.sleep(600)
"""


def test_links_are_not_held_by_those_that_are_forked_later() -> None:
    with subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        below = [int(supervisor.stdout.readline()) for _ in range(3)]
        for pid in below[1:]:
            os.kill(pid, signal.SIGSTOP)
        supervisor.kill()
        until("it to end", lambda: gone(below[0]))
        for pid in below[1:]:
            os.kill(pid, signal.SIGCONT)
        until("them to end", lambda: all(gone(pid) for pid in below))
