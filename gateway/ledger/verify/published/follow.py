"""A published log checked from its leaves up, by whoever has its URL and its public key. No payload is needed.

Every entry is hashed again and checked against every tile of every level; the tree that they give must be the one that
the checkpoint signs; and that must contain the tree of the last checkpoint seen, and of every receipt. The first entry
or tile that is broken is named. A check that was interrupted goes on where it was.

A shard that was sealed has less than was seen, and is accepted as such where that is explained (`gaps`): then what it
still has must be what was seen of it, and receipts of the rest are told as lost.

What it proves: nobody who saw an earlier checkpoint was shown another past. It cannot see what two followers were
shown differently: witnesses' cosignatures are for that.
"""

from __future__ import annotations

import collections
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from gateway.errors import VerificationFailed
from gateway.ledger.entry.registry import ROOT, Registry
from gateway.ledger.proof.merkle import Node, leaf_hash
from gateway.ledger.proof.note import Checkpoint, Verifier, note_body, parse_checkpoint
from gateway.ledger.stored.read import TILE_BITS, TILE_WIDTH
from gateway.ledger.verify.published.assurance import (
    Claim,
    Forked,
    Leaves,
    check_claim,
    check_extends,
    check_leaf,
    signed_checkpoint,
)
from gateway.ledger.verify.published.follower_state import NOTHING, VERSION, LogState, Memory, Reached
from gateway.ledger.verify.published.gaps import Explained
from gateway.ledger.verify.published.tile_client import TileLog, TileTree, fold
from gateway.nouns import counted

AHEAD = 16
SAVE_EVERY = 256

GRACE = datetime.timedelta(minutes=1)
"""A receipt's entry is published within this time of the moment that it speaks of, or it was withheld."""

Progress = Callable[[str, int, int], None]


class Followed(NamedTuple):
    """A log that is whole. `seen` is the size that was last seen before. `claims` of receipts are `published`.
    `pending` ones are younger than the checkpoint, `lost` ones of what a sealed log (`sealed`) has no more."""

    origin: str
    size: int
    root: bytes
    seen: int
    published: list[Claim]
    pending: list[Claim]
    lost: list[Claim]
    sealed: Explained | None


class _Bundle(NamedTuple):
    number: int
    leaves: list[bytes]
    hashes: list[bytes]


def follow(
    log: TileLog,
    verifiers: Sequence[Verifier],
    memory: Memory | None,
    claims: Iterable[Claim],
    now: datetime.datetime,
    *,
    shard: str | None = None,
    only_new: bool = False,
    progress: Progress | None = None,
    registry: Registry | None = None,
    gaps: Mapping[str, Explained] | None = None,
) -> Followed:
    """Check a log; raises `VerificationFailed` that names the first broken thing.

    `claims` are what receipts prove; those of other logs are left out. `only_new` trusts what an earlier check of the
    same `memory` found whole. `now` is when the checkpoint is asked for. `registry` says which keys may sign it, and
    where it was sealed; `gaps` are those of its sealed shards that are explained.
    """
    note = log.checkpoint()
    checkpoint, key = signed_checkpoint(note, verifiers, log.place, shard)
    if registry is not None:
        registry.check_signed(checkpoint, key)
    origin = checkpoint.origin
    sealed = _explained(gaps, checkpoint)
    known = memory.load(origin) if memory else LogState(VERSION, origin)
    try:
        whole = known.whole
        seen = _check_against(known, checkpoint, sealed)
        cut = seen is not None and checkpoint.size < seen.size
        begun = NOTHING if cut else (known.whole if only_new else None) or known.underway or NOTHING

        def so_far(reached: Reached) -> None:
            if memory and not cut:  # where it was cut, what was seen is needed again
                memory.save(_underway(known, reached, only_new))

        tree = TileTree(log, checkpoint.size)
        reached = _check_entries(log, checkpoint, begun, so_far, progress)
        if reached.tree().root != checkpoint.root:
            if begun.size and memory:
                memory.save(LogState(VERSION, origin, known.checkpoint))
            raise VerificationFailed(
                "its entries and tiles agree, but do not give the root that its checkpoint signs: entries were altered,"
                f" added, removed or put in another order{' (run again for a check from the first)' * bool(begun.size)}"
            )
        if cut:
            _check_left(whole, tree, checkpoint.size)
        elif seen is not None:
            check_extends(tree.node, seen, checkpoint, "the last checkpoint seen")
        held = hold(claims, checkpoint, tree.node, log, sealed, now)
        if memory:
            memory.save(LogState(VERSION, origin, note, whole=reached))
    except VerificationFailed as error:
        kept = ""
        if isinstance(error, Forked) and memory and known.checkpoint:
            kept = f"; both checkpoints are kept in `{memory.keep_evidence(origin, known.checkpoint, note)}`"
        raise type(error)(f"`{origin}`: {error}{kept}") from error
    before = seen.size if seen else 0
    return Followed(origin, checkpoint.size, checkpoint.root, before, *held, sealed)


def hold(
    claims: Iterable[Claim],
    checkpoint: Checkpoint,
    node: Node,
    log: Leaves,
    sealed: Explained | None,
    now: datetime.datetime,
) -> tuple[list[Claim], list[Claim], list[Claim]]:
    """What receipts prove of a log, held to its tree: those that are in it, that are too young, and that were lost.

    Raises `VerificationFailed` for one that the tree contradicts, or lacks.
    """
    there: list[Claim] = []
    pending: list[Claim] = []
    lost: list[Claim] = []
    for claim in claims:
        if claim.origin != checkpoint.origin:
            continue
        if sealed is not None and claim.size > checkpoint.size:
            _check_lost(claim, sealed, log)
            lost.append(claim)
            continue
        _check_timely(claim, checkpoint, now)
        (there if check_claim(claim, checkpoint, node, log) else pending).append(claim)
    return there, pending, lost


def _explained(gaps: Mapping[str, Explained] | None, checkpoint: Checkpoint) -> Explained | None:
    """The gap of a sealed log, where it is of what this checkpoint has."""
    sealed = (gaps or {}).get(checkpoint.origin)
    return sealed if sealed is not None and sealed.covers(checkpoint) else None


def _underway(known: LogState, reached: Reached, only_new: bool) -> LogState:
    """What to remember of a check that goes on. One of what is new adds to what was found whole."""
    if only_new:
        return LogState(VERSION, known.origin, known.checkpoint, reached, known.underway)
    return LogState(VERSION, known.origin, known.checkpoint, known.whole, reached)


def _check_against(known: LogState, checkpoint: Checkpoint, sealed: Explained | None) -> Checkpoint | None:
    """What can be said before any tile is read: no log shrinks unexplained, or signs two trees of one size."""
    if not known.checkpoint:
        return None
    seen = parse_checkpoint(note_body(known.checkpoint))
    if checkpoint.size < seen.size:
        if sealed is not None:
            sealed.check_admits(seen, "whoever verified it last")
            return seen
        root = ": it is the registry, so shards or keys are missing" if checkpoint.origin.endswith(f"/{ROOT}") else ""
        raise VerificationFailed(
            f"its checkpoint has {counted(checkpoint.size, 'entry')}, and {seen.size} when it was last seen: it"
            " was cut short, or"
            f" an old checkpoint is served{root}"
        )
    if checkpoint.size == seen.size and checkpoint.root != seen.root:
        raise Forked(
            f"it was forked: it signs two different trees of {counted(seen.size, 'entry')}, now and when it was"
            " last seen"
        )
    return seen


def _check_left(whole: Reached | None, tree: TileTree, size: int) -> None:
    """What a sealed log still has is what was seen of it, as far as the hashes say that are remembered."""
    for level, row in enumerate(whole.rows if whole else ()):
        assert whole is not None, "it has rows"
        above = TILE_BITS * level
        first = (whole.size >> above) // TILE_WIDTH * TILE_WIDTH
        for position, hash_ in enumerate(row, first):
            if position + 1 << above <= size and tree.node(above, position) != hash_:
                raise Forked(
                    f"it was forked: it was sealed at {size}, and its entries {position << above} to"
                    f" {(position + 1 << above) - 1} are not those that were last seen"
                )


def _check_lost(claim: Claim, sealed: Explained, log: Leaves) -> None:
    if claim.at > sealed.at + GRACE:
        raise VerificationFailed(
            f"{claim.name} is of {claim.at.isoformat()}, and the log was sealed at {sealed.at.isoformat()}: it was"
            " signed over"
        )
    if claim.index < sealed.size:
        check_leaf(claim, log, sealed.size)


def _check_timely(claim: Claim, checkpoint: Checkpoint, now: datetime.datetime) -> None:
    if claim.size > checkpoint.size and now - claim.at > GRACE:
        raise VerificationFailed(
            f"{claim.name} is of a tree of {counted(claim.size, 'entry')}, of {claim.at.isoformat()}, and the"
            " checkpoint has only"
            f" {checkpoint.size}: it was cut short, or withholds what was promised"
        )


def _check_entries(
    log: TileLog, checkpoint: Checkpoint, begun: Reached, save: Callable[[Reached], None], progress: Progress | None
) -> Reached:
    """Hash every entry from `begun` on, and check it against every tile."""
    size, name = checkpoint.size, checkpoint.origin
    if begun.size > size:
        raise VerificationFailed(
            f"it has {counted(size, 'entry')}, and {begun.size} of it were checked earlier: it was cut short"
        )
    rows = [list(row) for row in begun.rows] or [[]]
    reached = at = begun.size
    try:
        for bundle in _bundles(log, begun.size // TILE_WIDTH, size):
            known = rows[0]
            _check_known(bundle, known)
            known += bundle.hashes[len(known) :]
            at = bundle.number * TILE_WIDTH + len(bundle.hashes)
            if len(known) == TILE_WIDTH:
                _lift(log, rows, 0, bundle.number)
            reached = at
            if progress:
                progress(name, at, size)
            if bundle.number % SAVE_EVERY == SAVE_EVERY - 1:
                save(_frozen(at, rows))
    except BaseException:
        if reached == at and reached > begun.size:
            save(_frozen(reached, rows))
        raise
    for level, row in enumerate(rows[1:], 1):
        if row:
            number = (size >> level * TILE_BITS) // TILE_WIDTH
            _compare(log.hashes(level, number, len(row)), row, level, number)
    return _frozen(size, rows)


def _frozen(size: int, rows: list[list[bytes]]) -> Reached:
    return Reached(size, tuple(map(tuple, rows)))


def _check_known(bundle: _Bundle, known: list[bytes]) -> None:
    for offset, (old, new) in enumerate(zip(known, bundle.hashes, strict=False)):
        if old != new:
            raise VerificationFailed(
                f"entry {bundle.number * TILE_WIDTH + offset} was altered since it was last checked"
            )


def _lift(log: TileLog, rows: list[list[bytes]], level: int, number: int) -> None:
    """A full tile of a level becomes one hash of the next; a tile that this fills is checked too."""
    hash_ = fold(rows[level])
    rows[level] = []
    if level + 1 == len(rows):
        rows.append([])
    above = rows[level + 1]
    above.append(hash_)
    if len(above) == TILE_WIDTH:
        _compare(log.hashes(level + 1, number // TILE_WIDTH, TILE_WIDTH), above, level + 1, number // TILE_WIDTH)
        _lift(log, rows, level + 1, number // TILE_WIDTH)


def _compare(stored: list[bytes], made: list[bytes], level: int, number: int) -> None:
    for offset, (old, new) in enumerate(zip(stored, made, strict=True)):
        if old != new:
            position = number * TILE_WIDTH + offset
            first = position << TILE_BITS * level
            raise VerificationFailed(
                f"hash {position} of tile level {level} is not that of entries {first} to"
                f" {first + (1 << TILE_BITS * level) - 1}: the tile or one of them was altered"
            )


def _bundles(log: TileLog, first: int, size: int) -> Iterator[_Bundle]:
    """Bundles of entries, each checked against its tile of hashes; read a few ahead, and given in order."""

    def read(number: int) -> _Bundle:
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        leaves, stored = log.leaves(number, width), log.hashes(0, number, width)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        for offset, (made, found) in enumerate(zip(hashes, stored, strict=True)):
            if made != found:
                index = number * TILE_WIDTH + offset
                raise VerificationFailed(f"entry {index} is not what its tile has the hash of: one of them was altered")
        return _Bundle(number, leaves, hashes)

    waiting: collections.deque[Future[_Bundle]] = collections.deque()
    last = -(-size // TILE_WIDTH)
    pool = ThreadPoolExecutor(max_workers=min(8, max(1, last - first)), thread_name_prefix="tiles")
    try:
        for number in range(first, last):
            waiting.append(pool.submit(read, number))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
