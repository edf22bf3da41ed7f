"""What running processes say at the management address, and what the store says, as lines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from gateway.config.managing import ManageSettings
from gateway.manage.hub import Hub
from gateway.manage.link import SUPERVISOR, Link
from gateway.manage.processes import BESIDE, collect
from gateway.manage.server import served
from gateway.manage.states import States, Trouble
from gateway.status.processes import of_processes
from gateway.status.store import of_store
from gateway.storage.tables import micros
from tests.manage.test_address import told
from tests.ports import free_port
from tests.waiting import until
from tests.world import Ask, World, new_subject, opened

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(1) as made:
        yield made


def test_what_is_out_of_order_is_shown_and_who_does_not_answer(hub: Hub) -> None:
    at = ManageSettings("127.0.0.1", free_port(), TOKEN)
    (silent,) = of_processes(at)
    assert (silent.well, silent.said.startswith(f"127.0.0.1:{at.port} does not answer")) == (False, True)
    (none,) = of_processes(None)
    assert none.well
    link = Link(os.environ[SUPERVISOR], lambda: None)
    with served(at, hub, "gateway.yaml"):
        link.tell(told(7, 1))
        until("the report to be there", lambda: hub.health()["processes"])
        assert [(each.name, each.said, each.well) for each in of_processes(at)] == [("serving", "1 of 1 ready", True)]
        trouble = Trouble("department", "tax", "SOURCE_TIMEOUT: no answer")
        link.tell(msgspec.structs.replace(told(7, 1, fine=False), troubles=[trouble]))
        until("the trouble to be there", lambda: hub.health()["troubles"])
        assert [(each.name, each.said, each.well) for each in of_processes(at)] == [
            ("serving", "0 of 1 ready", False),
            ("7", "not ready: ledger", False),
            ("department tax", "SOURCE_TIMEOUT: no answer", False),
        ]
        url = f"http://127.0.0.1:{at.port}/metrics"
        metrics = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False).text
        assert 'dutybound_out_of_order{name="tax",part="department"} 1.0' in metrics
        assert 'dutybound_running_processes{process="supervisor"} 1.0' in metrics
    linted = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
    assert (linted.returncode, linted.stderr) == (0, "")


def test_states_say_what_is_out_of_order_now() -> None:
    states = States(lambda *_args, **_facts: None)
    heard = states.of("department")
    heard("tax", "down")
    heard("market", "slow")
    heard("market", None)
    assert states.now() == [Trouble("department", "tax", "down")]


def test_processes_are_counted_by_kinds_and_none_else() -> None:
    kinds = {sample.labels["process"] for family in collect([]) for sample in family.samples}
    assert "supervisor" in kinds
    assert kinds <= {"supervisor", "worker", *BESIDE.values()}


def test_the_store_is_shown_by_shards_and_projections_without_a_subject() -> None:
    with opened() as world:
        subject = _asked(world)
        lines = list(of_store(world.store, micros(world.now)))
    by = {(each.part, each.name): each for each in lines}
    shard = by["ledger", world.ledger.shard]
    assert shard.facts["entries"] == 1
    assert {each.name for each in lines if each.part == "projections"} >= {"looked", "received"}
    assert by["projections", "looked"].facts["behind"] == 1
    assert by["rules", ""].said == "no rule set was activated yet"
    assert [by["queue", name].well for name in ("messages", "recalls", "jobs", "recipients")] == [True] * 4
    assert subject not in str(lines)


def _asked(world: World) -> str:
    subject = new_subject()
    asker = world.requester("environment-agency", official="e.lind")
    query = "query($id: IdentifierInput!) @inquiry(purpose: LICENCE_RENEWAL) { organisation(id: $id) { name } }"
    assert world.ask(Ask(asker, query, {"id": {"scheme": subject.scheme, "value": subject.value}})).data
    return subject.value
