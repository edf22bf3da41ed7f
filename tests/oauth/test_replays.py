"""The memory of proofs: one that replicas share takes each once, and what is from before it was lost does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import ECKey
from valkey import Valkey

from gateway.errors import Refusal
from gateway.identity import replay
from gateway.identity.replay import OwnReplays, SharedReplays
from tests.oauth.authority import Authority, proof
from tests.oauth.gate import Gate, proofs, settings
from tests.oauth.valkey import ValkeyServer


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


async def test_replicas_that_share_valkey_take_a_proof_once(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, valkey: ValkeyServer
) -> None:
    memories = [SharedReplays(valkey.url), SharedReplays(valkey.url)]
    gates = [Gate(http, [settings(authority)], proofs=proofs(memory)) for memory in memories]
    shown = [proof(key, token) for _ in range(10)]
    results = await asyncio.gather(
        *(gate(f"DPoP {token}", ("DPoP", each)) for each in shown for gate in gates * 2), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == len(shown)
    for memory in memories:
        await memory.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ValkeyServer]:
    """One that a test may lose."""
    server = ValkeyServer(tmp_path)
    yield server
    server.stop()


async def met(gate: Gate, token: str, shown: str) -> Refusal:
    """Why a proof is refused; a connection that Valkey's end has cut costs one refusal before."""
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", shown))
    return await gate.refusal(f"DPoP {token}", ("DPoP", shown)) if refusal.extensions.get("retryable") else refusal


async def test_a_proof_from_before_the_memory_was_lost_does_not_count_after_it(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, own: ValkeyServer
) -> None:
    """Emptied, or another run: the proof has a nonce of what is gone, and whoever holds the key makes another."""
    memories = [SharedReplays(own.url), SharedReplays(own.url)]
    gates = [Gate(http, [settings(authority)], proofs=proofs(memory, nonce=True)) for memory in memories]

    async def asked_for(gate: Gate, shown: str) -> str:
        refusal = await met(gate, token, shown)
        assert 'error="use_dpop_nonce"' in refusal.headers["WWW-Authenticate"]
        return refusal.headers["DPoP-Nonce"]

    def emptied() -> None:
        with Valkey.from_url(own.url) as client:
            client.flushall()

    def restarted() -> None:
        own.stop()
        own.start()

    for lose in (emptied, restarted):
        nonce = await asked_for(gates[0], proof(key, token))
        used, unused = (proof(key, token, nonce=nonce) for _ in range(2))
        await gates[0](f"DPoP {token}", ("DPoP", used))
        assert "used before" in (await gates[1].refusal(f"DPoP {token}", ("DPoP", used))).headers["WWW-Authenticate"]
        lose()
        for shown in (used, unused):
            later = [await asked_for(gate, shown) for gate in gates]
            assert len({*later, nonce}) == 2, "replicas ask for one nonce, and for another than before"
        new = proof(key, token, nonce=later[0])
        await gates[1](f"DPoP {token}", ("DPoP", new))
        assert "used before" in (await gates[0].refusal(f"DPoP {token}", ("DPoP", new))).headers["WWW-Authenticate"]
    for memory in memories:
        await memory.close()


async def test_without_nonces_whoever_meets_another_memory_makes_a_new_proof(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, own: ValkeyServer
) -> None:
    memory = SharedReplays(own.url)
    gate = Gate(http, [settings(authority)], proofs=proofs(memory))
    used = proof(key, token)
    await gate(f"DPoP {token}", ("DPoP", used))
    own.stop()
    own.start()
    assert "begun anew" in (await met(gate, token, used)).headers["WWW-Authenticate"]
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    await memory.close()


async def test_a_memory_out_of_reach_refuses_bound_tokens_and_no_others(
    http: httpx.AsyncClient, authority: Authority, key: ECKey, token: str, own: ValkeyServer
) -> None:
    memory = SharedReplays(own.url)
    gate = Gate(http, [settings(authority)], proofs=proofs(memory))
    await gate(f"DPoP {token}", ("DPoP", proof(key, token)))
    own.stop()
    refusal = await gate.refusal(f"DPoP {token}", ("DPoP", proof(key, token)))
    assert refusal.extensions == {"retryable": True}
    assert (await gate(f"Bearer {authority.token()}")).client == "market-regulator"
    await memory.close()


async def test_the_own_memory_forgets_nothing_too_soon_and_says_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = OwnReplays()
    for step in range(400):
        now = step * 7.0
        assert await memory.first(b"%d" % step, 60.0, now)
        for back in range(9):
            assert not await memory.first(b"%d" % max(0, step - back), 60.0, now) or step < back
    assert len(memory._new) + len(memory._old) < 40
    monkeypatch.setattr(replay, "MAX_REMEMBERED", 3)
    full = OwnReplays()
    for name in (b"a", b"b", b"c"):
        assert await full.first(name, 60.0, 0.0)
    assert not await full.first(b"a", 60.0, 1.0)
    with pytest.raises(replay.ReplaysUnavailable):
        await full.first(b"d", 60.0, 1.0)
    assert await full.first(b"d", 60.0, 200.0)
