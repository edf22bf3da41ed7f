"""A witness that follows the registry: new shards and keys need nothing from it, and others get nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clock import machines
from gateway.errors import ConfigurationError, LedgerUnavailable
from gateway.ledger.entry.registry import ROOT, Document, read_document
from gateway.ledger.log import registrar
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.log.witness_client import Contradicted
from gateway.ledger.proof.note import Signer, note_body, open_note, parse_checkpoint
from gateway.ledger.witness.server import RequestRefused, Witness, application
from gateway.storage.port import Store
from tests.ledger.log.test_gap import restore, save
from tests.ledger.log.test_registry import NEW, ROOT_KEY
from tests.ledger.support import KEY, ORIGIN, opened, refused, store_in
from tests.ledger.witness.test_witness import COSIGNER, NAME, SECRET, asking

ROOT_HASH = hashlib.sha256(f"{ORIGIN}/{ROOT}".encode()).hexdigest()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """One that knows the root's key, and nothing else."""
    with contextlib.closing(Witness(NAME, SECRET, ROOT_KEY, tmp_path / "seen.json")) as made:
        yield made


def publisher(store: Store, witness: Witness) -> Publisher:
    return Publisher(store, ORIGIN, machines, witnesses=asking(witness, require=1), every=60)


async def written(
    folder: Path, witness: Witness, private: Ed25519PrivateKey = KEY, at_once: int = 1, count: int = 2
) -> None:
    """Entries in so many shards at once, all of it cosigned: nothing is served otherwise."""
    store = store_in(folder)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(at_once):
            ledger = await stack.enter_async_context(
                opened(store, private=private, publisher=publisher(store, witness), registered=True)
            )
            for number in range(count):
                await refused(ledger, number)
    store.close()


def cosigned(witness: Witness) -> dict[str, int]:
    """The size of each shard that was cosigned."""
    found = {}
    for origin, note in witness._seen.items():
        text, signers = open_note(note, [COSIGNER])
        assert signers == [COSIGNER]
        found[origin.rpartition("/")[2]] = parse_checkpoint(text).size
    return found


def document(store: Store) -> bytes:
    with contextlib.closing(store.reader()) as reader:
        found = registrar.stored_document(reader)
    assert found is not None
    return found


def refusal(witness: Witness, body: bytes) -> tuple[int, str]:
    take = witness.add_registry if body.startswith(b"{") else witness.add_checkpoint
    with pytest.raises(RequestRefused) as caught:
        take(body)
    return caught.value.status, caught.value.body


async def test_new_shards_are_cosigned_without_a_word_to_the_witness(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness)
    assert cosigned(witness) == {ROOT: 3, "1": 2, "commands": 0}
    await written(tmp_path, witness, at_once=3)
    assert cosigned(witness) == {ROOT: 5, "1": 4, "2": 2, "3": 2, "commands": 0}


async def test_it_follows_the_registry_over_a_restart_and_shows_it(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness)
    witness.close()
    with contextlib.closing(Witness(NAME, SECRET, ROOT_KEY, tmp_path / "seen.json")) as again:
        assert again.registry(ROOT_HASH) == document(store_in(tmp_path))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(application(again)), base_url="http://witness.example"
        ) as client:
            answer = await client.get(f"/{ROOT_HASH}/registry")
            assert set(read_document(answer.content, ROOT_KEY).shards) == {
                f"{ORIGIN}/{name}" for name in ("root", "1", "commands")
            }
            assert (await client.get(f"/{'0' * 64}/registry")).status_code == 404
            assert (await client.post("/add-registry", content=b"{}")).status_code == 403
            assert (await client.post("/add-registry", content=bytes(16 * 1024 * 1024 + 1))).status_code == 413
    other = Signer(f"{ORIGIN}/{ROOT}", NEW).verifier
    with pytest.raises(ConfigurationError, match="registry that the public keys do not vouch for"):
        Witness(NAME, SECRET, [other], tmp_path / "seen.json")


async def test_a_rotated_key_is_followed_and_the_old_one_counts_no_more(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness)
    store = store_in(tmp_path)
    names = await Registrar(store, KEY, ORIGIN, publisher(store, witness)).rotate(NEW)
    await Registrar(store, NEW, ORIGIN, publisher(store, witness)).resign(names)
    await written(tmp_path, witness, NEW, at_once=2)
    assert cosigned(witness) == {ROOT: 7, "1": 4, "2": 2, "commands": 0}
    for shard, size, said in (("1", 5, "given up at 2"), (ROOT, 8, "no key that you trust"), ("2", 3, "no key that")):
        note = Signer(f"{ORIGIN}/{shard}", KEY).checkpoint(size, bytes(32))
        status, text = refusal(witness, f"old {cosigned(witness)[shard]}\n\n{note}".encode())
        assert status == 403, shard
        assert said in text


async def test_a_rotation_that_was_interrupted_before_the_witness_heard_of_it_is_finished(
    tmp_path: Path, witness: Witness
) -> None:
    await written(tmp_path, witness)
    store = store_in(tmp_path)
    names = await Registrar(store, KEY, ORIGIN, Publisher(store, ORIGIN, machines)).rotate(NEW)
    assert cosigned(witness)[ROOT] == 3
    await Registrar(store, NEW, ORIGIN, publisher(store, witness)).resign(names)
    assert cosigned(witness) == {ROOT: 6, "1": 2, "commands": 0}


async def test_an_unregistered_shard_is_refused(tmp_path: Path, witness: Witness) -> None:
    store = store_in(tmp_path)
    early = Signer(f"{ORIGIN}/1", KEY).checkpoint(0, hashlib.sha256().digest())
    assert refusal(witness, f"old 0\n\n{early}".encode()) == (
        404,
        f"the registry of `{ORIGIN}/root` was not submitted yet",
    )
    await written(tmp_path, witness)
    with pytest.raises(LedgerUnavailable, match=f"the log `{ORIGIN}/7` is not in the registry of `{ORIGIN}/root`"):
        async with opened(store, shard="7", publisher=publisher(store, witness)):
            raise AssertionError("it started")
    assert cosigned(witness) == {ROOT: 3, "1": 2, "commands": 0}


async def test_a_sealed_shard_is_never_cosigned_again(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness, count=3)
    save(tmp_path, "backup")
    await written(tmp_path, witness, count=2)
    restore(tmp_path, "backup")
    await written(tmp_path, witness)
    assert cosigned(witness) == {ROOT: 5, "1": 5, "2": 3, "commands": 0}
    status, text = refusal(witness, f"old 5\n\n{Signer(f'{ORIGIN}/1', KEY).checkpoint(6, bytes(32))}".encode())
    assert (status, "registered as sealed at 3" in text) == (403, True)


async def test_a_fork_of_a_registered_shard_is_caught(tmp_path: Path, witness: Witness) -> None:
    """Both have the same registry; one of them goes on where the other did, with other entries."""
    await written(tmp_path, witness)
    save(tmp_path, "fork")
    await written(tmp_path, witness)
    store = store_in(tmp_path / "fork")
    async with opened(store) as ledger:
        for number in range(4):
            await refused(ledger, number)
    made = publisher(store, witness)
    Registrar(store, KEY, ORIGIN, made)
    with pytest.raises(Contradicted, match="has seen another shard `1`: the 4 entries that it saw do not begin"):
        await made.publish("1")


async def test_a_fork_of_the_registry_is_caught(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness, at_once=2)
    other = store_in(tmp_path / "other")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(opened(other, registered=True))
    assert refusal(witness, document(other))[0] == 422
    made = publisher(other, witness)
    Registrar(other, KEY, ORIGIN, made)
    with pytest.raises(Contradicted, match="has seen another registry: the registry does not begin with the 4 entries"):
        await made.publish("4")
    with pytest.raises(Contradicted, match="has seen another shard `root`"):
        await made.publish(ROOT)


async def test_a_registry_that_was_set_back_is_caught_by_the_witness(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path, witness)
    save(tmp_path, "backup")
    await written(tmp_path, witness, at_once=2)
    restore(tmp_path, "backup")
    with pytest.raises(
        LedgerUnavailable, match=r"registry has 3 entries, and witness `w0` remembers 4 .* restore a copy of the store"
    ):
        await written(tmp_path, witness)
    store = store_in(tmp_path)
    assert refusal(witness, document(store)) == (409, "4\n")
    async with opened(store, shard="5"):
        made = publisher(store, witness)
        Registrar(store, KEY, ORIGIN, made)
        with pytest.raises(Contradicted, match="`w0` has seen 4 entries of the registry, and the store fewer"):
            await made.publish("5")
    with contextlib.closing(store.connect()) as connection:
        assert connection.execute("SELECT count(*) FROM sealed").fetchone() == (0,)


async def test_nobody_else_can_give_it_a_registry(tmp_path: Path, witness: Witness) -> None:
    await written(tmp_path / "theirs", Witness(NAME, SECRET, [Signer(f"{ORIGIN}/{ROOT}", NEW).verifier],
                  tmp_path / "theirs.json"), NEW)  # fmt: skip
    theirs = document(store_in(tmp_path / "theirs"))
    assert refusal(witness, theirs) == (403, f"no key that you trust is one of `{ORIGIN}/root`")
    await written(tmp_path, witness)
    whole = msgspec.json.decode(document(store_in(tmp_path)), type=Document)
    note = Signer(f"{ORIGIN}/{ROOT}", NEW).sign(note_body(whole.checkpoint))
    altered = msgspec.structs.replace(whole, checkpoint=note)
    assert refusal(witness, msgspec.json.encode(altered))[0] == 403
    assert refusal(witness, b"{" * 100_000)[0] == 403
