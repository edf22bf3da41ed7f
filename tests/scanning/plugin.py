"""Keeps what gateways write while tests run, and has it scanned at the end: a run that finds something has failed.

Kept are the log of each process that tests start (`started`), the log lines of gateways within the tests' own
processes, what the region of each worker sends as traces and shows as metrics (`kept`), and every refusal that a
client of the tests gets, and the errors that commands print (`refused`).

A page that refuses is often the page that was filled in, shown again. So it may have what pages showed in the same
session before, and greet whoever is signed in; any other refusal may have only what was asked with it.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import shutil
import sys
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import cli
from gateway.console.guarding import COOKIE
from gateway.telemetry.log import Log
from tests.scanning.keeping import FOLDER, REFUSED, kept, refused
from tests.scanning.scan import named

_STARTED = str(Path(__file__).parent / "started")
_findings: list[str] = []
_shown: dict[str, set[str]] = {}  # by session
_GREETED = re.compile(r'<div class="who"><span><b>([^<]*)</b>')


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="scanned-")
        others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
        os.environ["PYTHONPATH"] = os.pathsep.join([_STARTED, *others])
    write = Log._write

    def both(log: Log, event: str, level: str, **fields: Any) -> None:
        kept("own", repr((event, level, fields)).encode())
        write(log, event, level, **fields)

    Log._write = both  # type: ignore[method-assign]
    _listen()
    _overhear()


def _listen() -> None:
    """Keep the refusals that clients get which read an answer whole."""
    send, send_beside = httpx.Client.send, httpx.AsyncClient.send

    def sent(client: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
        answer = send(client, request, **how)
        _keep(request, answer)
        return answer

    async def sent_beside(client: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        answer = await send_beside(client, request, **how)
        _keep(request, answer)
        return answer

    httpx.Client.send = sent  # type: ignore[method-assign]
    httpx.AsyncClient.send = sent_beside  # type: ignore[method-assign]


def _overhear() -> None:
    """Keep what commands within the tests' own processes print as errors."""
    run = cli.main

    def main(argv: list[str] | None = None) -> int:
        errors = _Both(sys.stderr)
        try:
            with contextlib.redirect_stderr(errors):  # type: ignore[type-var]
                return run(argv)
        finally:
            refused(" ".join(sys.argv if argv is None else argv), REFUSED, "".join(errors.said).encode())

    cli.main = main


class _Both:
    """Standard error, and what was written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.said = stream, list[str]()

    def write(self, text: str) -> int:
        self.said.append(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _keep(request: httpx.Request, answer: httpx.Response) -> None:
    if not answer.is_closed:
        return  # it is read as it comes
    try:
        content = answer.content
    except httpx.ResponseNotRead:
        return
    session = _session(request)
    shown = _shown.setdefault(session, set()) if session else set()
    page = answer.headers.get("content-type", "").startswith("text/html")
    if page:
        text = html.unescape(content.decode("utf-8", "replace"))
        shown.update(named(text if answer.status_code < REFUSED else "".join(_GREETED.findall(text))))
    try:
        body = request.content.decode("utf-8", "replace")
    except httpx.RequestNotRead:
        body = ""
    if "answer=" in answer.headers.get("location", ""):  # the page of a form has what was written in it
        shown.update(named(urllib.parse.unquote_plus(body)))
    given = [urllib.parse.unquote(str(request.url)), *request.headers.values(), body]
    refused(" ".join([*given, *shown] if page else given), answer.status_code, content)


def _session(request: httpx.Request) -> str:
    found = re.search(rf"{COOKIE}=([^;]+)", request.headers.get("cookie", ""))
    return found[1] if found else ""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    from tests.scanning.scan import found  # what it needs is imported once, here

    folder = Path(os.environ[FOLDER])
    _findings.extend(found(folder))
    shutil.rmtree(folder, ignore_errors=True)
    if _findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _findings:
        terminalreporter.section("what gateways wrote names whom tests asked about", red=True)
        for each in _findings:
            terminalreporter.line(each)
