"""`dutybound serve` keeps the process that recalls: what it tells arrives, also once a killed one was replaced."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path

import httpx
import msgspec

from deploy.demo.processes import descendants
from gateway.config.oauth import IssuerSettings
from gateway.storage.store import open_file
from gateway.storage.watch.findings import Glass
from tests import configured
from tests.oauth.serving import Serving
from tests.recall.receiving import recipients
from tests.waiting import until


def recallers(pid: int) -> list[int]:
    """Those among the processes below one."""
    found = []
    for each in descendants(pid):
        file = Path(f"/proc/{each}/cmdline")
        if file.exists() and b"gateway.recall.worker" in file.read_bytes():
            found.append(each)
    return found


def broken(store: Path, inquiry: str) -> str:
    """A use of break-glass, as the transaction of an inquiry's entry leaves it; its finding."""
    use = Glass(inquiry, 1, "https://login.example", "ambulance", "health", "d.night", "EMERGENCY")
    opened = open_file(store)
    try:
        with opened.engine.begin() as connection:
            connection.execute(use.opening("somebody broke the glass"))  # type: ignore[call-overload]
    finally:
        opened.close()
    return use.finding


def test_a_use_of_break_glass_is_told_by_whichever_process_recalls(tmp_path: Path) -> None:
    secret = base64.b64encode(b"a" * 32).decode()
    configured.secret(tmp_path / "alerts.secret", f"whsec_{secret}")
    with recipients("operations") as [one]:
        keys = {"webhooks": {"networks": ["127.0.0.0/8"]}, "alerts": {"url": one.url, "secret_file": "alerts.secret"}}
        login = IssuerSettings("http://127.0.0.1:9", "login")
        started = Serving(tmp_path, login, "https://gateway.example", None, **keys)
        store = next(tmp_path.glob("*.db"), None) or tmp_path / "ledger.db"

        def told(finding: str, kind: str = "break-glass.used") -> bool:
            said = [msgspec.json.decode(body) for _, body in one.taken]
            return any(each["type"] == kind and each["data"] == {"finding": finding} for each in said)

        def counted(count: int) -> bool:
            text = httpx.get(f"{started.manage}/metrics", trust_env=False).text
            return f'dutybound_alerts_total{{kind="break-glass.used"}} {count}.0' in text

        try:
            started.ready()
            first = broken(store, "i-1")
            until("the first to be told", lambda: told(first))
            until("its review, which is long overdue", lambda: told(first, "review.overdue"))
            until("it in the metrics", lambda: counted(1))
            [killed] = recallers(started.pid)
            os.kill(killed, signal.SIGKILL)
            second = broken(store, "i-2")
            until("the second to be told", lambda: told(second))
            until("both in the metrics", lambda: counted(2))
            [one_left] = recallers(started.pid)
        finally:
            started.stop()
        assert not Path(f"/proc/{one_left}").exists()
        assert len([1 for _, body in one.taken if b"break-glass.used" in body]) == 2
