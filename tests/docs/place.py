"""A folder as a reader of the documentation has it: policies, a configuration, an answer to verify; a real server."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path
from string import Template

from deploy.demo.configuration import USUAL
from gateway.ledger.proof import key_files
from tests.docs.reading import ROOT
from tests.ledger import support
from tests.ports import free_port
from tests.waiting import until


def prepare(folder: Path, configuration: str) -> None:
    """Put everything there that documented commands name, but what they make themselves."""
    (folder / "policies").symlink_to(ROOT / "policies", target_is_directory=True)
    (folder / "var").mkdir()
    (folder / "gateway.yaml").write_text(configuration)
    (folder / "login.secret").touch(mode=0o600)
    (folder / "login.secret").write_text("a secret of the issuer's\n")
    sources = Template((ROOT / "deploy" / "demo" / "sources.yaml").read_text())
    (folder / "sources.yaml").write_text(sources.substitute(dict.fromkeys(USUAL, 9)))
    key_files.write_verifiers(folder / "var" / "ledger.pub", support.KEY, support.ORIGIN, ["1", "2"])
    (folder / "RECEIPT_FILE").write_bytes(asyncio.run(_answer(folder)))


async def _answer(folder: Path) -> bytes:
    store = support.store_in(folder / "var")
    async with support.opened(store) as ledger:
        answer = await support.disclosed(ledger)
    store.close()
    return answer


def serve(arguments: list[str], folder: Path) -> int:
    """Run `serve` for real until all of it runs, then end it as a service manager would; gives its exit status."""
    workers = int(arguments[arguments.index("--workers") + 1]) if "--workers" in arguments else 1
    port = free_port()
    command = [str(Path(sys.executable).with_name("dutybound")), *arguments]
    environment = {
        **os.environ,
        "DUTYBOUND_LISTEN": f"127.0.0.1:{port}",
        "DUTYBOUND_MANAGE": f"127.0.0.1:{free_port()}",
    }
    log = folder / "serve.log"

    def started() -> bool:
        assert process.poll() is None, log.read_text()
        return log.read_text().count('"event":"started"') >= workers and _ready(port)

    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            until("all of it to run", started)
            process.send_signal(signal.SIGTERM)
            return process.wait(60)
        finally:
            process.kill()


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
