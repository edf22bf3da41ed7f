"""The witnesses that a gateway asks for cosignatures (c2sp.org/tlog-witness, as its client).

Each is asked at once, with the proof that the tree contains the one that it saw last. A witness that has seen more
than there is, or something else, is told apart from one that is away: the first is in what `cosign` raises, whether
cosignatures are required or not, since then the log was forked or set back. One that does not know the log or its key
is given the registry, which names both (`POST /add-registry`, of this project's witness), and asked again.

Invariants: a cosignature counts only if it verifies with the witness's key from the configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import httpx

from connectors.http.bounded import BoundedTransport
from connectors.http.transport import TransportOptions
from gateway.errors import LedgerUnavailable
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.proof.merkle import consistency_proof
from gateway.ledger.proof.note import Verifier, b64, cosigned_at, log_key, number, open_note, signature_lines
from gateway.ledger.stored.read import Head, StoredTree
from gateway.manage.states import Heard
from gateway.nouns import counted
from gateway.saying import in_words
from gateway.storage.port import Store

MAX_ANSWER = 64 * 1024
FRESH = 30.0
"""Seconds for which a witness's clock is followed by the monotonic one; a machine that was suspended is told anew."""
QUICK = 2.0
"""Seconds in which a witness must have answered for its time to be told of now."""
UNREQUIRED = 3.0
"""Seconds that a publication waits for cosignatures that nobody requires."""


PublishedRegistry = Callable[[Store], bytes | None]
"""The registry as a store has it; None where it has none."""


class AskedWitness(NamedTuple):
    """A witness: what messages call it, where its API is, and the key that it cosigns with."""

    name: str
    url: str
    key: Verifier


class Contradicted(LedgerUnavailable):
    """A witness has seen another log than the one that it is shown."""


class _Away(Exception):
    """No cosignature to be had now; the text says why."""


class Witnesses:
    """All witnesses of a ledger; `require` of them must cosign `within` seconds; `heard` is called for each."""

    def __init__(
        self,
        witnesses: Sequence[AskedWitness],
        *,
        require: int = 0,
        within: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        heard: Heard | None = None,
    ) -> None:
        self._heard = heard
        self.require, self.within = require, within
        self._all = tuple(witnesses)
        options = TransportOptions(within, 8 * max(1, len(witnesses)), MAX_ANSWER, gzip=False)
        bounded = BoundedTransport(options, httpx.create_ssl_context(trust_env=False))
        self._client = httpx.AsyncClient(
            timeout=within, follow_redirects=False, trust_env=False, transport=transport or bounded
        )
        self._sizes: dict[tuple[str, str], int] = {}
        self._times: dict[str, tuple[float, int]] = {}

    def time(self, machine: datetime.datetime) -> datetime.datetime | None:
        """The time by the witnesses' clocks, as they just signed it; None where none did.

        Of several it is the nearest to the `machine`'s: a witness whose clock is wrong keeps nobody from answering.
        """
        ticks = time.monotonic()
        said = [
            datetime.datetime.fromtimestamp(at + ticks - answered, datetime.UTC)
            for answered, at in list(self._times.values())
            if ticks - answered < FRESH
        ]
        return min(said, key=lambda each: abs(each - machine), default=None)

    async def remembered(self, origin: str, keys: Sequence[Verifier]) -> list[SeenOutside]:
        """The checkpoint of a log that each witness saw last, signed by one of the log's own `keys`: no witness can
        make one up. Raises `LedgerUnavailable` where too few answer.
        """
        asked = (self._remembered(each, origin, keys) for each in self._all)
        found = await asyncio.gather(*asked, return_exceptions=True)
        away = [str(each) for each in found if isinstance(each, _Away)]
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, _Away):
                raise each
        if len(self._all) - len(away) < self.require:
            raise LedgerUnavailable(
                f"{self.require} witnesses are required, and {len(self._all) - len(away)} answer ({'; '.join(away)})"
            )
        return [each for each in found if isinstance(each, SeenOutside)]

    async def _remembered(self, witness: AskedWitness, origin: str, keys: Sequence[Verifier]) -> SeenOutside | None:
        name = hashlib.sha256(origin.encode()).hexdigest()
        status, text = await self._ask(witness, "GET", f"{name}/checkpoint")
        if status == 404:
            return None
        try:
            if status != 200:
                raise ValueError(f"it answers {status}")
            _, signers = open_note(text, [witness.key, *keys])
            if witness.key not in signers or log_key(signers, origin) is None:
                raise ValueError("its checkpoint is not signed by both this ledger's key and its own")
            kept = SeenOutside(f"witness `{witness.name}`", text)
            if kept.checkpoint.origin != origin:
                raise ValueError("it answers with another log's checkpoint")
        except ValueError as error:
            raise _Away(f"witness `{witness.name}`: {error}") from error
        self._sizes[witness.name, origin] = kept.checkpoint.size
        return kept

    async def cosign(self, head: Head, store: Store, registry: PublishedRegistry | None = None) -> str:
        """The cosignature lines over a head, of every witness that answers in time.

        Raises `Contradicted`, or `LedgerUnavailable` where fewer than required cosigned.
        """
        tasks = [asyncio.ensure_future(self._cosign(each, head, store, registry)) for each in self._all]
        await asyncio.wait(tasks, timeout=self.within if self.require else min(self.within, UNREQUIRED))
        lines, reasons = "", []
        for witness, task in zip(self._all, tasks, strict=True):
            if not task.done():
                task.cancel()
                reasons.append(f"witness `{witness.name}`: it did not answer in time")
        await asyncio.gather(*tasks, return_exceptions=True)
        for witness, task in zip(self._all, tasks, strict=True):
            self._note(witness, task)
            if task.cancelled():
                continue
            if (error := task.exception()) is None:
                lines += task.result()
            elif isinstance(error, _Away):
                reasons.append(str(error))
            else:
                raise error
        cosigned = len(lines.splitlines())
        if cosigned < self.require:
            raise LedgerUnavailable(
                f"{cosigned} of {self.require} required witnesses cosigned shard `{head.name}` within {self.within:g} s"
                f" ({'; '.join(reasons)})"
            )
        return lines

    def _note(self, witness: AskedWitness, task: asyncio.Future[str]) -> None:
        if self._heard is not None:
            if task.cancelled():
                self._heard(witness.name, "it did not answer in time")
            else:
                error = task.exception()
                self._heard(witness.name, None if error is None else str(error))

    async def _cosign(self, witness: AskedWitness, head: Head, store: Store, registry: PublishedRegistry | None) -> str:
        where = f"witness `{witness.name}`"
        told = False
        for _ in range(4):
            old = self._sizes.get((witness.name, head.origin), 0)
            if old > head.size:
                raise Contradicted(
                    f"{where} has seen {counted(old, 'entry')} of shard `{head.name}`, and the store has"
                    f" {head.size}: it was"
                    " set back; start the gateway again, which then reports what to do"
                )
            proof = await asyncio.to_thread(_proof, store, head, old)
            body = f"old {old}\n{''.join(f'{b64(each)}' + chr(10) for each in proof)}\n{head.checkpoint}"
            begun = time.monotonic()
            status, text = await self._ask(witness, "POST", "add-checkpoint", body)
            if status == 409:
                try:
                    self._sizes[witness.name, head.origin] = number(text.removesuffix("\n"))
                except ValueError as error:
                    raise _Away(f"{where}: it answers 409 without a size") from error
            elif status == 422:
                raise Contradicted(
                    f"{where} has seen another shard `{head.name}`: the {counted(old, 'entry')} that it saw do"
                    " not begin this one"
                )
            elif status in (403, 404) and registry is not None and not told:
                told = await self._tell(witness, store, registry)
                if not told:
                    raise _Away(f"{where}: {text.strip()[:160]}")
            elif status != 200:
                raise _Away(f"{where}: it answers {status} {text.strip()[:160]}")
            else:
                line, answered = self._verified(witness, head, text), time.monotonic()
                if answered - begun < QUICK:
                    self._times[witness.name] = answered, cosigned_at(line)
                return line
        raise _Away(f"{where}: others submit the same shard")

    async def _tell(self, witness: AskedWitness, store: Store, registry: PublishedRegistry) -> bool:
        """Whether a witness took the registry; raises `Contradicted` where it has seen another."""
        seen = ""
        for _ in range(3):  # another process may be about to register something
            content = await asyncio.to_thread(registry, store)
            if content is None:
                return False
            status, text = await self._ask(witness, "POST", "add-registry", content)
            if status == 422:
                raise Contradicted(f"witness `{witness.name}` has seen another registry: {text.strip()[:160]}")
            if status != 409:
                return status == 200
            seen = text.strip()[:20]
        raise Contradicted(
            f"witness `{witness.name}` has seen {seen} entries of the registry, and the store fewer: it was set back"
        )

    def _verified(self, witness: AskedWitness, head: Head, lines: str) -> str:
        try:
            open_note(head.checkpoint + lines, [witness.key])
        except ValueError as error:
            raise _Away(f"witness `{witness.name}`: its cosignature does not verify ({error})") from error
        self._sizes[witness.name, head.origin] = head.size
        return signature_lines(head.checkpoint + lines, [witness.key])[0]

    async def _ask(
        self, witness: AskedWitness, method: str, path: str, body: str | bytes | None = None
    ) -> tuple[int, str]:
        try:
            url = f"{witness.url.rstrip('/')}/{path}"
            content = body.encode() if isinstance(body, str) else body
            async with asyncio.timeout(self.within):  # of all of it: one that drips would hold a start up for ever
                answer = await self._client.request(method, url, content=content)
            return answer.status_code, answer.content.decode()
        except TimeoutError as error:
            raise _Away(f"witness `{witness.name}`: it did not answer within {self.within:g} s") from error
        except (httpx.HTTPError, UnicodeDecodeError) as error:
            raise _Away(f"witness `{witness.name}`: {error or in_words(error)}") from error

    async def close(self) -> None:
        await self._client.aclose()


def _proof(store: Store, head: Head, old: int) -> list[bytes]:
    with contextlib.closing(store.reader()) as reader:
        return consistency_proof(StoredTree(reader, head.id, head.size).node, old, head.size)
