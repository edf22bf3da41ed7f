"""The tests' kit: it does what it says, and another way to wait, to find a port or to configure is found."""

from __future__ import annotations

import ast
import itertools
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import settings
from tests import configured, ports, waiting
from tests.ports import free_port
from tests.waiting import until, until_async

TESTS = Path(__file__).parent
KIT = {"waiting.py": "wait", "ports.py": "port", "configured.py": "configuration"}
EXCEPT = {
    ("wait", "bench/gateways.py"): "measures how long a gateway takes to answer",
    ("wait", "connectors/test_mixing.py"): "a department that answers in pieces",
    ("wait", "faults/activations.py"): "judges what was answered until something was, or a minute is over",
    ("wait", "faults/acts.py"): "looks again and again whether the replicas are ready",
    ("wait", "faults/replicas.py"): "connections that were refused rest, and a replica is asked until it is ready",
    ("wait", "faults/changes.py"): "a department that rests between two messages",
    ("wait", "faults/recall.py"): "waits for what takes longer than any test",
    ("wait", "faults/soak.py"): "asks for as long as it was told to",
    ("wait", "faults/start.py"): "measures how long a start takes",
    ("wait", "ledger/witness/test_witness_bounds.py"): "a witness that drips",
    ("wait", "proposals/test_http.py"): "asks an asynchronous client again and again",
    ("wait", "connectors/servers.py"): "a department that answers slowly",
    ("wait", "connectors/http/test_transport.py"): "a department that answers in pieces",
    ("wait", "serving/test_direct.py"): "a client that rests between two pieces of a request",
    ("wait", "storage/test_outages.py"): "a client that rests before it asks again",
    ("wait", "storage/test_proving.py"): "a gateway that goes on entering",
    ("port", "demo/test_servers.py"): "the demo's own way to find a port is tested",
    ("configuration", "config/test_settings.py"): "the text, and the place of each mistake in it, is tested",
}


def _inside(loop: ast.AST) -> Iterator[ast.AST]:
    """What a loop does itself, and not what it defines."""
    for node in ast.iter_child_nodes(loop):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _inside(node)


def _sleeps(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[ast.Constant(value=seconds)]):
            return bool(seconds)
    return False


def _words(node: ast.AST) -> set[object]:
    """The keys of a mapping or of a text."""
    match node:
        case ast.Dict(keys=keys):
            return {key.value for key in keys if isinstance(key, ast.Constant)}
        case ast.Constant(value=str(text)):
            return set(re.findall(r"(\w+):", text))
        case ast.JoinedStr(values=values):
            return set().union(*map(_words, values))
    return set()


def made(source: str) -> set[str]:
    """Which things of the kit a text of Python makes by itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if re.fullmatch(r"_?(wait_)?(until|eventually)(_async)?", name):
                    found.add("wait")
                if name == "free_port":
                    found.add("port")
            case ast.For() | ast.While() | ast.AsyncFor() if any(map(_sleeps, _inside(node))):
                found.add("wait")
            case ast.Call(func=ast.Attribute(attr="bind"), args=[ast.Tuple(elts=[_, ast.Constant(value=0)])]):
                found.add("port")
            case ast.ImportFrom(module=module, names=names) if module != "tests.ports":
                if any(each.name == "free_port" for each in names):
                    found.add("port")
            case ast.Dict() | ast.Constant() | ast.JoinedStr() if {"public_url", "ledger"} <= _words(node):
                found.add("configuration")
    return found


def test_there_is_one_of_each() -> None:
    files = [each for each in TESTS.rglob("*.py") if "node_modules" not in each.parts and each != Path(__file__)]
    found = {(what, each.relative_to(TESTS).as_posix()) for each in files for what in made(each.read_text("utf-8"))}
    assert found == {*((what, name) for name, what in KIT.items()), *EXCEPT}


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ("def until(condition): ...", "wait"),
        ("async def eventually(condition): ...", "wait"),
        ("while not there():\n    time.sleep(0.1)", "wait"),
        ("for _ in range(9):\n    if there():\n        break\n    await asyncio.sleep(0.1)", "wait"),
        ("def free_port(): ...", "port"),
        ("with socket.socket() as free:\n    free.bind(('127.0.0.1', 0))", "port"),
        ("from deploy.demo.processes import Child, free_port", "port"),
        ("file.write_text('public_url: x\\n' f'ledger: {{origin: {x}}}\\n')", "configuration"),
        ("file.write_text('public_url: x\\nledger: {origin: x}\\n')", "configuration"),
        ("dump({'public_url': url, 'ledger': {'origin': name}})", "configuration"),
    ],
)  # fmt: skip
def test_another_one_is_found(planted: str, what: str) -> None:
    assert made(planted) == {what}


async def test_waiting_gives_what_came() -> None:
    answers = iter([0, KeyError(), 7, 0, KeyError(), 8])

    def ask() -> int:
        said = next(answers)
        if isinstance(said, Exception):
            raise said
        return said

    async def later() -> int:
        return ask()

    assert until("a number", ask, despite=(KeyError,)) == 7
    assert await until_async("a number", later, despite=(KeyError,)) == 8
    with pytest.raises(StopIteration):
        until("a number", ask, despite=(KeyError,))


@pytest.mark.parametrize(
    ("reached", "last"), [(lambda: 0, "at last it was 0"), (lambda: {}["x"], r"at last it was KeyError\('x'\)")]
)
async def test_waiting_ends_and_says_for_what(
    reached: Callable[[], Any], last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.02)
    for _ in range(2):
        with pytest.raises(AssertionError, match=rf"waited 0\.02 s for a tram; {last}"):
            until("a tram", reached, despite=(KeyError,))
    with pytest.raises(AssertionError, match=rf"waited 0\.02 s for a tram; {last}"):
        await until_async("a tram", reached, despite=(KeyError,))


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by this process, nor by others that begin with the same one at the same time."""
    script = """import itertools, sys
from tests import ports
ports._numbers = itertools.cycle(ports.PORTS)
print(*(ports.free_port() for _ in range(50)), flush=True)
sys.stdin.read()"""
    command, piped = [sys.executable, "-c", script], subprocess.PIPE
    others = [subprocess.Popen(command, cwd=TESTS.parent, stdin=piped, stdout=piped) for _ in range(3)]
    monkeypatch.setattr(ports, "_numbers", itertools.cycle(ports.PORTS))
    given = [free_port() for _ in range(50)]
    for other in others:
        assert other.stdout is not None
        given += map(int, other.stdout.readline().split())
    for other in others:
        other.communicate()
    assert len(set(given)) == 200


def test_a_port_that_somebody_listens_at_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = free_port(), free_port()
    for claim in ports._claims[-2:]:
        claim.close()
    monkeypatch.setattr(ports, "_numbers", itertools.cycle([one, two]))
    with socket.create_server(("127.0.0.1", one)):
        assert free_port() == two


def test_the_configuration_is_whole_and_takes_changes(tmp_path: Path) -> None:
    usual = settings.load(configured.write(tmp_path), {})
    assert (usual.port, usual.ledger.origin, usual.limits) == (8080, configured.ORIGIN, settings.Limits())
    file = configured.write(tmp_path, ledger={"head_file": "heads.json"}, store="sqlite:///x.db", limits={"depth": 3})
    changed = settings.load(file, {})
    assert (changed.ledger.origin, changed.ledger.head_file) == (configured.ORIGIN, tmp_path / "heads.json")
    assert (changed.store, changed.limits.depth) == (f"sqlite:///{tmp_path}/x.db", 3)
