"""`dutybound recalls client`: for cron, by hand, and as a process that takes nudges; every refusal is one sentence."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway import cli
from tests import configured
from tests.docs.reading import ROOT
from tests.ports import free_port
from tests.recipient.kit import LEI, receipt, write_config
from tests.recipient.standin import Gateway, recall, standing
from tests.waiting import until


class Run:
    """The command, in a folder with its configuration."""

    def __init__(self, folder: Path, gateway: Gateway, url: str, said: pytest.CaptureFixture[str]) -> None:
        self.folder, self.gateway, self.url, self._said = folder, gateway, url, said
        self.file = write_config(folder, url)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        status = cli.main(["recalls", "client", "--config", str(self.file), *arguments])
        return (status, *self._said.readouterr())


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    gateway = Gateway()
    gateway.receipts.append(receipt())
    with standing(gateway) as url:
        yield Run(tmp_path, gateway, url, capsys)


def test_a_person_is_told_what_to_do_and_says_that_it_is_done(run: Run) -> None:
    run.gateway.add(recall("R-1", 1))
    status, out, err = run("--once")
    assert (status, err) == (0, "0 answered, 1 wait for a person, 0 failed\n")
    assert out == (
        f"R-1: delete, by 2026-12-04T12:00:00+00:00, of LEI {LEI[2]}, from inquiry I-1:\n"
        "    tax-arrears/N-1@1 (period, amount)\n"
    )
    assert run.gateway.acknowledged == []
    assert run("--done", "R-1") == (0, "", "")
    assert run.gateway.acknowledged == [("R-1", "APPLIED", None, ())]
    assert run("--once")[:2] == (0, "")
    status, _, err = run("--done", "R-1")
    assert (status, err) == (1, "no recall `R-1` waits in the register; take it in first, with --once\n")


def test_past_receipts_that_cannot_be_read_are_a_failure(run: Run) -> None:
    run.gateway.receipts[:0] = ["nonsense"]
    status, _, err = run("--once")
    assert (status, err.splitlines()[-1]) == (1, "0 answered, 0 wait for a person, 1 failed")
    assert run("--once")[0] == 0, "it is behind it"
    run.gateway.meanwhile = lambda field, when: "LEDGER_UNAVAILABLE" if (field, when) == ("receipts", "before") else ""
    assert run("--once")[0] == 1


def test_a_refusal_names_its_law(run: Run) -> None:
    run.gateway.add(recall("R-1", 1))
    run("--once")
    assert run("--refuse", "R-1") == (1, "", "a refusal names the law that it rests on: give --reason\n")
    assert run("--refuse", "R-1", "--reason", "Archives Act, Art. 4")[0] == 0
    assert run.gateway.acknowledged == [("R-1", "REFUSED", "Archives Act, Art. 4", ())]


def test_what_was_passed_on_is_noted_and_told(run: Run) -> None:
    assert run("--passed-on", "I-1", "--to", "Customs")[:1] == (1,), "it is not in the register yet"
    (run.folder / "answer.json").write_text(json.dumps({"extensions": {"inquiry": {"receipt": receipt()}}}))
    assert run("--received", str(run.folder / "answer.json"))[0] == 0
    assert run("--passed-on", "I-1") == (1, "", "name the recipient: give --to\n")
    assert run("--passed-on", "I-1", "--to", "Customs")[0] == 0
    run.gateway.add(recall("R-1", 1))
    assert "    and notify Customs, who has it from you\n" in run("--once")[1]
    run("--done", "R-1")
    assert run.gateway.acknowledged == [("R-1", "PASSED_ON", None, ("Customs",))]


def test_an_update_is_fetched_and_printed_and_kept_nowhere(run: Run) -> None:
    meta = {"id": "N-1", "version": "2", "document": None, "effective": None, "displayUntil": None, "disputed": False}
    run.gateway.correct["R-1"] = [{"period": "2025", "amount": "7.50", "record": meta}]
    run.gateway.add(recall("R-1", 1, "UPDATE"), recall("R-2", 2, inquiry="I-2"))
    run("--once")
    assert run.gateway.asked.count("organisation") == 0, "nobody asked for it yet"
    status, out, _ = run("--fetch", "R-1")
    assert status == 0
    assert json.loads(out)["correction"]["records"]["tax-arrears"][0]["amount"] == "7.50"
    assert b"7.50" not in (run.folder / "register.db").read_bytes()
    status, _, err = run("--fetch", "R-2")
    assert (status, err) == (1, "`R-2` asks for nothing that could be fetched\n")


def test_deletion_is_attested(run: Run) -> None:
    run("--received", str(configured.secret(run.folder / "receipt", receipt())))
    status, _, err = run("--deleted", "2026-12-24")
    assert (status, err) == (
        0,
        "attested for 2026-12-24: the register held 1 records until then, and names nobody in them\n",
    )
    assert run.gateway.attested == ["2026-12-24"]
    with pytest.raises(SystemExit):
        run("--deleted", "soon")


@pytest.mark.parametrize(("ends", "answered", "failed"), [("0", 1, 0), ("3", 0, 1)])
def test_a_command_does_it(run: Run, ends: str, answered: int, failed: int) -> None:
    script = run.folder / "apply.py"
    given = run.folder / "given.json"
    script.write_text(f"import sys; open({str(given)!r}, 'w').write(sys.stdin.read()); sys.exit({ends})")
    write_config(run.folder, run.url, f"command: [{sys.executable}, {script}]\n")
    run.gateway.add(recall("R-1", 1))
    status, _, err = run("--once")
    assert status == failed
    assert err.endswith(f"{answered} answered, 0 wait for a person, {failed} failed\n")
    told = json.loads(given.read_text())
    assert (told["recall"], told["action"], told["value"]) == ("R-1", "DELETE", LEI[2])
    assert [each["record"] for each in told["records"]] == ["N-1"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("[/nowhere/apply]", "cannot be started"),
        (f"[{sys.executable}, -c, 'import time; time.sleep(600)']", "took more"),
    ],
)
def test_a_command_that_does_not_do_it_is_told(run: Run, command: str, why: str) -> None:
    write_config(run.folder, run.url, f"command: {command}\npatience: 1s\n")
    run.gateway.add(recall("R-1", 1))
    status, _, err = run("--once")
    assert status == 1
    assert err.startswith(f"R-1: `{command.strip('[]').split(',')[0]}` {why}")
    assert run.gateway.acknowledged == []


def test_what_cannot_be_used_is_one_sentence(run: Run) -> None:
    (run.folder / "register.db").write_bytes(b"not a store, but long enough to be taken for one" * 30)
    status, out, err = run("--once")
    assert (status, out) == (1, "")
    assert "cannot be used as a register" in err
    assert "Traceback" not in err
    (run.folder / "register.db").unlink()
    assert run("--received", str(run.folder / "nothing"))[2].endswith("cannot be read (No such file or directory)\n")
    (run.folder / "noise").write_bytes(b"\xff\x00")
    assert run("--received", str(run.folder / "noise"))[0] == 1
    run.file.write_text("gateway: x\n")
    assert run("--once")[2].count("\n") == 3


def test_a_process_takes_nudges_and_ends_when_it_is_told_to(run: Run) -> None:
    port, secret = free_port(), b"s" * 24
    configured.secret(run.folder / "webhook.secret", f"whsec_{base64.b64encode(secret).decode()}")
    did = run.folder / "did"
    write_config(
        run.folder,
        run.url,
        f"command: [/usr/bin/touch, {did}]\nwebhook: {{listen: 127.0.0.1:{port}, secret_file: webhook.secret}}\n",
    )
    run.file.write_text(run.file.read_text().replace("poll: 1s", "poll: 1h"))
    command = [sys.executable, "-m", "gateway.recipient", "--config", str(run.file)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        until("its first look", lambda: "recalls" in run.gateway.asked)
        run.gateway.add(recall("R-1", 1))
        until(
            "an answer to nudges", lambda: _nudge(port, secret) and run.gateway.acknowledged, despite=(httpx.HTTPError,)
        )
        status, _, err = run("--once")
        assert (status, "another client works with" in err) == (1, True)
        assert run("--passed-on", "I-1", "--to", "Customs")[0] == 0, "what a person notes need not wait"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert did.exists()


def _nudge(port: int, secret: bytes) -> bool:
    id_, stamp = str(time.monotonic_ns()), str(int(time.time()))
    body = b'{"type":"recall.available","timestamp":"2026-11-24T12:00:00Z","data":{"recall":"R-1"}}'
    right = base64.b64encode(hmac.digest(secret, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)).decode()
    sent = {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{right}"}
    return httpx.post(f"http://127.0.0.1:{port}/recalls", content=body, headers=sent).status_code == 204


def test_an_address_that_is_taken_is_told(run: Run) -> None:
    configured.secret(run.folder / "webhook.secret", f"whsec_{base64.b64encode(b's' * 24).decode()}")
    port = run.url.rpartition(":")[2]
    write_config(run.folder, run.url, f"webhook: {{listen: 127.0.0.1:{port}, secret_file: webhook.secret}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "gateway.recipient", "--config", str(run.file)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"nobody can be listened to at 127.0.0.1:{port} (")
