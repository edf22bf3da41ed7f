"""Step 3, the case: verified at the requester's own case registry.

Arts. 22(3), 28(1)(2). A case verifies an inquiry when it is open, names every subject and is assigned to the official
who asks.

Invariants: nothing but such an answer verifies (8): a registry that is unknown, out of reach, slow, or answers
anything else refuses, `retryable` where asking again may help. A refusal is told in the caller's own terms and tells
nothing else that the registry said. Only verified answers are kept, for the registry's `cache` seconds, under a keyed
digest of registry, requester, case, official and subjects: no name of a person stands in memory for it, and no
requester is answered from another's question (11); so are calls under way shared. A change that the registry tells of
counts at once: what was kept of the case is dropped, and whoever was being answered meanwhile asks again.

Leaves to others: which registry and whether a case is needed (`rules`), what an unverified case means (`decide`), how
a registry is asked (`connectors`) and configured (`config`), whose notice it is (`gateway.web.hooks`).
"""

from __future__ import annotations

import asyncio
import collections
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from cachetools import TTLCache

from connectors.base import Case, CaseRegistry, Subject
from gateway.errors import Code, Refusal
from gateway.saying import in_words

log = logging.getLogger("dutybound.cases")

_KEPT = 4096


class ConfiguredRegistry(NamedTuple):
    """One case registry. `timeout` (of a whole call) and `cache` in seconds; `webhook_secrets` sign its notices."""

    source: CaseRegistry
    timeout: float = 2.0
    cache: float = 30.0
    webhook_secrets: tuple[bytes, ...] = ()


class _Finding(NamedTuple):
    """Why a case does not verify."""

    message: str
    retryable: bool = False


class _Key(NamedTuple):
    """A question that can be kept: `case` is the digest of registry and case alone."""

    case: bytes
    whole: bytes


class CaseRegistries:
    """The case registries by name. `timer` counts seconds for the cache."""

    def __init__(
        self, registries: Mapping[str, ConfiguredRegistry], timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._registries, self._timer = registries, timer
        self._salt = secrets.token_bytes(32)
        self._calls: dict[_Key, asyncio.Task[_Finding | None]] = {}
        self._changes: collections.Counter[str] = collections.Counter()
        self._keeps = True
        # By case, until when each question about it is answered.
        self._verified: dict[str, TTLCache[bytes, dict[bytes, float]]] = {
            name: TTLCache(_KEPT, registry.cache, timer) for name, registry in registries.items() if registry.cache
        }

    @property
    def sources(self) -> Mapping[str, CaseRegistry]:
        """Each registry's own system."""
        return {name: each.source for name, each in self._registries.items()}

    @property
    def webhook_secrets(self) -> Mapping[str, tuple[bytes, ...]]:
        """What each registry that sends notices signs them with."""
        return {name: each.webhook_secrets for name, each in self._registries.items() if each.webhook_secrets}

    async def verify(
        self,
        registry: str,
        case: str,
        official: str | None,
        subjects: Sequence[Subject],
        requester: tuple[str, str] | None = None,
    ) -> None:
        """Return where the case is open, names all `subjects` and is the `official`'s; otherwise raise `Refusal`.

        The code is `CASE_NOT_VERIFIED`, with `retryable` where the registry is to blame. `requester` is (issuer,
        client); without it no answer is kept or shared.
        """
        if registry not in self._registries:
            raise _refusal(_Finding("no case registry is configured for this requester, so no case can be verified"))
        if official is None:
            raise _refusal(_Finding("this purpose needs an official; send a token issued on an official's behalf"))
        if not 0 < len(case) <= 200 or not case.isprintable() or case in (".", ".."):
            raise _refusal(_Finding("the case is unknown to its registry"))
        kept = self._verified.get(registry)
        if kept is None or requester is None or not self._keeps:
            finding = await self._find(registry, case, official, subjects)
        else:
            parts = (registry, requester, case, official, sorted(subject[1:] for subject in subjects))
            key = _Key(self._digest(registry, case), self._digest(*parts))
            held = kept.get(key.case)
            if held is not None and held.get(key.whole, 0.0) > self._timer():
                return
            call = self._calls.get(key)
            if call is None or call.done():
                call = self._calls[key] = asyncio.create_task(self._find(registry, case, official, subjects, key))
                call.add_done_callback(lambda done: self._calls.pop(key) if self._calls.get(key) is done else None)
            # Shielded: the one who leaves first does not end it for the others.
            finding = await asyncio.shield(call)
        if finding is not None:
            raise _refusal(finding)

    def keep(self, keeps: bool) -> None:
        """Whether verified answers are kept from now on; those kept before are dropped either way."""
        self._keeps = keeps
        for name in self._registries:
            self.changed(name)

    def changed(self, registry: str, case: str | None = None) -> None:
        """The registry reports that a case changed, or (None) that any may have: nothing known before counts from
        now."""
        self._changes[registry] += 1
        kept = self._verified.get(registry)
        if kept is None:
            return
        if case is None:
            kept.clear()
        else:
            kept.pop(self._digest(registry, case), None)

    async def close(self) -> None:
        """Release connections, ending calls under way."""
        for call in list(self._calls.values()):
            call.cancel()
        for registry in self._registries.values():
            await registry.source.close()

    def _digest(self, *parts: object) -> bytes:
        return blake2b(msgspec.msgpack.encode(parts), digest_size=16, key=self._salt).digest()

    async def _find(
        self, name: str, case: str, official: str, subjects: Sequence[Subject], key: _Key | None = None
    ) -> _Finding | None:
        registry = self._registries[name]
        try:
            async with asyncio.timeout(registry.timeout):
                found, asked = await self._ask(name, registry, case)
        except Exception as error:
            log.warning("case registry `%s` gave no usable answer (%s)", name, in_words(error))
            return _Finding(f"the registry of case `{case}` cannot be reached or understood now; ask again later", True)
        if found is None:
            return _Finding(f"case `{case}` is unknown to its registry")
        if official not in found.officials:
            return _Finding(f"case `{case}` is not assigned to the official who asks")
        if not found.open:
            return _Finding(f"case `{case}` is closed")
        if not {subject[1:] for subject in subjects} <= found.subjects:
            every = "every subject" if len(subjects) > 1 else "the subject"
            return _Finding(f"case `{case}` does not name {every} of this inquiry")
        if key is not None and self._keeps:
            self._verified[name].setdefault(key.case, {})[key.whole] = asked + registry.cache
        return None

    async def _ask(self, name: str, registry: ConfiguredRegistry, case: str) -> tuple[Case | None, float]:
        """What the registry says, and when it was asked; anew where it told of a change meanwhile."""
        while True:
            before, asked = self._changes[name], self._timer()
            found = await registry.source.find(case, registry.timeout)
            if self._changes[name] == before:
                return found, asked


def _refusal(finding: _Finding) -> Refusal:
    if finding.retryable:
        return Refusal(Code.CASE_NOT_VERIFIED, finding.message, retryable=True)
    return Refusal(Code.CASE_NOT_VERIFIED, finding.message)
