"""A sealed shard is verified as such where registry and gap entry explain it; whatever else is missing was cut off."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.config.ledger import LedgerSettings
from gateway.errors import ConfigurationError, VerificationFailed
from gateway.ledger.entry.registry import ROOT, Document, read_document
from gateway.ledger.log import registrar
from gateway.ledger.log.build import examine_registry
from gateway.ledger.log.head_file import SeenOutside
from gateway.ledger.proof import key_files
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Signer
from gateway.ledger.verify import rollback
from gateway.ledger.verify.published import gaps
from gateway.storage.store import open_copy
from tests.ledger import served
from tests.ledger.conftest import Run
from tests.ledger.log.test_gap import restore, save
from tests.ledger.log.test_registry import ROOT_KEY, publisher, with_heads, written
from tests.ledger.served import Files, leaves_of, made_of
from tests.ledger.support import KEY, ORIGIN, opened, refused, store_in

Shards = dict[str, Files]


class Region:
    """A ledger whose store was set back from 7 entries to 3, and went on: what it served before, and serves now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "receipts").mkdir()
        self._enter(3, "kept")
        save(folder, "backup")
        self._enter(4, "lost")
        self.before = self.served(ROOT, "1", "commands")
        restore(folder, "backup")
        self._enter(2, "after")
        self.now = self.served(ROOT, "1", "2", "commands")
        self.leaves = leaves_of(self.before["1"])

    def _enter(self, count: int, name: str) -> None:
        for number, receipt in enumerate(asyncio.run(written(self.folder, count))):
            (self.folder / "receipts" / f"{name}-{number}").write_text(receipt)

    def served(self, *names: str) -> Shards:
        store = store_in(self.folder)
        found = {name: served.published(store, name) for name in names}
        found["registry"] = {"": registrar.document(store) or b""}
        store.close()
        return found


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return Region(tmp_path_factory.mktemp("region"))


@pytest.fixture
def verify(tmp_path: Path, run: Run) -> Callable[..., int]:
    """`ledger verify` of what is served, with the root's key alone; it remembers within a test."""
    key_files.write_verifiers(tmp_path / "root.pub", KEY, ORIGIN, [ROOT])

    def verify(shards: Shards, *more: object) -> int:
        with served.serving(shards) as url:
            return run("ledger", "verify", url, "--key", tmp_path / "root.pub", "--state", tmp_path / "state", *more)

    return verify


def without_gaps(shards: Shards) -> Shards:
    document = msgspec.json.decode(shards["registry"][""], type=Document)
    return shards | {"registry": {"": msgspec.json.encode(msgspec.structs.replace(document, gaps=[]))}}


def test_a_sealed_shard_is_accepted_where_the_gap_is_named(
    region: Region, verify: Callable[..., int], run: Run
) -> None:
    assert verify(region.before) == 0
    assert verify(region.now, "--receipts", region.folder / "receipts") == 0, run.err
    lines = [line.partition(", root")[0] for line in run.out.splitlines()]
    assert lines[1:] == [
        f"whole: {ORIGIN}/1, 3 entries",
        f"sealed: {ORIGIN}/1 at 3; shard 2 goes on, and names what is missing up to 7",
        f"whole: {ORIGIN}/commands, 0 entries",
        f"whole: {ORIGIN}/2, 3 entries",
        "receipts: 5 published",
        f"receipts: 4 genuine, of trees that `{ORIGIN}/1` has no more: it was sealed at 3",
    ]
    assert verify(region.now, "--only-new") == 0, run.err
    assert verify(region.before) == 1, "and it stays what it was sealed as"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_gaps, "its checkpoint has 3 entries, and 7 when it was last seen: it was cut short"),
        (lambda now: {name: files for name, files in now.items() if name != "registry"}, "there is no registry"),
        (lambda now: now | {"1": made_of(leaves_of(now["1"])[:2])}, "2 entries, and 7 when it was last seen"),
        (
            lambda now: now | {"1": made_of([*leaves_of(now["1"]), bytes(32)])},
            "registered as sealed at 3, and signs another tree of 4 entries: it was signed over",
        ),
        (lambda now: now | {"1": made_of([bytes(32)] * 3)}, "sealed at 3, and signs another tree of 3 entries"),
        (
            lambda now: now | {"2": made_of([bytes(32)] * 3, "2")},
            "forked: entry 0 that it publishes is not that of the entry that names the gap",
        ),
        (
            lambda now: now | {ROOT: made_of(leaves_of(now[ROOT])[:4], ROOT)},
            "the registry has 5 entries, and its log only 4",
        ),
        (
            lambda now: now | {ROOT: made_of([*leaves_of(now[ROOT])[:4], bytes(32)], ROOT)},
            "the tree of 5 entries of the registry is no beginning",
        ),
    ],
)
def test_what_no_gap_explains_was_cut_off(
    region: Region, verify: Callable[..., int], run: Run, change: Callable[[Shards], Shards], said: str
) -> None:
    assert verify(region.before) == 0
    assert verify(change(region.now)) == 1
    assert said in run.err
    assert run.err.count("\n") == 1


def test_a_gap_explains_no_more_than_it_admits(
    region: Region, verify: Callable[..., int], run: Run, tmp_path: Path
) -> None:
    for seen, said in (
        ([*region.leaves, bytes(32)], "names what is missing up to 7; whoever verified it last saw 8"),
        ([*region.leaves[:6], bytes(32)], "another tree of 7 entries than the gap names"),
        ([region.leaves[0], bytes(32), *region.leaves[2:6]], "its entries 1 to 1 are not those that were last seen"),
    ):
        assert verify(region.before | {"1": made_of(seen)}) == 0
        assert verify(region.now) == 1
        assert said in run.err
        shutil.rmtree(tmp_path / "state")


def test_two_accounts_of_a_gap_that_differ_are_refused(region: Region) -> None:
    registry = read_document(region.now["registry"][""], ROOT_KEY)
    origin = f"{ORIGIN}/1"
    assert set(gaps.explain(registry, registry.gaps)) == {origin}
    registry.shards[origin] = registry.shards[origin]._replace(sealed=2)
    with pytest.raises(VerificationFailed, match=r"registered as sealed at 2, and .* names a gap from 3 on"):
        gaps.explain(registry, registry.gaps)
    with pytest.raises(VerificationFailed, match="does not verify"):
        gaps.explain(registry, [registry.gaps[0].replace("index 0", "index 1")])


def stored(region: Region, folder: Path, *statements: str) -> Path:
    """A copy of the store as it is now, with changes."""
    store = store_in(region.folder)
    store.connect().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = Path(shutil.copy(region.folder / "ledger.db", folder / "copy.db"))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    return path


def test_a_copy_of_the_store_says_what_was_sealed(region: Region, tmp_path: Path, run: Run) -> None:
    key_files.write_verifiers(tmp_path / "root.pub", KEY, ORIGIN, [ROOT])
    command = ("ledger", "verify", "--key", tmp_path / "root.pub")
    assert run(*command, stored(region, tmp_path)) == 0, run.err
    assert f"sealed: {ORIGIN}/1 at 3; shard 2 goes on, and names what is missing up to 7" in run.out
    with contextlib.closing(open_copy(tmp_path / "copy.db")) as store:
        forked = SeenOutside("somebody", Signer(f"{ORIGIN}/1", KEY).checkpoint(2, bytes(32)))
        with pytest.raises(VerificationFailed, match="the store has 3 entries, and somebody remembers 2 of"):
            rollback.check(store, ROOT_KEY, [forked])
    assert run(*command, stored(region, tmp_path, "UPDATE sealed SET named_in = NULL")) == 1
    assert "registered as sealed at 3, and no entry names the gap" in run.err
    tree = Tree().grow([leaf_hash(leaf) for leaf in region.leaves[:2]]).tree
    note = Signer(f"{ORIGIN}/1", KEY).checkpoint(2, tree.root)
    third = "(SELECT id << 40 | 2 FROM shard WHERE name = '1')"
    cut = stored(
        region,
        tmp_path,
        f"DELETE FROM entry_requester WHERE entry = {third}",
        f"DELETE FROM entry WHERE id = {third}",
        f"UPDATE shard SET size = 2, root = x'{tree.root.hex()}', checkpoint = '{note}' WHERE name = '1'",
    )
    assert run(*command, cut) == 1
    assert "registered as sealed at 3, and the store has 2 entries of it: it was cut short" in run.err


def test_a_store_is_held_against_what_was_seen_outside(
    region: Region, tmp_path: Path, verify: Callable[..., int], run: Run
) -> None:
    """`--state`: what an auditor saw of the running gateway; not by default, since an old copy is no crime."""
    assert verify(region.before) == 0
    command = ("ledger", "verify", "--key", tmp_path / "root.pub")
    assert run(*command, "--state", tmp_path / "state", stored(region, tmp_path)) == 0, run.err
    older = region.folder / "backup" / "ledger.db"
    assert run(*command, older) == 0
    assert run(*command, "--state", tmp_path / "state", older) == 1
    assert "shard `1`: the store has 3 entries, and `" in run.err
    assert "remembers 7" in run.err
    assert open_copy(older).path == older


def test_what_was_never_published_of_a_sealed_shard_is_shown_too(
    tmp_path: Path, verify: Callable[..., int], run: Run
) -> None:
    """A backup is of a moment between two publications: what is left is more than what was published by then."""

    async def enter() -> None:
        store = store_in(tmp_path)
        async with opened(store, publisher=publisher(store, tmp_path), registered=True) as ledger:
            for number in range(3):
                await refused(ledger, number)
            save(tmp_path, "backup")
            await refused(ledger)
        store.close()

    def now(*names: str) -> Shards:
        store = store_in(tmp_path)
        found = {name: served.published(store, name) for name in names}
        found["registry"] = {"": registrar.document(store) or b""}
        store.close()
        return found

    asyncio.run(enter())
    assert verify(now(ROOT, "1", "commands")) == 0
    restore(tmp_path, "backup")
    assert served.size_of(now("1")["1"]) == 0
    asyncio.run(written(tmp_path))
    assert served.size_of(now("1")["1"]) == 3
    assert verify(now(ROOT, "1", "2", "commands")) == 0, run.err
    assert "/1 at 3; shard 2 goes on, and names what is missing up to 4" in run.out


def test_the_configurations_store_is_held_against_its_head_file(tmp_path: Path, run: Run) -> None:
    private = key_files.generate(tmp_path / "ledger.key")
    command = ("ledger", "verify", "--config", with_heads(tmp_path, private), "--key", tmp_path / "ledger.pub")
    asyncio.run(written(tmp_path, 2, private))
    save(tmp_path, "one")
    asyncio.run(written(tmp_path, 1, private))
    assert run(*command) == 0, run.err
    save(tmp_path, "more")
    restore(tmp_path, "one")
    assert run(*command) == 1
    assert f"remembers 3 of `{ORIGIN}/1`. It was cut short or replaced, or is an older copy" in run.err
    restore(tmp_path, "more")
    asyncio.run(written(tmp_path, 1, private, at_once=2))
    restore(tmp_path, "more")
    assert run(*command) == 1
    assert (
        f"registry has 3 entries, and the head file `{tmp_path / 'heads.json'}` remembers 4 of `{ORIGIN}/root`"
        in run.err
    )
    assert "restore a copy of the store that has those 4 entries" in run.err


def test_what_a_start_would_refuse_of_the_registry_is_told_before(tmp_path: Path) -> None:
    settings = LedgerSettings(ORIGIN, tmp_path / "ledger.key", tmp_path / "heads.json")
    private = key_files.generate(settings.key_file)
    store = f"sqlite:///{tmp_path / 'ledger.db'}"
    examine_registry(store, settings, "gateway.yaml")
    assert not (tmp_path / "ledger.db").exists()
    asyncio.run(written(tmp_path, 1, private))
    save(tmp_path, "one")
    asyncio.run(written(tmp_path, 1, private, at_once=2))
    examine_registry(store, settings, "gateway.yaml")
    settings.key_file.unlink()
    key_files.generate(settings.key_file)
    with pytest.raises(ConfigurationError, match=r"gateway\.yaml: ledger: shard `root` is registered with another key"):
        examine_registry(store, settings, "gateway.yaml")
    restore(tmp_path, "one")
    with pytest.raises(ConfigurationError, match=r"registry has 3 entries, and the head file .* remembers 4"):
        examine_registry(store, settings, "gateway.yaml")


def test_a_registry_that_was_set_back_is_found_from_outside(
    tmp_path: Path, verify: Callable[..., int], run: Run
) -> None:
    asyncio.run(written(tmp_path))
    save(tmp_path, "backup")
    asyncio.run(written(tmp_path, at_once=2))

    def now(*names: str) -> Shards:
        store = store_in(tmp_path)
        found = {name: served.published(store, name) for name in names}
        found["registry"] = {"": registrar.document(store) or b""}
        store.close()
        return found

    assert verify(now(ROOT, "1", "2", "commands")) == 0
    restore(tmp_path, "backup")
    assert verify(now(ROOT, "1", "commands")) == 1
    assert f"`{ORIGIN}/root`: its checkpoint has 3 entries, and 4 when it was last seen" in run.err
    assert "it is the registry, so shards or keys are missing" in run.err
