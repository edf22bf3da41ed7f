"""The registry: shards count once their keys are in the root shard; whoever trusts the root needs no other key."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from gateway.clock import machines
from gateway.config import settings
from gateway.errors import ConfigurationError, LedgerUnavailable, VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.registry import ROOT, Document, handover, read_changes, read_document
from gateway.ledger.log import registrar
from gateway.ledger.log.build import examine_registry
from gateway.ledger.log.head_file import HeadFile
from gateway.ledger.log.publish import Publisher
from gateway.ledger.log.registrar import Registrar
from gateway.ledger.log.tiles import routes
from gateway.ledger.proof import key_files, tlog_proof
from gateway.ledger.proof.merkle import EMPTY_ROOT
from gateway.ledger.proof.note import Verifier
from gateway.ledger.stored import read
from gateway.ledger.verify.store import verify_store
from gateway.storage.port import Store
from tests import configured
from tests.ledger import served
from tests.ledger.conftest import Run
from tests.ledger.log.test_gap import files, restore, save
from tests.ledger.support import KEY, ORIGIN, VERIFIERS, opened, refused, store_in

VECTORS = Path(__file__).parents[2] / "vectors"
NEW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ROOT_KEY = key_files.verifiers(KEY, ORIGIN, [ROOT])


def publisher(store: Store, folder: Path) -> Publisher:
    return Publisher(store, ORIGIN, machines, head_file=HeadFile(folder / "heads.json"), every=60)


async def written(folder: Path, count: int = 1, private: Ed25519PrivateKey = KEY, at_once: int = 1) -> list[str]:
    """Receipts of entries in so many shards at once."""
    store = store_in(folder)
    async with contextlib.AsyncExitStack() as stack:
        ledgers = [
            await stack.enter_async_context(
                opened(store, private=private, publisher=publisher(store, folder), registered=True)
            )
            for _ in range(at_once)
        ]
        found = [await refused(ledger, n) for ledger in ledgers for n in range(count)]
    store.close()
    return found


def events(store: Store) -> list[tuple[str, str, int]]:
    with contextlib.closing(store.reader()) as reader:
        return [(each.event, each.shard.rpartition("/")[2], each.size) for each in registrar.stored_changes(reader)]


async def test_a_shard_is_registered_once_and_a_known_one_costs_no_entry(tmp_path: Path) -> None:
    await written(tmp_path, at_once=2)
    await written(tmp_path)
    store = store_in(tmp_path)
    assert events(store) == [("opened", name, 0) for name in ("root", "1", "commands", "2")]
    found = [shard.origin.rpartition("/")[2] for shard in verify_store(store, ROOT_KEY)]
    assert found == ["root", "1", "commands", "2"]
    with pytest.raises(VerificationFailed, match="no key that you trust is one of"):
        verify_store(store, key_files.verifiers(NEW, ORIGIN, [ROOT, "1"]))


async def test_processes_that_start_together_are_all_registered(tmp_path: Path) -> None:
    stores = [store_in(tmp_path) for _ in range(4)]
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(opened(each, registered=True)) for each in stores))
    assert sorted(events(stores[0])) == [("opened", name, 0) for name in ("1", "2", "3", "4", "commands", "root")]


async def test_a_shard_that_is_not_registered_does_not_count(tmp_path: Path) -> None:
    await written(tmp_path)
    store = store_in(tmp_path)
    async with opened(store, shard="7") as ledger:
        await refused(ledger)
    with pytest.raises(VerificationFailed, match=f"`{ORIGIN}/7` is not in the registry|no key that you trust"):
        verify_store(store, VERIFIERS)


async def test_a_shard_is_whole_between_its_opening_and_its_registration(tmp_path: Path) -> None:
    await written(tmp_path)
    store = store_in(tmp_path)
    async with opened(store, shard="7"):
        found = verify_store(store, VERIFIERS)
    assert (f"{ORIGIN}/7", 0) in [(shard.origin, shard.size) for shard in found]


async def test_shards_from_before_there_was_a_registry_are_registered_with_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store) as one, opened(store) as other:
        await refused(one)
        await refused(other)
    await written(tmp_path)
    assert sorted(events(store)) == [
        ("opened", "1", 1),
        ("opened", "2", 1),
        ("opened", "commands", 0),
        ("opened", "root", 0),
    ]
    assert len(verify_store(store, VERIFIERS)) == 4


async def test_another_key_is_refused_before_it_signs_anything(tmp_path: Path) -> None:
    await written(tmp_path)
    with pytest.raises(LedgerUnavailable, match="registered with another key"):
        await written(tmp_path, private=NEW)
    assert [shard.size for shard in verify_store(store_in(tmp_path), VERIFIERS)] == [3, 1, 0]


async def test_a_registry_that_was_set_back_is_never_signed_over(tmp_path: Path) -> None:
    await written(tmp_path)
    save(tmp_path, "backup")
    await written(tmp_path, at_once=2)
    restore(tmp_path, "backup")
    said = r"registry has 3 entries, and the head file .* remembers 4 of `.*/root`\. .* restore a copy of the store"
    with pytest.raises(LedgerUnavailable, match=said):
        await written(tmp_path)
    store = store_in(tmp_path)
    head = store.connect().execute("SELECT * FROM shard WHERE name = 'root'").fetchall()
    with pytest.raises(LedgerUnavailable, match=said):  # nor by a process that found its store set back while it ran
        await Registrar(store, KEY, ORIGIN, publisher(store, tmp_path)).register("9", 0, EMPTY_ROOT)
    with pytest.raises(LedgerUnavailable, match=said):
        await Registrar(store, KEY, ORIGIN, publisher(store, tmp_path)).rotate(NEW)
    assert store.connect().execute("SELECT count(*) FROM sealed").fetchone() == (0,)
    now = store.connect().execute("SELECT * FROM shard WHERE name = 'root'").fetchall()
    assert head == now, "nor was its head signed again"
    store.close()
    for path in files(tmp_path):
        path.unlink(missing_ok=True)
    with pytest.raises(LedgerUnavailable, match="registry has 0 entries"):
        await written(tmp_path)
    for path in files(tmp_path):
        path.unlink(missing_ok=True)
    async with opened(store_in(tmp_path), registered=True), opened(store_in(tmp_path), registered=True):
        assert len(events(store_in(tmp_path))) == 4
    with pytest.raises(LedgerUnavailable, match=r"does not begin with the 4 entries of .* it is another store"):
        await written(tmp_path)


async def test_a_sealed_shard_and_the_one_that_goes_on_are_registered(tmp_path: Path) -> None:
    await written(tmp_path, 3)
    save(tmp_path, "backup")
    await written(tmp_path, 2)
    restore(tmp_path, "backup")
    await written(tmp_path)
    store = store_in(tmp_path)
    assert sorted(events(store)[3:]) == [("opened", "2", 1), ("sealed", "1", 3)]
    assert len(verify_store(store, ROOT_KEY)) == 4
    await written(tmp_path)
    assert len(events(store)) == 5


def with_heads(folder: Path, private: Ed25519PrivateKey) -> Path:
    """A `gateway.yaml` with a head file, and the keys that are trusted."""
    key_files.write_verifiers(folder / "ledger.pub", private, ORIGIN, [ROOT, "1"])
    return configured.write(folder, ledger={"head_file": "heads.json"})


def test_keys_rotate_and_old_receipts_verify_by_the_registry(tmp_path: Path, run: Run) -> None:
    first = key_files.generate(tmp_path / "ledger.key")
    config = with_heads(tmp_path, first)
    (before,) = asyncio.run(written(tmp_path, private=first))
    (tmp_path / "before").write_text(before)
    old_public = tmp_path / "old.pub"
    old_public.write_bytes((tmp_path / "ledger.pub").read_bytes())
    assert run("keys", "rotate", "--config", config) == 0
    second = key_files.load(tmp_path / "ledger.key")
    assert second.private_bytes_raw() != first.private_bytes_raw()
    assert key_files.load(tmp_path / "ledger.key.old").private_bytes_raw() == first.private_bytes_raw()
    with pytest.raises(LedgerUnavailable, match="registered with another key"):
        asyncio.run(written(tmp_path, private=first))
    (after,) = asyncio.run(written(tmp_path, private=second))
    (tmp_path / "after").write_text(after)

    store = store_in(tmp_path)
    assert [event for event, *_ in events(store)] == ["opened"] * 3 + ["rotated"] * 3
    registry = registrar.document(store)
    assert registry is not None
    (tmp_path / "registry").write_bytes(registry)
    only_new = tmp_path / "new.pub"
    key_files.write_verifiers(only_new, second, ORIGIN, [ROOT])
    for public in (old_public, only_new):
        known = key_files.read_verifiers(public)
        assert len(verify_store(store, known)) == 3
        for name in ("before", "after"):
            base = ("ledger", "verify-receipt", "--key", public)
            assert run(*base, "--registry", tmp_path / "registry", tmp_path / name) == 0, (public, name, run.err)
            assert run.out.startswith("signed: entry")
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_receipt(after, key_files.read_verifiers(old_public))

    shards = {name: served.published(store, name) for name in (ROOT, "1", "commands")}
    (tmp_path / "receipts").mkdir()
    for name in ("before", "after"):
        (tmp_path / "receipts" / name).write_text((tmp_path / name).read_text())
    with served.serving({**shards, "registry": {"": registry}}) as url:
        base = ("ledger", "verify", "--state", tmp_path / "state", "--receipts", tmp_path / "receipts")
        assert run(*base, "--key", old_public, url) == 0, run.err
        assert "receipts: 2 published" in run.out
        assert run(*base, "--key", only_new, url) == 0, run.err
    with served.serving(shards) as url:
        assert run("ledger", "verify", "--state", tmp_path / "state", "--key", old_public, url) == 1
        assert "no registry" in run.err


def test_a_receipt_by_a_key_that_was_given_up_before_is_refused(tmp_path: Path, run: Run) -> None:
    version = VECTORS / "proof-v3"
    extra = tlog_proof.parse((version / "receipts" / "first-key.txt").read_text()).extra
    (tmp_path / "receipts").mkdir()
    for name, others in (("before", 2), ("receipts/after", 3)):
        (tmp_path / name).write_text(served.receipt_over(extra, others))
    known = ("--key", version / "root.pub", "--registry", version / "registry.json")
    assert run("ledger", "verify-receipt", *known, tmp_path / "before") == 0, run.err
    assert run("ledger", "verify-receipt", *known, tmp_path / "receipts" / "after") == 1
    assert "signs 4 entries with a key that was given up at 3" in run.err
    logs = {
        log.name: {path.relative_to(log).as_posix(): path.read_bytes() for path in log.rglob("*") if path.is_file()}
        for log in (version / "log").iterdir()
    }
    with served.serving({**logs, "registry": {"": (version / "registry.json").read_bytes()}}) as url:
        base = ("ledger", "verify", "--state", tmp_path / "state", "--receipts", tmp_path / "receipts")
        assert run(*base, "--key", version / "root.pub", url) == 1
        assert "given up at 3" in run.err


def test_a_rotation_that_was_interrupted_is_finished(tmp_path: Path, run: Run) -> None:
    first = key_files.generate(tmp_path / "ledger.key")
    config = with_heads(tmp_path, first)
    store_in(tmp_path).close()
    with pytest.raises(ConfigurationError, match="no gateway has registered"):
        run("keys", "rotate", "--config", config)
    (tmp_path / "ledger.key.next").unlink()
    asyncio.run(written(tmp_path, private=first))
    following = key_files.generate(tmp_path / "ledger.key.next")
    asyncio.run(
        Registrar(store_in(tmp_path), first, ORIGIN, Publisher(store_in(tmp_path), ORIGIN, machines)).rotate(following)
    )
    found = settings.load(config, {})
    with pytest.raises(
        ConfigurationError, match=r"interrupted, as `.*ledger\.key\.next` shows; run `dutybound keys rot"
    ):
        examine_registry(found.store, found.ledger, "gateway.yaml")
    assert run("keys", "rotate", "--config", config) == 0
    examine_registry(settings.load(config, {}).store, found.ledger, "gateway.yaml")
    assert key_files.load(tmp_path / "ledger.key").private_bytes_raw() == following.private_bytes_raw()
    assert len(events(store_in(tmp_path))) == 6
    asyncio.run(written(tmp_path, private=following))
    assert len(verify_store(store_in(tmp_path), ROOT_KEY + key_files.verifiers(first, ORIGIN, [ROOT]))) == 3


def test_only_the_key_that_is_registered_can_be_rotated(tmp_path: Path, run: Run) -> None:
    first = key_files.generate(tmp_path / "ledger.key")
    config = with_heads(tmp_path, first)
    asyncio.run(written(tmp_path, private=first))
    before = events(store_in(tmp_path))
    (tmp_path / "ledger.key").rename(tmp_path / "kept")
    key_files.generate(tmp_path / "ledger.key")
    with pytest.raises(LedgerUnavailable, match=r"shard `root` is registered with another key.*put that key back"):
        run("keys", "rotate", "--config", config)
    assert events(store_in(tmp_path)) == before
    (tmp_path / "kept").replace(tmp_path / "ledger.key")
    with pytest.raises(ConfigurationError, match=r"other\.pub: is no file"):
        run("keys", "rotate", "--config", config, "--public", tmp_path / "other.pub")
    assert run("keys", "rotate", "--config", config) == 0
    assert len(verify_store(store_in(tmp_path), ROOT_KEY + key_files.verifiers(first, ORIGIN, [ROOT]))) == 3


async def test_a_running_gateway_is_not_rotated(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, registered=True):
        with pytest.raises(LedgerUnavailable, match="stop every gateway"):
            await Registrar(store, KEY, ORIGIN, Publisher(store, ORIGIN, machines)).rotate(NEW)
    assert len(events(store)) == 3


def changed(event: str = "rotated", **members: object) -> entries.ShardChange:
    new = Verifier(f"{ORIGIN}/1", NEW.public_key().public_bytes_raw())
    made = registrar.change("rotated", machines(), new, 5, bytes(32), handover=handover(KEY, NEW, new.name, 5))
    return msgspec.structs.replace(made, event=event, **members)  # type: ignore[arg-type]


OPENED = registrar.change("opened", machines(), VERIFIERS[0], 0, bytes(32))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (changed(handover=""), "signature lines"),
        (changed(handover=handover(NEW, NEW, f"{ORIGIN}/1", 5)), "no key|not handed over|wrong"),
        (changed(handover=handover(KEY, NEW, f"{ORIGIN}/1", 4)), "not handed over"),
        (changed(size=-1), "not handed over|takes over before"),
        (changed(key=str(VERIFIERS[1])), "its key is of"),
        (OPENED, "opened before"),
        (changed(shard=f"{ORIGIN}/9", key=str(Verifier(f"{ORIGIN}/9", bytes(32)))), "never opened"),
    ],
)
def test_no_key_follows_that_was_not_handed_over(second: entries.ShardChange, said: str) -> None:
    assert read_changes([OPENED, changed()])[f"{ORIGIN}/1"].key == Verifier(
        f"{ORIGIN}/1", NEW.public_key().public_bytes_raw()
    )
    with pytest.raises(VerificationFailed, match=said):
        read_changes([OPENED, second])


async def test_a_registry_that_was_altered_is_found(tmp_path: Path) -> None:
    await written(tmp_path, at_once=2)
    content = registrar.document(store_in(tmp_path))
    assert content is not None
    assert len(read_document(content, ROOT_KEY).shards) == 4
    whole = msgspec.json.decode(content, type=Document)
    for broken in (
        msgspec.structs.replace(whole, entries=whole.entries[:-1]),
        msgspec.structs.replace(whole, entries=[*whole.entries, whole.entries[-1]]),
        msgspec.structs.replace(whole, entries=[*whole.entries[:2], whole.entries[2][:-1] + b" "]),
        msgspec.structs.replace(whole, entries=[whole.entries[0], *whole.entries[:0:-1]]),
        msgspec.structs.replace(whole, checkpoint=whole.checkpoint.replace("\n4\n", "\n3\n")),
        msgspec.structs.replace(whole, v=2),
    ):
        with pytest.raises(VerificationFailed):
            read_document(msgspec.json.encode(broken), ROOT_KEY)


async def test_the_gateway_serves_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path), registered=True) as ledger:
        app = Starlette(routes=routes(ledger))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.example") as client:
            answer = await client.get("/ledger/registry")
            assert set(read_document(answer.content, ROOT_KEY).shards) == {
                f"{ORIGIN}/{name}" for name in ("root", "1", "commands")
            }
            root = (await client.get("/ledger/root/checkpoint")).text
            assert root == json.loads(answer.content)["checkpoint"]
            assert (await client.get("/ledger/1/checkpoint")).headers["Last-Modified"].endswith("GMT")
    with contextlib.closing(store.reader()) as reader:
        assert {head.name for head in read.heads(reader)} == {"1", "commands", "root"}


async def test_it_is_made_once_for_whoever_asks_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, document = list[bytes | None](), registrar.document

    def noted(store: Store) -> bytes | None:
        made.append(document(store))
        return made[-1]

    monkeypatch.setattr(registrar, "document", noted)
    monkeypatch.setattr(registrar, "KEPT", 3600.0)
    store = store_in(tmp_path)
    async with opened(store, publisher=publisher(store, tmp_path), registered=True):
        kept = registrar.Published(store)
        assert {await asyncio.to_thread(kept.document) for _ in range(5)} == {made[0]}
        assert len(made) == 1
        monkeypatch.setattr(registrar, "KEPT", -1.0)
        kept.document()
        assert len(made) == 2
