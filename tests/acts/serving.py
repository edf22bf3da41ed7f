"""A whole gateway at an address, in this process, with the shipped policies and an issuer of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

import uvicorn

from deploy.demo.configuration import USUAL
from gateway import app, check
from gateway.activation.activating import by_files
from gateway.activation.archive import packed
from gateway.ledger.log import operator
from gateway.ledger.proof import key_files
from tests import configured
from tests.docs.reading import ROOT
from tests.inquiry.issuer import TestIssuer
from tests.ports import free_port
from tests.waiting import until_async


class Served(NamedTuple):
    """Where it is, and who gives tokens for it."""

    url: str
    issuer: TestIssuer
    gateway: app.Gateway


@contextlib.asynccontextmanager
async def served(
    folder: Path,
    ports: Mapping[str, int] = {},
    policies: Path = ROOT / "policies",
    *,
    activated: bool = False,
    **added: str,
) -> AsyncIterator[Served]:
    """Serve until the end; `added` is text to put into departments of `sources.yaml`, at its first key.

    `activated`: have the policies active before, as `dutybound serve`, and go by what is active from then on.

    `ports` are those of the departments that are there; nobody asks the others.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    issuer, port = TestIssuer(), free_port()
    url = f"http://127.0.0.1:{port}"
    departments = Template((ROOT / "deploy" / "demo" / "sources.yaml").read_text())
    text = departments.substitute({**dict.fromkeys(USUAL, 9), **ports})
    for department, more in added.items():
        text, found = re.subn(rf"(?m)^(  {department}:.*)$", rf"\1\n    {more}", text)
        assert found == 1
    (folder / "sources.yaml").write_text(text)
    registry = {"kind": "case-rest", "url": "http://127.0.0.1:9"}
    write = functools.partial(
        configured.write,
        folder,
        listen=f"127.0.0.1:{port}",
        public_url=url,
        policies=str(policies),
        oauth={"issuers": [{"issuer": issuer.url, "name": "login"}]},
        case_registries={"market": registry, "courts": registry},
    )
    key_files.generate(folder / "ledger.key")
    file = write()
    if activated:
        with operator.opened(file, make=True) as at:
            await asyncio.to_thread(by_files, at, check.load(file, {})[1].rules.digest, packed(policies))
        write(rules="activated")
    gateway = app.build(*check.load(file, {}))
    server = uvicorn.Server(uvicorn.Config(gateway, port=port, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    try:
        await until_async("the gateway to listen", lambda: server.started)
        yield Served(url, issuer, gateway)
    finally:
        server.should_exit = True
        await task
        issuer.close()
        logging.captureWarnings(False)
        root.handlers[:], root.level = handlers, level
