"""`world`: the demo's region, running for real, for the tests that ask it over the network.

Each test worker starts its own, at the first test that wants one, on free ports and in a folder of its own; the
departments' invented records are made once a day and shared. Nothing here is simulated: the authorization server, five
departments, two case registries and the gateway are processes, and end with the worker.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import gc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import httpx._transports.default
import pytest
from hypothesis import HealthCheck, Phase, settings

from deploy.demo import client, configuration, stores
from deploy.demo.configuration import USUAL, Place, today
from deploy.demo.supervisor import Region
from tests import kept, memory, packaged
from tests.drawn import RANDOM, examples
from tests.ports import free_port
from tests.rules.policies import fewer_tests
from tests.scanning import keeping
from tests.telemetry.collector import collecting

memory.use(os.environ)
gc.disable()  # until all is collected: there is no garbage before

pytest_plugins = ["tests.long", "tests.seconds", "tests.scanning.plugin"]

# A busy machine is slow at drawing examples too: no test is about how quick it is. What fails is told as it was drawn,
# for a planted fault is only to be found: to make an example small takes longer than to find it.
PHASES = [phase for phase in Phase if phase not in (Phase.shrink, Phase.explain) or os.environ.get("DUTYBOUND_SHRINK")]
# One commit has one verdict: examples are the same each time, but in `make properties`, which draws them anew.
settings.register_profile(
    "dutybound",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=PHASES,
    derandomize=not RANDOM,
    max_examples=examples(25, 100),
)
settings.load_profile("dutybound")

# Nothing here is far away: a client that is made for one request need not read all authorities of the web first.
# Certificates in a test are its own authority's.
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)
kept.begin()

# A region has few of the policies' tests: to run them is most of what a draft of its officers takes.
_policies = configuration._policies


def _fewer(place: Place) -> None:
    _policies(place)
    fewer_tests(place.policies, "licence-renewal.yaml", "subject-access.yaml")


configuration._policies = _fewer

SHARED = Path(__file__).resolve().parents[1] / "var" / "tests"


LONGEST = ("tests/faults/", "tests/acts/whole/", "tests/storage/test_serving.py", "tests/storage/test_v")
"""What takes up to minutes is begun first, or one worker is still at it when the others have ended."""


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a third of the time a test waits for processes that it started."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest, then what asks a region, side by side so that few workers start one, then the rest as it stands."""
    asking = {item.path for item in items if "world" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (not item.nodeid.startswith(LONGEST), item.path not in asking))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not walk thousands of tests again and again.

    Nor need it look for garbage at every 700 objects, which is a twentieth of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


class World(NamedTuple):
    """A running region, by what `demo.json` tells of it."""

    told: Mapping[str, Any]
    region: Region

    @property
    def graphql(self) -> str:
        """The address to ask."""
        return f"{self.told['gateway']}/graphql"

    def subject(self, name: str) -> dict[str, str]:
        """A named subject's identifier: `{scheme, value}`."""
        return dict(self.told["subjects"][name])

    def case(self, client_id: str, subject: Mapping[str, str], official: str | None = None) -> str:
        """An open case of the client's registry that names the subject and is the official's (default: the first's)."""
        about = self.told["clients"][client_id]
        wanted = official or about["officials"][0]
        for number, case in self.told["cases"].items():
            fits = case["registry"] == about["department"] and case["open"] and case["official"] == wanted
            if fits and case["subject"] == dict(subject):
                return str(number)
        raise LookupError(f"no open case of {client_id} and {wanted} names {dict(subject)}")

    def token(self, client_id: str, official: str | None = None, scope: str | None = None, **more: str) -> str:
        """An access token from the region's authorization server."""
        return client.token(self.told, client_id, official, scope, **more)

    def ask(
        self,
        client_id: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        official: str | None = None,
        scope: str | None = None,
    ) -> client.Reply:
        """Ask the gateway one question with a new token."""
        return client.ask(self.told, self.token(client_id, official, scope), query, variables or {})


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> packaged.Installed:
    """The wheel, installed."""
    return packaged.install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The region of this worker."""
    with collecting() as collector, pytest.MonkeyPatch.context() as patched:
        # All that it is asked is traced: what is sent, and what it shows as metrics, is scanned as its log is.
        patched.setenv("DUTYBOUND_TRACING__ENDPOINT", collector.url)
        patched.setenv("DUTYBOUND_TRACING__SAMPLE", "1")
        with region_in(tmp_path_factory.mktemp("region")) as region:
            patched.undo()
            told = region.tell()
            yield World(told, region)
            for shown in ("metrics", "health"):
                with contextlib.suppress(httpx.TransportError):  # where a test stopped it
                    keeping.kept(shown, httpx.get(f"{told['manage']}/{shown}", trust_env=False).content)
        keeping.kept("traces", b"\n".join(collector.bodies))


def region_in(var: Path) -> Region:
    """A region of its own, in an empty folder, with the records that all share; it starts when it is entered."""
    (var / "demo").mkdir()
    (var / "demo" / "data").symlink_to(records("today", today()), target_is_directory=True)
    return Region(var, lambda line: None, {server: free_port() for server in USUAL})


def records(name: str, day: datetime.date) -> Path:
    """The folder of a day's records, to be read: made by the first worker that comes, and kept for the next run."""
    folder = SHARED / f"region-{name}"
    SHARED.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(SHARED / f"region-{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        stores.prepare(folder, day)
    finally:
        os.close(descriptor)
    return folder
