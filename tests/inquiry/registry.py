"""A case registry on loopback that tells the truth, tells rubbish, or does not answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from connectors.base import Subject
from connectors.case_rest import RestCases
from gateway.inquiry.case.registries import CaseRegistries, ConfiguredRegistry

ORG = Subject("organisation", "LEI", "5493001KJTIIGC8Y1R12")
OTHER = Subject("organisation", "LEI", "529900T8BM49AURSDO55")
OFFICIAL, STRANGER = "m.ivanova", "p.sorel"
ASKS = ("https://login.example", "market-regulator")


def rest(url: str, timeout: float = 2.0, max_bytes: int = 65536, cache: float = 30.0) -> ConfiguredRegistry:
    return ConfiguredRegistry(RestCases(url, max_bytes), timeout, cache)


def told(id: str, open: bool = True, subjects: tuple[Subject, ...] = (ORG,), **other: Any) -> dict[str, Any]:
    named = [{"scheme": subject.scheme, "value": subject.value} for subject in subjects]
    return {"id": id, "open": open, "subjects": named, "officials": [OFFICIAL], "notes": "more", **other}


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(head).encode() + body


class Simulator:
    """A case registry. `answers` by case: a JSON value, raw bytes of HTTP, or `None` for silence; else 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "C-1": told("C-1"),
            "C-2": told("C-2", subjects=(ORG, OTHER)),
            "closed": told("closed", open=False),
            "a/b c": told("a/b c"),
        }
        self.requests: list[str] = []
        self.arrived = asyncio.Semaphore(0)
        self.release = asyncio.Event()
        self.release.set()
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                self.requests.append(head)
                self.arrived.release()
                await self.release.wait()
                name = head.split(" ")[1].removeprefix("/cases/").replace("%2F", "/").replace("%20", " ")
                answer = self.answers.get(name, http(b'{"error": "no such case"}', "404 Not Found"))
                if answer is None:
                    await reader.read()
                    break
                writer.write(answer if isinstance(answer, bytes) else http(json.dumps(answer).encode()))
                await writer.drain()
                if "connection: close" in head.lower() or (
                    isinstance(answer, bytes) and b"Connection: close" in answer
                ):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            self.requests.append("gone")
        finally:
            writer.close()

    @property
    def calls(self) -> int:
        return sum(head.startswith("GET ") for head in self.requests)


async def verify(cases: CaseRegistries, **given: Any) -> None:
    asked = {"registry": "market", "case": "C-2", "official": OFFICIAL, "subjects": [ORG], "requester": ASKS, **given}
    await cases.verify(**asked)
