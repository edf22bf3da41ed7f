"""Stretches of shards checked in order, by this process or by several: what is found comes in order either way.

Several processes each open the store again and read snapshots of their own. No entry that a head counts ever changes,
so it does not matter which snapshot one is read from.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from gateway.errors import LedgerUnavailable
from gateway.ledger.stored.read import Head
from gateway.ledger.verify.rows.sought import Expected
from gateway.ledger.verify.stretch import Checked, Stretches
from gateway.storage.port import Reader, Store

LENGTH = 1 << 14
"""The most entries of a stretch: a whole number of tiles, and about a second's work."""


class Jobs(NamedTuple):
    """How many processes check stretches, and what opens the store in each of them (it has to pickle)."""

    processes: int
    again: Callable[[], Store]


Wanted = tuple[Head, int, int, bytes | None]
"""A stretch: head, first, last, and the digest by which it was found whole; None where nothing is remembered."""


def stretches(heads: Iterable[Head], known: Callable[[Head, int, int], bytes] | None = None) -> Iterator[Wanted]:
    """The stretches of shards, in order; `known` gives the digests that are remembered."""
    for head in heads:
        for first in range(0, head.size, LENGTH):
            last = min(first + LENGTH, head.size)
            yield head, first, last, None if known is None else known(head, first, last)


@contextlib.contextmanager
def checking(
    reader: Reader, expected: Expected, jobs: Jobs | None
) -> Iterator[Callable[[Iterable[Wanted]], Iterator[Checked]]]:
    """What checks stretches and gives what was found, in their order; `reader` is used where there is one process.

    Raises `VerificationFailed` for the first that is broken, `LedgerUnavailable` where a process ended.
    """
    if jobs is None or jobs.processes == 1:
        alone = Stretches(reader, expected)
        with _uncollected():
            yield lambda wanted: (alone.check(*each) for each in wanted)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs.processes, context, _begin, (jobs.again, expected)) as pool:
        try:
            yield lambda wanted: _in_order(pool, wanted, 2 * jobs.processes)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, wanted: Iterable[Wanted], ahead: int) -> Iterator[Checked]:
    begun: collections.deque[Future[Checked]] = collections.deque()
    try:
        for each in wanted:
            begun.append(pool.submit(_check, *each))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    except BrokenProcessPool as error:
        raise LedgerUnavailable(
            "a process that checks entries ended, as where memory is short; run it again, with fewer `--jobs`"
        ) from error


_working: Stretches | None = None
"""In a process that was started to check stretches: with its reader."""


def _begin(again: Callable[[], Store], expected: Expected) -> None:
    global _working
    gc.disable()  # as below; the process ends with the run
    _working = Stretches(again().reader(), expected)


def _check(head: Head, first: int, last: int, known: bytes | None) -> Checked:
    assert _working is not None, "the process was begun"
    return _working.check(head, first, last, known)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, a quarter of the time goes: what is made of entries has no cycles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
