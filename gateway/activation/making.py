"""Rule sets made in another process: parsing, and the cells of the table that were in use, cost the event loop nothing.

`Maker` keeps that process (`python -m gateway.activation.making`) while it is needed: it ends `KEPT` seconds after the
last rule set, and with whoever started it. What it made comes back piece by piece (`SLICE` things each), so that no
piece is long in the making here, where a thread puts them together beside inquiries.

Invariant: the rule set is that of the archive's digest, as if it had been loaded here; the other process only decides
cells, by the same code. It gets no more than the archive, the paths of files with secrets and which cells are in use.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import pickle
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import msgspec

from gateway.activation.loading import SHOWN, Reading, loaded
from gateway.catalogue.identifiers import made as made_scheme
from gateway.catalogue.model import IdentifierScheme
from gateway.errors import ConfigurationError, Problem
from gateway.rules.ruleset import Part, RuleSet
from gateway.saying import in_words

KEPT = 60.0
"""Seconds that the process waits for another rule set."""
PATIENCE = 120.0
"""Seconds that a rule set may take."""
SLICE = 16
MOST_PARTS = 2_000


class _Wanted(NamedTuple):
    """What the process is asked for."""

    files: bytes
    digest: str
    how: Reading
    parts: Sequence[Part]


class Maker:
    """The process that makes rule sets, one at a time. For threads: all of it blocks."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def made(self, files: bytes, digest: str, how: Reading, parts: Sequence[Part] = ()) -> RuleSet:
        """The rule set of an archive, with those `parts` of its table that it has.

        Raises `ConfigurationError` for what is wrong with it, and where the process fails.
        """
        with self._lock:
            for tried in itertools.count():
                process = self._started()
                try:
                    return _received(process, _Wanted(files, digest, how, parts[:MOST_PARTS]))
                except (OSError, EOFError, pickle.UnpicklingError) as error:
                    self._end()
                    if tried:  # one that had just ended for want of work is no failure
                        say = f"the process that reads rule sets failed ({in_words(error)})"
                        raise ConfigurationError([Problem(f"rule set {digest[:SHOWN]}", 0, 0, "", say)]) from error
        raise AssertionError("it was made, or refused")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "gateway.activation.making"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.kill()
            process.wait()


def _received(process: subprocess.Popen[bytes], wanted: _Wanted) -> RuleSet:
    """Have it made, and put together what comes back."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Timer(PATIENCE, process.kill)
    late.daemon = True
    late.start()
    try:
        _send(process.stdin, wanted)
        found: dict[str, dict[Any, Any]] = {"datasets": {}, "purposes": {}, "entries": {}, "rules": {}}
        rest: Any = None
        parts: list[tuple[Part, Mapping[Any, Any]]] = []
        while (piece := _receive(process.stdout)) is not None:
            name, content = piece
            if name == "problems":
                raise ConfigurationError(content)
            if name == "rest":
                rest = content
            elif name == "part":
                parts.append(content)
            else:
                found[name].update(content)
    finally:
        late.cancel()
    catalogue, requesters, calendar, officers, watch = rest
    rules = RuleSet(
        msgspec.structs.replace(catalogue, datasets=found["datasets"]),
        found["purposes"],
        msgspec.structs.replace(requesters, entries=found["entries"]),
        list(found["rules"].values()),
        calendar,
        officers,
        watch,
    )
    for part, cells in parts:
        rules.take(part, cells)
    return rules


class _Pickler(pickle.Pickler):
    """Pickles rule sets: an identifier scheme by what it was made of, for it has a function."""

    def reducer_override(self, each: Any) -> Any:
        if isinstance(each, IdentifierScheme):
            return made_scheme, (each.name, each.title, each.subjects, each.module, each.pattern)
        return NotImplemented


def _send(pipe: IO[bytes], content: object) -> None:
    into = io.BytesIO()
    _Pickler(into, pickle.HIGHEST_PROTOCOL).dump(content)
    pipe.write(len(into.getbuffer()).to_bytes(4))
    pipe.write(into.getbuffer())
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """One piece; raises `EOFError` at the end."""
    size = _whole(pipe, 4)
    return pickle.loads(_whole(pipe, int.from_bytes(size)))  # noqa: S301 - of a process of our own, by a pipe


def _whole(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _pieces(rules: RuleSet, parts: Iterable[Part]) -> Iterator[tuple[str, Any]]:
    policies, requesters = rules.policies, rules.requesters
    several: list[tuple[str, Mapping[Any, Any]]] = [
        ("datasets", policies.catalogue.datasets),
        ("purposes", policies.purposes),
        ("entries", requesters.entries),
        ("rules", rules.rules),
    ]
    for name, content in several:
        for first in range(0, len(content), SLICE):
            yield name, dict(itertools.islice(content.items(), first, first + SLICE))
    catalogue = msgspec.structs.replace(policies.catalogue, datasets={})
    yield (
        "rest",
        (catalogue, msgspec.structs.replace(requesters, entries={}), rules.calendar, rules.officers, rules.watch),
    )
    for part in parts:
        if rules.known(part):
            yield "part", (part, rules.part(part))


def main() -> int:
    """Make rule sets for whoever is at the other end of the pipes, until it is gone or has no work."""
    given, back = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, BrokenPipeError):
        while select.select([given], [], [], KEPT)[0]:
            wanted: _Wanted = _receive(given)
            try:
                rules = loaded(wanted.files, wanted.digest, wanted.how)
                for piece in _pieces(rules, wanted.parts):
                    _send(back, piece)
            except ConfigurationError as error:
                _send(back, ("problems", error.problems))
                continue
            _send(back, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
