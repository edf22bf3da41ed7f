"""The bench measures what it says: departments tell the expected values, and both comparison gateways answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench import gateways, journey, steps, world
from tests.bench.gateways import Gateway, Reply
from tests.bench.journey import Scene
from tests.bench.processes import BenchError, Child, Cores, running, start_departments
from tests.npm import installed
from tests.ports import free_port

Start = Callable[[Path, dict[str, str], Cores], Gateway]


@pytest.fixture(scope="module")
def departments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, Scene]]:
    folder = tmp_path_factory.mktemp("bench")
    cores, issuer = Cores(), world.Issuer(folder)
    child, urls = start_departments(issuer.jwks, folder, cores.departments)
    with running(child):
        yield child, Scene(folder, cores, urls, issuer)


@pytest.mark.parametrize("start", [gateways.naive, gateways.apollo])
def test_a_comparison_gateway_answers_every_value(departments: tuple[Child, Scene], start: Start) -> None:
    child, scene = departments
    installed(gateways.HERE / "apollo")
    ask = scene.bare()
    gateway = start(scene.folder, scene.departments, scene.cores)
    with running(gateway.child):
        gateway.await_answer(*journey.first(ask))
        replies = journey.check(gateway, ask, 0)
        assert len(replies) == journey.CHECKED
        assert gateway.child.cpu_ms() > 0
        assert gateway.child.rss_mb()[0] > 10
        wrong = replies[0].json["data"]["organisation"]["alphaNotices"][0]
        wrong["quantity"] += 1
        with pytest.raises(BenchError, match="wrong answer"):
            ask.check(0, replies[0])
    assert gateway.child.process.poll() is not None
    assert child.told() == ""


def test_the_gateway_answers_every_row_s_question(departments: tuple[Child, Scene]) -> None:
    """The bench's own policies load, and each kind of load is answered as its check wants it, receipt included."""
    _, scene = departments
    port = free_port()
    config = world.write(scene.folder / "own", scene.departments, scene.issuer_url, port)
    asks = [scene.inquiry("50"), scene.inquiry("200"), scene.inquiry("800"), scene.denial(), scene.novel()]
    gateway = gateways.dutybound(config, port, scene.cores)
    with running(gateway.child):
        gateway.await_answer(*journey.first(asks[0]))
        sizes = []
        for serial, ask in enumerate(asks):
            replies = journey.check(gateway, ask, serial * 1000)
            assert len(replies) == journey.CHECKED
            sizes.append(gateways.size_of_ledger(journey.receipt(replies[-1])))
    assert sizes == [1 + journey.CHECKED * times for times in range(1, len(asks) + 1)]


def test_every_step_of_the_profile_is_found(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in steps.steps(tmp_path, Cores(), inquiries=20)}
    assert [name for name, _, _ in steps.STEPS if not rows[name]["cpu_us"] > 0] == []
    assert sum(rows[name]["share"] for name, _, _ in steps.STEPS) == pytest.approx(1, abs=0.2)


def test_an_answer_without_a_receipt_fails_the_run() -> None:
    with pytest.raises(BenchError, match="without a receipt"):
        journey.receipt(Reply(200, {"data": {}, "extensions": {"inquiry": {}}}, 0))


def test_a_request_that_the_bench_does_not_serve_is_told(departments: tuple[Child, Scene]) -> None:
    child, scene = departments
    reply = gateways.post(scene.departments["alpha"], '{"query": "{ other }"}')
    assert reply.status == 400
    with pytest.raises(BenchError, match="refused"):
        journey._unrefused(child)
    child.log.write_text("")
