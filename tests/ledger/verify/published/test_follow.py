"""A log that is followed over HTTP: every kind of damage is found and named, and what was seen is never forgotten."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, VerificationFailed
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.proof.key_files import verifiers
from gateway.ledger.proof.merkle import EMPTY_ROOT, Tree, leaf_hash
from gateway.ledger.proof.note import Signer
from gateway.ledger.verify.published import tile_client
from gateway.ledger.verify.published.assurance import Claim, claim_of
from gateway.ledger.verify.published.follow import Followed, follow
from gateway.ledger.verify.published.follower_state import Memory, Reached
from tests.ledger.served import Files, leaves_of, log_of, made_of, published, serving, size_of
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, disclosed, opened, receipt_of, store_in

SIZE = 515  # two full tiles, and a partial one
NOW = AT + datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files, list[str]]:
    """A log of 300 entries, the same at `SIZE`, and some receipts of it."""
    store = store_in(tmp_path_factory.mktemp("log"))

    async def fill() -> tuple[Files, Files, list[str]]:
        async with opened(store) as ledger:
            answers = [await disclosed(ledger, number) for number in range(3)]
            await asyncio.gather(*(ledger.append(b"%d" % number, b"", AT, BY) for number in range(297)))
            before = published(store)
            answers.append(await disclosed(ledger, 3))
            await asyncio.gather(*(ledger.append(b"%d" % number, b"", AT, BY) for number in range(SIZE - 302)))
            answers.append(await disclosed(ledger, 4))
        return before, published(store), list(map(receipt_of, answers))

    return asyncio.run(fill())


@pytest.fixture
def old(grown: tuple[Files, Files, list[str]]) -> Files:
    return dict(grown[0])


@pytest.fixture
def files(grown: tuple[Files, Files, list[str]]) -> Files:
    return dict(grown[1])


@pytest.fixture
def claims(grown: tuple[Files, Files, list[str]]) -> list[Claim]:
    return [claim_of(f"receipt {at}", verify_receipt(text, VERIFIERS)) for at, text in enumerate(grown[2])]


def over_http(files: Files, memory: Memory | None = None, claims: list[Claim] | None = None, **how: bool) -> Followed:
    with serving({"1": files}) as url, tile_client.http_client() as client:
        log = tile_client.from_url(client, f"{url}/ledger/1", pause=lambda seconds: None)
        return follow(log, VERIFIERS, memory, claims or [], NOW, shard="1", **how)


def test_a_whole_log_is_whole_and_covers_every_receipt(files: Files, claims: list[Claim]) -> None:
    found = over_http(files, claims=claims)
    assert (found.origin, found.size, found.seen) == (f"{ORIGIN}/1", SIZE, 0)
    assert found.published == claims
    assert found.pending == []


def test_the_empty_log_is_whole() -> None:
    assert over_http(made_of([])).root == EMPTY_ROOT


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65536, 65537, 65536 + 513])
def test_logs_of_every_shape_are_whole(size: int) -> None:
    leaves = [number.to_bytes(32, "big") for number in range(size)]
    found = follow(log_of(made_of(leaves)), VERIFIERS, None, [], NOW)
    assert found.root == Tree().grow(list(map(leaf_hash, leaves))).tree.root


# Damage. Each takes the files of a log and changes them; the message names the first broken entry or tile.


def flip(path: str, at: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        content = bytearray(files[path])
        content[at] ^= 1
        files[path] = bytes(content)

    return change


def swap(one: int, other: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        content = files["tile/entries/001"]
        rows = [content[at : at + 34] for at in range(0, len(content), 34)]
        rows[one], rows[other] = rows[other], rows[one]
        files["tile/entries/001"] = b"".join(rows)

    return change


def rewrite(change: Callable[[list[bytes]], None]) -> Callable[[Files], None]:
    """Rewrite all entries and tiles, which anybody can; the checkpoint cannot be signed again without the key."""

    def apply(files: Files) -> None:
        leaves = leaves_of(files)
        change(leaves)
        kept = files["checkpoint"]
        files.clear()
        files.update(made_of(leaves))
        files["checkpoint"] = kept

    return apply


def replace(files: Files, **others: bytes) -> None:
    files.update(others)


DAMAGE: dict[str, tuple[Callable[[Files], None], str]] = {
    "entry altered": (flip("tile/entries/001", 34 * 44 + 5), "entry 300 is not what its tile"),
    "entry's length altered": (flip("tile/entries/001", 34 * 44), "entry 300 is not 32 bytes"),
    "last entry altered": (flip("tile/entries/002.p/3", 70), "entry 514 is not what its tile"),
    "tile altered": (flip("tile/0/000", 32 * 7), "entry 7 is not what its tile"),
    "upper tile altered": (flip("tile/1/000.p/2", 33), "hash 1 of tile level 1 is not that of entries 256 to 511"),
    "checkpoint's size altered": (
        lambda files: replace(files, checkpoint=files["checkpoint"].replace(b"\n515\n", b"\n514\n")),
        "signature of .* is wrong",
    ),
    "checkpoint's root altered": (flip("checkpoint", 40), "does not verify"),
    "checkpoint's signature altered": (flip("checkpoint", -10), "does not verify"),
    "checkpoint is not text": (lambda files: replace(files, checkpoint=b"\xff"), "not UTF-8"),
    "entries reordered": (swap(2, 3), "entry 258 is not what its tile"),
    "bundle removed": (lambda files: files.pop("tile/entries/001") and None, "`tile/entries/001` is missing"),
    "tile removed": (lambda files: files.pop("tile/0/002.p/3") and None, "`tile/0/002` is missing"),
    "upper tile removed": (lambda files: files.pop("tile/1/000.p/2") and None, "`tile/1/000` is missing"),
    "checkpoint removed": (lambda files: files.pop("checkpoint") and None, "there is no checkpoint at"),
    "bundle cut short": (
        lambda files: files.update({"tile/entries/001": files["tile/entries/001"][:-34]}),
        "`tile/entries/001` has 8670 bytes, and not 8704",
    ),
    "bundle too long": (
        lambda files: files.update({"tile/entries/001": files["tile/entries/001"] + bytes(34)}),
        "`tile/entries/001` has more than",
    ),
    "entry altered everywhere": (rewrite(lambda leaves: leaves.__setitem__(300, bytes(32))), "not give the root"),
    "entry removed everywhere": (rewrite(lambda leaves: leaves.pop(300) and None), r"`tile/entries/002` .*missing"),
    "entries reordered everywhere": (rewrite(lambda leaves: leaves.reverse()), "not give the root"),
    "entry added everywhere": (rewrite(lambda leaves: leaves.insert(3, bytes(32))), r"`tile/entries/002` .*missing"),
    "truncated everywhere": (rewrite(lambda leaves: leaves.__delitem__(slice(200, None))), "`tile/entries/000` .*miss"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_named(files: Files, kind: str) -> None:
    change, message = DAMAGE[kind]
    change(files)
    with pytest.raises(VerificationFailed, match=message) as failed:
        over_http(files)
    assert "\n" not in str(failed.value)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_anywhere_is_found(grown: tuple[Files, Files, list[str]], data: st.DataObject) -> None:
    files = dict(grown[1])
    path = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[path]) - 1))
    content = bytearray(files[path])
    content[at] ^= data.draw(st.integers(1, 255))
    files[path] = bytes(content)
    with pytest.raises(VerificationFailed):
        follow(log_of(files), VERIFIERS, None, [], NOW, shard="1")


def test_another_key_is_not_ours(files: Files) -> None:
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        follow(log_of(files), verifiers(KEY, "elsewhere.example", ["1"]), None, [], NOW)


def test_another_shards_log_is_not_this_one(files: Files) -> None:
    with pytest.raises(VerificationFailed, match="another log is served there"):
        over_http(made_of(leaves_of(files), "2"))


# What was seen before


def test_it_remembers_and_goes_on(old: Files, files: Files, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state")
    assert over_http(old, memory).seen == 0
    assert over_http(files, memory).seen == 300
    assert over_http(files, memory).seen == SIZE


def test_only_new_reads_what_is_new(old: Files, files: Files, tmp_path: Path, claims: list[Claim]) -> None:
    memory = Memory(tmp_path)
    over_http(old, memory)
    files["tile/entries/000"] = b"not looked at again"
    found = over_http(files, memory, claims, only_new=True)
    assert found.size == SIZE
    assert found.published == claims
    with pytest.raises(VerificationFailed, match="tile/entries/000"):
        over_http(files, memory)


def test_a_log_that_shrank_is_found_although_it_is_signed(old: Files, files: Files, tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    over_http(files, memory)
    with pytest.raises(VerificationFailed, match="has 300 entries, and 515 when it was last seen"):
        over_http(old, memory)


@pytest.mark.parametrize("only_new", [False, True])
@pytest.mark.parametrize("at", [0, 299])
def test_a_fork_is_found_although_it_is_whole_and_signed(
    old: Files, files: Files, tmp_path: Path, at: int, only_new: bool
) -> None:
    memory = Memory(tmp_path)
    over_http(old, memory)
    leaves = leaves_of(files)
    leaves[at] = bytes(32)
    other = made_of(leaves)
    with pytest.raises(VerificationFailed, match=r"was forked|hash 0 of tile level 1|was altered since") as failed:
        over_http(other, memory, only_new=only_new)
    if not only_new:
        [kept] = tmp_path.glob("*.forked.txt")
        assert kept.read_bytes() == old["checkpoint"] + b"\n" + other["checkpoint"]
        assert str(kept) in str(failed.value)
    assert over_http(files, memory).seen == 300, "the log that was seen is still the one"


def test_two_trees_of_one_size_are_a_fork(files: Files, tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    over_http(files, memory)
    with pytest.raises(VerificationFailed, match="two different trees of 515 entries"):
        over_http(made_of([bytes(32)] * SIZE), memory)


def test_a_receipt_alone_shows_a_fork(files: Files, claims: list[Claim]) -> None:
    leaves = leaves_of(files)
    leaves[claims[1].index] = bytes(32)
    with pytest.raises(VerificationFailed, match="entry 1 that it publishes is not that of receipt 1"):
        over_http(made_of(leaves), claims=claims[1:])
    leaves = leaves_of(files)
    leaves[0] = bytes(32)
    with pytest.raises(VerificationFailed, match="tree of 515 entries of receipt 4 is no beginning"):
        over_http(made_of(leaves), claims=claims[4:])


def test_a_receipt_alone_shows_that_the_log_was_cut_short(old: Files, claims: list[Claim]) -> None:
    with pytest.raises(VerificationFailed, match=r"receipt 3 is of a tree of 301 .* cut short, or withholds"):
        over_http(old, claims=claims)
    with serving({"1": old}) as url, tile_client.http_client() as client:
        log = tile_client.from_url(client, f"{url}/ledger/1")
        found = follow(log, VERIFIERS, None, claims, AT + datetime.timedelta(seconds=5))
    assert [claim.size for claim in found.pending] == [301, 515]


def test_a_state_file_that_was_damaged_is_not_taken_for_none(files: Files, tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    over_http(files, memory)
    [path] = tmp_path.glob("*.json")
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="the last seen checkpoint is forgotten"):
        over_http(files, memory)


# Interruptions


class Counted:
    """Counts what is read of a log, and ends the process's patience at a path."""

    def __init__(self, files: Files, ends_at: str = "") -> None:
        self._files, self._ends_at = files, ends_at
        self.read: list[str] = []

    def __call__(self, path: str, most: int) -> bytes | None:
        if path == self._ends_at:
            raise KeyboardInterrupt
        self.read.append(path)
        return self._files.get(path)


def test_a_check_that_was_interrupted_goes_on_where_it_was(files: Files, tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        follow(tile_client.TileLog(Counted(files, "tile/entries/001"), "here"), VERIFIERS, memory, [], NOW)
    rest = Counted(files)
    assert follow(tile_client.TileLog(rest, "here"), VERIFIERS, memory, [], NOW).size == SIZE
    assert "tile/entries/000" not in rest.read
    again = Counted(files)
    follow(tile_client.TileLog(again, "here"), VERIFIERS, memory, [], NOW)
    assert "tile/entries/000" in again.read, "a new check begins at the first entry"


def test_progress_is_told(files: Files) -> None:
    told: list[tuple[str, int, int]] = []
    follow(log_of(files), VERIFIERS, None, [], NOW, progress=lambda *seen: told.append(seen))
    assert told == [(f"{ORIGIN}/1", done, SIZE) for done in (256, 512, SIZE)]


def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_told(files: Files) -> None:
    failing = {"tile/0/001": 2}
    with serving({"1": files}, failing) as url, tile_client.http_client() as client:
        log = tile_client.from_url(client, f"{url}/ledger/1", pause=lambda seconds: None)
        assert follow(log, VERIFIERS, None, [], NOW).size == SIZE
        failing["tile/0/001"] = 99
        with pytest.raises(VerificationFailed, match=r"tile/0/001` cannot be had \(it answers 503\)"):
            follow(log, VERIFIERS, None, [], NOW)
    with tile_client.http_client() as client, pytest.raises(VerificationFailed, match="cannot be had"):
        tile_client.from_url(client, f"{url}/ledger/1", pause=lambda seconds: None).checkpoint()


def test_a_partial_tile_may_be_served_as_the_full_one(old: Files, files: Files) -> None:
    served = {path: content for path, content in {**files, **old}.items() if not path.endswith("/001.p/44")}
    assert over_http(served).size == size_of(old)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 515, 65536, 65537])
def test_a_tree_is_made_again_from_what_is_remembered(size: int) -> None:
    hashes = [leaf_hash(number.to_bytes(32, "big")) for number in range(size)]
    rows = [hashes]
    while len(rows[-1]) >= 256:
        row = rows[-1]
        rows.append([tile_client.fold(row[at << 8 : at + 1 << 8]) for at in range(len(row) >> 8)])
    reached = Reached(size, tuple(tuple(row[len(row) >> 8 << 8 :]) for row in rows))
    assert reached.tree().root == Tree().grow(hashes).tree.root


def test_a_signer_who_lies_about_the_root_is_found(files: Files) -> None:
    files["checkpoint"] = Signer(f"{ORIGIN}/1", KEY).checkpoint(SIZE, bytes(32)).encode()
    with pytest.raises(VerificationFailed, match="do not give the root that its checkpoint signs"):
        over_http(files)
