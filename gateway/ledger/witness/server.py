"""A minimal independent witness (c2sp.org/tlog-witness): it cosigns a log's checkpoint only if that contains the one
that it cosigned before. Whoever runs it should not be whoever runs the gateway.

`POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint`. Which logs it knows, `logs` says: beyond the
specification it takes a registry (`POST /add-registry`), which is a root shard's checkpoint whose proof is the whole
log, and shows the one that it has (`GET /<SHA-256 of the root's origin>/registry`). It keeps one file of its own: the
last checkpoint of each log, with both signatures, and the registries, on the disk before the cosignature leaves.
Checking and keeping are one step, so that two requests cannot roll it back.

Invariant: of two trees of which neither contains the other, it never cosigns both.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.bounds.address import share_of
from gateway.bounds.body import read
from gateway.bounds.turns import Turns
from gateway.errors import BodyRefused, ConfigurationError, Crowded, Problem, VerificationFailed
from gateway.files import replace_file
from gateway.ledger.entry.registry import MAX_REGISTRY, Document
from gateway.ledger.proof.merkle import EMPTY_ROOT, HASH_SIZE, Tree, verify_consistency
from gateway.ledger.proof.note import (
    Checkpoint,
    Cosigner,
    Verifier,
    note_body,
    number,
    open_note,
    parse_checkpoint,
    signature_lines,
    unb64,
)
from gateway.ledger.witness.logs import Logs
from gateway.nouns import counted

VERSION = 1
MAX_BODY = 64 * 1024
MAX_PROOF = 63
TOGETHER = 4
EACH = 2
WAITING = 16
RETRY_AFTER = 5
"""Submissions that are read and checked at once, those of one address, those of it that wait, and when to try again."""


class _State(msgspec.Struct, omit_defaults=True):
    v: int
    logs: dict[str, str]
    registries: dict[str, bytes] = {}


class _Request(NamedTuple):
    old: int
    proof: list[bytes]
    note: str
    checkpoint: Checkpoint


class RequestRefused(Exception):
    """Not cosigned: the status and the body with the reason."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status, self.body = status, body


class Witness:
    """One witness. `name` is its key's; `logs` are the keys that it was given, of root shards or of other logs."""

    def __init__(
        self,
        name: str,
        private: Ed25519PrivateKey,
        logs: Sequence[Verifier],
        state: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cosigner = Cosigner(name, private)
        self._path, self._clock = state, clock
        self._lock = threading.Lock()
        self._only: int | None = self._alone()
        kept = self._read()
        self._seen = kept.logs
        try:
            self._logs = Logs(logs, kept.registries)
        except VerificationFailed as error:
            raise self._refusal(f"holds a registry that the public keys do not vouch for ({error})") from error

    def add_checkpoint(self, body: bytes) -> str:
        """Check a submitted checkpoint and keep it; gives the cosignature line. Raises `RequestRefused`."""
        asked = self._parse(body)
        with self._lock:
            keys, new = self._keys(asked), asked.checkpoint
            seen = self._last(new.origin)
            if asked.old > new.size:
                raise RequestRefused(400, "the old size is above the checkpoint's")
            if asked.old != seen.size:
                raise RequestRefused(409, f"{seen.size}\n")
            if new.size == 0 and new.root != EMPTY_ROOT:
                raise RequestRefused(422, "an empty tree has another root")
            if not verify_consistency(seen.size, seen.root, new.size, new.root, asked.proof):
                raise RequestRefused(
                    422, f"the tree of {new.size} does not contain the tree of {seen.size} seen before"
                )
            return self._cosign(new.origin, asked.note, keys, self._logs)

    def add_registry(self, body: bytes) -> str:
        """Follow a ledger's registry from now on; gives the cosignature line of its root shard's checkpoint.

        Every entry that was seen of the root shard must be in it. Raises `RequestRefused`.
        """
        try:
            registry = self._logs.read(body)
        except VerificationFailed as error:
            raise RequestRefused(403, str(error)) from error
        with self._lock:
            seen = self._last(registry.root)
            if registry.tree.size < seen.size:
                raise RequestRefused(409, f"{seen.size}\n")
            if Tree().grow(registry.hashes[: seen.size]).tree.root != seen.root:
                raise RequestRefused(
                    422, f"the registry does not begin with the {counted(seen.size, 'entry')} seen before"
                )
            note = msgspec.json.decode(body, type=Document).checkpoint
            keys = [registry.shards[registry.root].key]
            return self._cosign(registry.root, note, keys, self._logs.following(body, registry))

    def registry(self, origin_hash: str) -> bytes | None:
        """The registry that is followed, of the ledger with that hash of its root shard's origin."""
        return next((each for root, each in self._logs.documents.items() if _hash(root) == origin_hash), None)

    def _last(self, origin: str) -> Checkpoint:
        note = self._seen.get(origin)
        return parse_checkpoint(note_body(note)) if note else Checkpoint(origin, 0, EMPTY_ROOT)

    def _cosign(self, origin: str, note: str, keys: Sequence[Verifier], logs: Logs) -> str:
        text = note_body(note)
        line = self.cosigner.line(text, int(self._clock()))
        kept = "".join(signature_lines(note, keys))
        self._write(self._seen | {origin: f"{text}\n{kept}{line}"}, logs)
        return line

    def checkpoint(self, origin_hash: str) -> str | None:
        """The checkpoint that was cosigned last, of the log with that hash of its origin."""
        found = (note for origin, note in self._seen.items() if _hash(origin) == origin_hash)
        return next(found, None)

    def close(self) -> None:
        """Let another have the state file."""
        if self._only is not None:
            os.close(self._only)
            self._only = None

    def _parse(self, body: bytes) -> _Request:
        try:
            head, gap, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            if not gap or not first.startswith("old ") or len(lines) > MAX_PROOF:
                raise ValueError("it does not begin with `old`, a size, a proof and an empty line")
            old, proof = number(first.removeprefix("old ")), [unb64(line) for line in lines]
            if any(len(each) != HASH_SIZE for each in proof):
                raise ValueError("its proof holds what is no hash")
            checkpoint = parse_checkpoint(note_body(note))
        except ValueError as error:
            raise RequestRefused(400, f"this is no request for a cosignature: {error}") from error
        return _Request(old, proof, note, checkpoint)

    def _keys(self, asked: _Request) -> list[Verifier]:
        """The keys that may have signed what is submitted; one of them did."""
        try:
            keys = self._logs.keys(asked.checkpoint.origin)
            self._logs.check_signed(asked.checkpoint, open_note(asked.note, keys)[1])
        except LookupError as error:
            raise RequestRefused(404, str(error.args[0])) from error
        except (ValueError, VerificationFailed) as error:
            raise RequestRefused(403, str(error)) from error
        return keys

    def _alone(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refusal(f"cannot be used ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise self._refusal("belongs to a witness that is running") from error
        return descriptor

    def _read(self) -> _State:
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=_State)
            for note in state.logs.values():
                parse_checkpoint(note_body(note))
        except FileNotFoundError:
            return _State(VERSION, {})
        except (OSError, ValueError) as error:
            raise self._refusal(f"cannot be read ({error}); without it what was cosigned is forgotten") from error
        if state.v != VERSION:
            raise self._refusal(f"is of version {state.v}; this witness knows {VERSION}")
        return state

    def _write(self, seen: dict[str, str], logs: Logs) -> None:
        try:
            state = _State(VERSION, seen, logs.documents)
            replace_file(self._path, msgspec.json.format(msgspec.json.encode(state), indent=1))
        except OSError as error:
            raise RequestRefused(500, "the witness cannot keep its state") from error
        self._seen, self._logs = seen, logs

    def _refusal(self, message: str) -> ConfigurationError:
        return ConfigurationError([Problem(str(self._path), 0, 0, "", message)])


def _hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def application(witness: Witness) -> Starlette:
    """The witness over HTTP."""

    turns = Turns(TOGETHER, EACH, WAITING)

    async def add(request: Request, most: int, take: Callable[[bytes], str]) -> Response:
        address = share_of(request.client.host if request.client else "")
        try:
            await turns.take(address)  # before the body: what waits is not kept
        except Crowded:
            again = {"Retry-After": str(RETRY_AFTER)}
            return Response("too many requests wait\n", 503, headers=again, media_type="text/plain")
        try:
            return Response(await run_in_threadpool(take, await read(request, most)), media_type="text/plain")
        except BodyRefused as error:
            return Response(f"{error.told}\n", error.status, media_type="text/plain")
        except RequestRefused as error:
            if error.status == 409:
                return Response(error.body, 409, headers={"Content-Type": "text/x.tlog.size"})
            return Response(f"{error.body}\n", error.status, media_type="text/plain")
        finally:
            turns.give(address)

    async def add_checkpoint(request: Request) -> Response:
        return await add(request, MAX_BODY, witness.add_checkpoint)

    async def add_registry(request: Request) -> Response:
        return await add(request, MAX_REGISTRY, witness.add_registry)

    def registry(request: Request) -> Response:
        found = witness.registry(request.path_params["hash"])
        if found is None:
            return Response("no such registry is followed\n", 404, media_type="text/plain")
        return Response(found, headers={"Cache-Control": "no-cache"}, media_type="application/json")

    def last(request: Request) -> Response:
        found = witness.checkpoint(request.path_params["hash"])
        if found is None:
            return Response("nothing of that log was cosigned\n", 404, media_type="text/plain")
        return Response(found, headers={"Cache-Control": "no-cache"}, media_type="text/plain")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/add-registry", add_registry, methods=["POST"]),
            Route("/{hash}/checkpoint", last),
            Route("/{hash}/registry", registry),
        ]
    )
