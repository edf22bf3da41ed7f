"""Witnesses: they cosign what contains what they saw, and nothing else (c2sp.org/tlog-witness); a fork is caught."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import SETTLED, Clock, machines
from gateway.errors import ConfigurationError, LedgerUnavailable, VerificationFailed
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.log.publish import Publisher, read_published
from gateway.ledger.log.witness_client import AskedWitness as Known
from gateway.ledger.log.witness_client import Contradicted, Witnesses
from gateway.ledger.proof.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, subtree
from gateway.ledger.proof.note import Cosigner, Signer, b64, note_body, open_note, parse_checkpoint, parse_verifier
from gateway.ledger.verify.published.assurance import published, read_checkpoint
from gateway.ledger.verify.published.tile_client import TileLog
from gateway.ledger.witness.server import RequestRefused, Witness, application
from tests.connectors.servers import ENDLESS, always, answer, endlessly, serve, zeros
from tests.ledger import served
from tests.ledger.support import AT, BY, KEY, ORIGIN, VERIFIERS, opened, refused, store_in
from tests.waiting import until_async

NAME, SHARD = "witness.example/w1", f"{ORIGIN}/1"
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
COSIGNING = Cosigner(NAME, SECRET)
COSIGNER = COSIGNING.verifier


class Log:
    """A log in memory; several may share a beginning, and a key."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.hashes = [leaf_hash(leaf) for leaf in leaves]

    def node(self, level: int, position: int) -> bytes:
        first, last = position << level, position + 1 << level
        return self.hashes[first] if level == 0 else subtree(self.node_below, first, last)

    def node_below(self, level: int, position: int) -> bytes:
        if level == 0:
            return self.hashes[position]
        half = level - 1
        return hashlib.sha256(
            b"\x01" + self.node_below(half, 2 * position) + self.node_below(half, 2 * position + 1)
        ).digest()

    def note(self, size: int, key: Ed25519PrivateKey = KEY) -> str:
        root = subtree(self.node_below, 0, size) if size else EMPTY_ROOT
        return Signer(SHARD, key).checkpoint(size, root)

    def request(self, old: int, new: int) -> bytes:
        proof = "".join(f"{b64(each)}\n" for each in consistency_proof(self.node_below, old, new))
        return f"old {old}\n{proof}\n{self.note(new)}".encode()


LOG, FORK = Log([b"%d" % n for n in range(40)]), Log([b"%d" % (n if n != 5 else 99) for n in range(40)])


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with contextlib.closing(Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json", lambda: 1_700_000_000.9)) as made:
        yield made


def refusal(witness: Witness, body: bytes) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as caught:
        witness.add_checkpoint(body)
    return caught.value.status, caught.value.body


def test_it_cosigns_what_goes_on_from_what_it_saw(witness: Witness) -> None:
    for old, new in ((0, 0), (0, 7), (7, 7), (7, 8), (8, 40)):
        line = witness.add_checkpoint(LOG.request(old, new))
        text, signers = open_note(LOG.note(new) + line, [COSIGNER])
        assert parse_checkpoint(text).size == new
        assert signers == [COSIGNER]
        raw = base64.b64decode(line.split(" ")[2])
        assert int.from_bytes(raw[4:12]) == 1_700_000_000
        kept = witness.checkpoint(hashlib.sha256(SHARD.encode()).hexdigest())
        assert kept is not None
        assert [signer.name for signer in open_note(kept, [*VERIFIERS, COSIGNER])[1]] == [SHARD, NAME]


def test_a_fork_is_caught(witness: Witness) -> None:
    witness.add_checkpoint(LOG.request(0, 10))
    assert refusal(witness, FORK.request(10, 20))[0] == 422
    assert refusal(witness, FORK.request(10, 10))[0] == 422
    assert refusal(witness, FORK.request(0, 20)) == (409, "10\n")
    assert refusal(witness, LOG.request(0, 5)) == (409, "10\n"), "it does not go back"
    witness.add_checkpoint(LOG.request(10, 20))


@given(st.lists(st.tuples(st.sampled_from([LOG, FORK]), st.integers(0, 40), st.integers(0, 40)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_two_trees_that_contradict_each_other_are_never_both_cosigned(
    tmp_path_factory: pytest.TempPathFactory, submitted: list[tuple[Log, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("w")
    cosigned: list[tuple[Log, int]] = []
    with contextlib.closing(Witness(NAME, SECRET, VERIFIERS, folder / "seen.json")) as made:
        for log, old, new in submitted:
            if old <= new:
                with contextlib.suppress(RequestRefused):
                    made.add_checkpoint(log.request(old, new))
                    cosigned.append((log, new))
    sizes = [size for _, size in cosigned]
    assert sizes == sorted(sizes)
    assert len({id(log) for log, size in cosigned if size > 5}) <= 1, "they differ from entry 5 on"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old x\n\n" + LOG.note(3).encode(), 400),
        (b"old 00\n\n" + LOG.note(3).encode(), 400),
        (b"old 4\n\n" + LOG.note(3).encode(), 400),
        (b"old 0\n" + b"A" * 44 + b"\n\n" + LOG.note(3).encode(), 400),
        (b"old 0\n" + (b64(bytes(32)).encode() + b"\n") * 64 + b"\n" + LOG.note(3).encode(), 400),
        (b"old 0\n" + b64(bytes(32)).encode() + b"\n\n" + LOG.note(3).encode(), 422),
        (b"old 0\n\n" + Signer(SHARD, KEY).checkpoint(0, bytes(32)).encode(), 422),
        (b"old 0\n\n" + LOG.note(3, SECRET).encode(), 403),
        (b"old 0\n\n" + LOG.note(3).replace("\n3\n", "\n4\n").encode(), 403),
        (b"old 0\n\n" + Signer("elsewhere.example/1", KEY).checkpoint(0, EMPTY_ROOT).encode(), 404),
    ],
)
def test_what_is_not_right_is_refused_as_the_specification_says(witness: Witness, body: bytes, status: int) -> None:
    assert refusal(witness, body)[0] == status
    assert witness.checkpoint(hashlib.sha256(SHARD.encode()).hexdigest()) is None


def test_it_remembers_over_a_restart_and_is_alone_with_its_state(tmp_path: Path, witness: Witness) -> None:
    witness.add_checkpoint(LOG.request(0, 10))
    with pytest.raises(ConfigurationError, match="belongs to a witness that is running"):
        Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json")
    witness.close()
    again = Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json")
    assert refusal(again, FORK.request(10, 20))[0] == 422
    again.close()
    (tmp_path / "seen.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="what was cosigned is forgotten"):
        Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json")


def asking(*witnesses: Witness, require: int = 0, within: float = 5.0) -> Witnesses:
    """Real requests to the witnesses' real applications, by host name."""
    apps = {f"w{number}": httpx.ASGITransport(application(each)) for number, each in enumerate(witnesses)}

    class Hosts(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host not in apps:
                raise httpx.ConnectError("nobody listens")
            return await apps[request.url.host].handle_async_request(request)

    known = [Known(f"w{n}", f"http://w{n}", each.cosigner.verifier) for n, each in enumerate(witnesses)]
    if require > len(witnesses):
        known.append(Known("away", "http://away", COSIGNER))
    return Witnesses(known, require=require, within=within, transport=Hosts())


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_answer_of_a_witness_is_given_up_at_a_bound(what: str) -> None:
    async with serve(endlessly(*ENDLESS[what])) as server:
        made = Witnesses([Known("w", server.url, COSIGNER)], require=1, within=60.0)
        with pytest.raises(LedgerUnavailable) as raised:
            await made.remembered(SHARD, VERIFIERS)
        await made.close()
    assert "in time" not in str(raised.value)


async def test_a_witness_is_asked_without_a_proxy_and_its_answer_is_never_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve(always(answer({}, 500))) as proxy, serve(always(zeros(200, compressed=True))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        made = Witnesses([Known("w", server.url, COSIGNER)], require=1)
        with pytest.raises(LedgerUnavailable, match="1 witnesses are required"):
            await made.remembered(SHARD, VERIFIERS)
        await made.close()
    assert proxy.requests == []
    assert server.requests[0].headers["accept-encoding"] == "identity"


def note_of(folder: Path) -> str:
    with contextlib.closing(store_in(folder).reader()) as reader:
        found = read_published(reader, "1")
    assert found is not None
    return found.checkpoint


async def test_cosigned_checkpoints_are_published_and_prove_that_a_receipt_is_witnessed(
    tmp_path: Path, witness: Witness
) -> None:
    store = store_in(tmp_path)
    made = Publisher(store, ORIGIN, machines, witnesses=asking(witness, require=1), every=0.02)
    async with opened(store, publisher=made) as ledger:
        receipts = [await refused(ledger, number) for number in range(3)]
        await until_async("publication", lambda: parse_checkpoint(note_body(note_of(tmp_path))).size == 3)
    files = served.published(store)
    log = TileLog(lambda path, most: files.get(path), "here")
    for receipt in receipts:
        proved = verify_receipt(receipt, VERIFIERS)
        assert published(proved, VERIFIERS, None, log)[0].assurance == "published", (
            "whom one does not know, one ignores"
        )
        raised, why = published(proved, [*VERIFIERS, COSIGNER], None, log)
        assert (raised.assurance, raised.witnesses, why) == ("witnessed", (NAME,), "")


async def test_a_witness_tells_a_machine_whose_store_has_no_clock_that_its_own_jumped(tmp_path: Path) -> None:
    """SQLite's clock is the machine's. A jump is not believed, however long it lasts, as long as a witness signs."""
    passed, off = 0.0, 0.0
    clock = Clock(lambda: AT, lambda: AT + datetime.timedelta(seconds=passed + off), lambda: passed)
    with contextlib.closing(
        Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json", lambda: AT.timestamp() + passed)
    ) as witness:
        made = Publisher(store_in(tmp_path), ORIGIN, clock, witnesses=asking(witness, require=1), every=3600)
        async with opened(store_in(tmp_path), publisher=made) as ledger:

            async def minutes(number: int) -> str | None:
                nonlocal passed
                for _ in range(number):
                    passed += SETTLED
                    await made.publish("1")
                    await clock.compare(ledger.time)
                return clock.doubt

            assert await minutes(3) is None
            off = 7200.0
            assert "7200 s ahead of the store's, or a witness's" in str(await minutes(10))
            off = 0.0
            assert await minutes(3) is None, "it was set right"


async def test_a_start_two_hours_ahead_is_seen_where_a_witness_signs(tmp_path: Path) -> None:
    with contextlib.closing(Witness(NAME, SECRET, VERIFIERS, tmp_path / "seen.json", AT.timestamp)) as witness:
        clock = Clock(lambda: AT, lambda: AT + datetime.timedelta(hours=2))
        made = Publisher(store_in(tmp_path), ORIGIN, clock, witnesses=asking(witness, require=1), every=3600)
        async with opened(store_in(tmp_path), publisher=made) as ledger:
            await made.publish("1")
            await clock.compare(ledger.time)
            assert clock.doubt is not None


async def test_one_witness_whose_clock_is_wrong_keeps_nobody_from_answering(tmp_path: Path) -> None:
    asked = Witnesses([])
    assert asked.time(AT) is None
    now = time.monotonic()
    asked._times = {"right": (now, int(AT.timestamp())), "wrong": (now, 0), "silent": (now - 60, int(AT.timestamp()))}
    said = asked.time(AT)
    assert said is not None
    assert abs(said - AT) < datetime.timedelta(seconds=30)
    asked._times.pop("right")
    said = asked.time(AT)
    assert said is not None
    assert said.year == 1970, "what was told a minute ago is not believed"


async def test_a_fork_of_a_shard_is_caught_by_the_witness(tmp_path: Path, witness: Witness) -> None:
    """Two stores, one name, one key: whoever is shown the second one is shown no cosignature."""
    one, other = store_in(tmp_path / "one"), store_in(tmp_path / "other")
    async with opened(one, publisher=Publisher(one, ORIGIN, machines, witnesses=asking(witness))) as ledger:
        for number in range(4):
            await refused(ledger, number)
    async with opened(other) as ledger:
        for number in range(6):
            await refused(ledger, number)
    with pytest.raises(Contradicted, match="the 4 entries that it saw do not begin this one"):
        await Publisher(other, ORIGIN, machines, witnesses=asking(witness)).publish("1")
    async with opened(other, publisher=Publisher(other, ORIGIN, machines, witnesses=asking(witness))) as ledger:
        assert ledger.shard == "2", "the forked one is sealed"


async def test_a_witness_cannot_make_up_what_seals_a_shard(tmp_path: Path, witness: Witness) -> None:
    """It has no key of the log: what the log never signed is no memory of it."""
    made_up = LOG.note(30, SECRET)
    body = note_body(made_up)
    lines = made_up.removeprefix(f"{body}\n") + COSIGNING.line(body, 1)
    for note in (f"{body}\n{lines}", f"{body}\n{COSIGNING.line(body, 1)}"):
        witness._seen = {SHARD: note}
        store = store_in(tmp_path / str(len(note)))
        with pytest.raises(LedgerUnavailable, match=r"not signed by both|1 witnesses are required, and 0 answer"):
            async with opened(
                store, publisher=Publisher(store, ORIGIN, machines, witnesses=asking(witness, require=1))
            ):
                raise AssertionError("it started")
        assert store.connect().execute("SELECT count(*) FROM sealed").fetchone() == (0,)


async def test_too_few_cosignatures_are_no_start(tmp_path: Path, witness: Witness) -> None:
    store = store_in(tmp_path)
    with pytest.raises(LedgerUnavailable, match="2 witnesses are required, and 1 answer"):
        async with opened(store, publisher=Publisher(store, ORIGIN, machines, witnesses=asking(witness, require=2))):
            raise AssertionError("it started")


async def test_it_answers_nothing_once_cosignatures_stay_away_and_goes_on_when_they_are_back(
    tmp_path: Path, witness: Witness
) -> None:
    store, away = store_in(tmp_path), False
    witnesses = asking(witness, require=1, within=0.05)
    real: Callable[..., object] = witnesses._client._transport.handle_async_request

    async def sometimes(request: httpx.Request) -> httpx.Response:
        if away:
            await asyncio.sleep(60)
        return await real(request)  # type: ignore[misc, no-any-return]

    witnesses._client._transport.handle_async_request = sometimes  # type: ignore[method-assign]
    async with opened(store, publisher=Publisher(store, ORIGIN, machines, witnesses=witnesses, every=0.02)) as ledger:
        await refused(ledger)
        away = True
        await until_async("the ledger to notice", lambda: not ledger.healthy)
        with pytest.raises(LedgerUnavailable, match=r"0 of 1 required witnesses cosigned shard `1` within 0\.05 s"):
            await ledger.append(b"", b"", AT, BY)
        away = False
        await until_async("the ledger to be healthy", lambda: ledger.healthy)
        await refused(ledger)


def test_a_witness_key_stands_for_no_log() -> None:
    fake = Cosigner(SHARD, SECRET).verifier
    assert parse_verifier(str(fake)) == fake
    note = LOG.note(3).rpartition("\n\n")[0] + "\n"
    cosigned = f"{note}\n{Cosigner(SHARD, SECRET).line(note, 1)}"
    assert open_note(cosigned, [fake])[1] == [fake]
    with pytest.raises(VerificationFailed, match="signed by another's key"):
        read_checkpoint(cosigned, [fake], "here")
