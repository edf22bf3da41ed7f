"""What others wait for while a department has a fault: `python -m tests.faults.matrix --beside`.

Each fault is at work on 4 connections, while inquiries that do not need that department are timed: their 99th
percentile may be twice that of a control run, in which the department sends as many well-formed bytes. Faults of as
many bytes share a control, which is measured just before them; one that does not hold is measured again, in turn with
a control of its own, before it counts.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import httpx

from gateway.catalogue.load import load
from gateway.catalogue.model import Dataset
from tests.faults.department import BRIEF, POLICIES, READ, WHOLE
from tests.faults.kinds import ALL, DATABASES, Kinds
from tests.faults.matrix import AGAIN, ALONE, ask, chosen, scenes
from tests.faults.moods import Asked

CONNECTIONS = 4
TIMED, MORE = 100, 2
"""Inquiries that are timed, and how many times as many of a fault that is measured again."""
SHARING = 6
"""Faults that share a control at most."""
ALIKE = 8192
"""Bytes up to which answers are alike."""
TIMES = 2.0


class Cell(NamedTuple):
    """A fault's percentile and its control's, in ms."""

    kind: str
    fault: str
    found: float
    control: float
    times: int = 1

    @property
    def holds(self) -> bool:
        return self.found <= TIMES * self.control

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.fault}"

    def __str__(self) -> str:
        told = f"{self.kind:16} {self.fault:25} {self.found:8.1f} ms, control {self.control:8.1f} ms"
        return told if self.holds else f"{told}  TOO LATE"


@contextlib.contextmanager
def at_work(scene: Kinds, mood: str) -> Iterator[None]:
    """The mood in the one department, which 4 clients ask without a pause."""
    scene.mood(ALONE[0], mood)
    over = threading.Event()

    def keep_asking() -> None:
        with httpx.Client() as client:
            while not over.is_set():
                ask(scene, ALONE, client)

    threads = [threading.Thread(target=keep_asking) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        scene.mood(ALONE[0])


def percentile(scene: Kinds, mood: str, timed: int) -> float:
    """The 99th percentile of inquiries that do not need the department in the mood, in ms."""
    with at_work(scene, mood), httpx.Client() as client:
        for _ in range(timed // 10):
            ask(scene, ALL[1:2], client)
        took = sorted(ask(scene, ALL[1:2], client)[2] for _ in range(timed))
    return took[math.ceil(timed * 0.99) - 1] * 1000


@functools.cache
def _dataset() -> Dataset:
    return load(POLICIES, []).datasets[ALONE[0]]


def size(kind: str, fault: str) -> int:
    """About how many bytes a department sends of it: the logarithm."""
    many = ALIKE
    if kind not in (*DATABASES, "files") and fault not in BRIEF:
        way = kind if kind in ("graphql", "entities") else "rest"
        many = len(WHOLE[fault](Asked(_dataset(), "LEI", ("X",), way))) if fault in WHOLE else READ
    return max(ALIKE, min(many, READ)).bit_length()


def groups(kind: str, faults: Sequence[str]) -> Iterator[list[str]]:
    """Faults that share a control."""
    sizes = {fault: size(kind, fault) for fault in faults}
    for each in sorted(set(sizes.values())):
        alike = [fault for fault in faults if sizes[fault] == each]
        yield from (alike[first : first + SHARING] for first in range(0, len(alike), SHARING))


def cells(scene: Kinds, faults: Sequence[str], timed: int = TIMED) -> Iterator[Cell]:
    """Each fault, measured until it holds or was measured often enough."""
    kind = scene.kind(ALONE[0])
    for group in groups(kind, faults):
        control = percentile(scene, _control(kind, group[-1]), timed)
        for fault in group:
            found = Cell(kind, fault, percentile(scene, fault, timed), control)
            while not found.holds and found.times <= AGAIN:
                again = percentile(scene, _control(kind, fault), timed * MORE)
                found = Cell(kind, fault, percentile(scene, fault, timed * MORE), again, found.times + 1)
            yield found


def _control(kind: str, fault: str) -> str:
    return "well" if kind in (*DATABASES, "files") else f"as many {fault}"


def beside(kinds: Sequence[str], only: Sequence[str]) -> dict[str, Any]:
    """What is printed of it."""
    began, found = time.monotonic(), list[Cell]()
    kinds = [kind for kind in kinds if chosen(kind, only)]
    total = sum(len(chosen(kind, only)) for kind in kinds)
    with scenes(kinds) as running:
        for kind, scene in running:
            for each in cells(scene, chosen(kind, only)):
                found.append(each)
                print(f"{len(found)} of {total}  {each}", file=sys.stderr, flush=True)
    return {
        "holds": bool(found) and all(each.holds for each in found),
        "cells": len(found),
        "wrong": {each.name: [round(each.found, 1), round(each.control, 1)] for each in found if not each.holds},
        "held_when_run_again": [each.name for each in found if each.times > 1 and each.holds],
        "most_times": round(max((each.found / each.control for each in found), default=0.0), 2),
        "seconds": round(time.monotonic() - began),
    }
