"""One hostile client, and what another waits for meanwhile: `python -m tests.faults.starve [--seconds N]`.

A gateway of one process, its departments, and an issuer that is asked about opaque tokens. The other client asks
about subjects, and with good opaque tokens, each time on a new connection; readiness is asked for beside it. First
nothing else happens, then each kind of hostile load for some seconds, and then nothing again. Printed is a line of
JSON: the other client's slowest hundredth and the slowest readiness of each kind, in milliseconds. The exit status is 1
where the other client was refused anything, its p99 was over `TIMES` its quiet one, or readiness took over `READY`
seconds.

The load is bounded: `hostile.AT_ONCE` requests under way, a rest after each, a time for each kind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.configured import secret
from tests.faults.conftest import Bad
from tests.faults.hostile import DOCUMENTS, FLOODS, Load, hostile
from tests.waiting import PATIENCE

TIMES = 5.0
READY = 1.0
EVERY = 0.025
"""Seconds between two questions of the other client."""
SELECTION = "{ name businessLicences { number validUntil } taxArrears { amount } }"


class Request(NamedTuple):
    headers: dict[str, str]
    body: str


class Waited(NamedTuple):
    """What the other client had of one kind of load."""

    p99: float
    ready: float
    answers: int
    refused: dict[str, int]


class Scene:
    """The gateway and the other client."""

    def __init__(self, bad: Bad, seconds: float) -> None:
        self._bad, self._seconds, self._good = bad, seconds, 0
        bad.issuer.introspected = self._introspected
        bad.issuer.delay = 0.02

    def _introspected(self, form: bytes) -> dict[str, Any]:
        if b"token=good" not in form:
            return {"active": False}
        return {
            "active": True,
            "client_id": "court",
            "scope": "inquire",
            "aud": self._bad.url,
            "exp": time.time() + 600,
        }

    def measured(self, kind: str | None) -> Waited:
        """What the other client waits for, while a hostile one does this."""
        count = math.ceil(self._seconds / EVERY)
        asked = [Request(*self._bad.request(SELECTION)) for _ in range(count)]
        with self._hostile(kind):
            return asyncio.run(self._ask(asked))

    @contextlib.contextmanager
    def _hostile(self, kind: str | None) -> Iterator[None]:
        if kind is None:
            yield
            return
        subject = self._bad.subject()
        claims = {"aud": self._bad.url, "client_id": "market-regulator", "sub": "market-regulator", "scope": "inquire"}
        token = self._bad.issuer.token(1, **claims).decode()
        if kind == "unseen":
            token = self._bad.request("{ name }")[0]["authorization"]
        token = token if token.startswith("Bearer ") else f"Bearer {token}"
        load = Load(kind, f"{self._bad.url}/graphql", token, subject)
        context = multiprocessing.get_context("spawn")
        begun = context.Event()
        process = context.Process(target=hostile, args=(load, begun), daemon=True)
        process.start()
        try:
            assert begun.wait(PATIENCE), f"{kind} did not begin"
            yield
        finally:
            process.terminate()
            process.join()

    async def _ask(self, asked: list[Request]) -> Waited:
        times, ready, codes = list[float](), list[float](), Counter[str]()
        limits = httpx.Limits(max_keepalive_connections=0)  # each on a connection of its own, as a newcomer
        async with httpx.AsyncClient(base_url=self._bad.url, timeout=PATIENCE, limits=limits) as client:

            async def timed(into: list[float], what: Awaitable[httpx.Response]) -> None:
                began = time.perf_counter()
                try:
                    status = str((await what).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                into.append(time.perf_counter() - began)
                if status != "200":
                    codes[status] += 1

            tasks = []
            for number, request in enumerate(asked):
                tasks.append(
                    asyncio.create_task(
                        timed(times, client.post("/graphql", content=request.body, headers=request.headers))
                    )
                )
                if number % 20 == 10:
                    tasks.append(asyncio.create_task(timed(ready, client.get("/health/ready"))))
                    self._good += 1
                    good = {"authorization": f"Bearer good-{self._good}"}
                    tasks.append(
                        asyncio.create_task(
                            timed([], client.post("/graphql", json={"query": "{ __typename }"}, headers=good))
                        )
                    )
                await asyncio.sleep(EVERY)
            await asyncio.gather(*tasks)
        times.sort()
        return Waited(times[math.ceil(len(times) * 0.99) - 1], max(ready, default=0.0), len(times), dict(codes))


def measured_all(seconds: float, folder: Path, *, again: bool = True) -> dict[str, Waited]:
    """What the other client waited for, by what happened beside it; what took long is measured `again`."""
    asked = {"client_id": "gateway", "client_secret_file": str(secret(folder / "introspection", "s" * 40))}
    bad = Bad(folder / "gateway", introspection=asked)
    bad.issuer.metadata = {"introspection_endpoint": f"{bad.issuer.url}/introspect"}
    bad.start()
    try:
        scene = Scene(bad, seconds)
        scene.measured(None)  # what is compiled and connected at first is nobody's quiet time
        found = {"quiet": scene.measured(None)}
        for kind in (*DOCUMENTS, *FLOODS):
            found[kind] = scene.measured(kind)
            if again and found[kind].p99 > TIMES * found["quiet"].p99:
                # Once more, between two quiet times: the machine may do other things.
                before, second = scene.measured(None), scene.measured(kind)
                found["quiet"] = max(before, found["quiet"], key=_p99)
                found[kind] = min(second, found[kind], key=_p99)
            print(f"{kind}: {found[kind]}", file=sys.stderr)
        found["quiet after"] = scene.measured(None)
    finally:
        bad.stop()
    return found


def _p99(waited: Waited) -> float:
    return waited.p99


def judged(found: dict[str, Waited]) -> dict[str, Any]:
    """What is printed of it."""
    most = TIMES * max(found["quiet"].p99, found["quiet after"].p99)
    wrong = [kind for kind, each in found.items() if each.p99 > most or each.ready > READY or each.refused]
    told = {
        kind: {"p99_ms": round(each.p99 * 1e3, 1), "ready_ms": round(each.ready * 1e3, 1), "refused": each.refused}
        for kind, each in found.items()
    }
    return {"holds": not wrong, "most_ms": round(most * 1e3, 1), "wrong": wrong, "waited": told}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.starve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="of each kind of load (default: 5)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="starve-") as folder:
        told = judged(measured_all(asked.seconds, Path(folder)))
    print(json.dumps(told))
    return 0 if told["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
